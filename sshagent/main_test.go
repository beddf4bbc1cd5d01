package sshagent

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The kinds of keys that clients use.
const (
	ed    = "ed25519"
	ec    = "ecdsa-256"
	rsa2k = "rsa-2048"
	rsa4k = "rsa-4096"
)

// rsaKeys are made once: they take seconds.
var rsaKeys = map[string]func() *rsa.PrivateKey{
	rsa2k: sync.OnceValue(func() *rsa.PrivateKey { return mustRSA(2048) }),
	rsa4k: sync.OnceValue(func() *rsa.PrivateKey { return mustRSA(4096) }),
}

func mustRSA(bits int) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

func privateKey(t testing.TB, kind string) crypto.Signer {
	t.Helper()
	switch kind {
	case ed:
		_, k, err := ed25519.GenerateKey(rand.Reader)
		check(t, err)
		return k
	case ec:
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		check(t, err)
		return k
	}
	return rsaKeys[kind]()
}

// keyText is a new key as ssh-keygen writes it.
func keyText(t testing.TB, kind string) []byte {
	t.Helper()
	b, err := ssh.MarshalPrivateKey(privateKey(t, kind), "test key")
	check(t, err)
	return pem.EncodeToMemory(b)
}

func makeKey(t testing.TB, kind string) *Key {
	t.Helper()
	k, err := ParseKey(keyText(t, kind), nil)
	check(t, err)
	return k
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// startAgent starts one that ends with the test, with a new ed25519 key if the
// options name none.
func startAgent(t testing.TB, o Options) (*Agent, *Key) {
	t.Helper()
	return startTuned(t, o, func(*Agent) {})
}

// startTuned lets a test change the agent before it serves.
func startTuned(t testing.TB, o Options, tune func(*Agent)) (*Agent, *Key) {
	t.Helper()
	if o.Keys == nil {
		o.Keys = []*Key{makeKey(t, ed)}
	}
	a, err := newAgent(o)
	check(t, err)
	tune(a)
	check(t, a.listen(o.Dir))
	a.run(t.Context())
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a, o.Keys[0]
}

// A wire is a client that sends what a test wants sent.
type wire struct {
	t testing.TB
	net.Conn
}

func dial(t testing.TB, a *Agent) *wire {
	t.Helper()
	c, err := net.Dial("unix", a.Socket())
	check(t, err)
	t.Cleanup(func() { _ = c.Close() })
	check(t, c.SetDeadline(time.Now().Add(time.Minute)))
	return &wire{t, c}
}

func framed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...)
}

// ask sends one request and returns the answer's message.
func (w *wire) ask(message []byte) []byte {
	w.t.Helper()
	_, err := w.Write(framed(message))
	check(w.t, err)
	return w.take()
}

func (w *wire) take() []byte {
	w.t.Helper()
	var head [4]byte
	_, err := io.ReadFull(w, head[:])
	check(w.t, err)
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err = io.ReadFull(w, b)
	check(w.t, err)
	return b
}

// closed fails the test unless the agent closed the connection.
func (w *wire) closed() {
	w.t.Helper()
	if n, err := w.Read(make([]byte, 1)); n > 0 || err == nil {
		w.t.Fatalf("the connection is open, and gave %d bytes", n)
	} else if e := net.Error(nil); errors.As(err, &e) && e.Timeout() {
		w.t.Fatal("the connection is open")
	}
}

func signRequest(key, data []byte, flags uint32) []byte {
	b := appendString([]byte{msgSign}, key)
	b = appendString(b, data)
	return binary.BigEndian.AppendUint32(b, flags)
}

// A request is a login as a test wants it. The zero value of a field is what a
// client would send.
type request struct {
	session   []byte
	kind      byte
	user      string
	service   string
	method    string
	follows   byte
	algorithm string
	key       []byte
	hostKey   []byte // makes the method hostbound
	tail      []byte
}

var testSession = bytes.Repeat([]byte{7}, 32)

func (r request) data(k *Key) []byte {
	fill := func(s *string, with string) {
		if *s == "" {
			*s = with
		}
	}
	if r.session == nil {
		r.session = testSession
	}
	if r.kind == 0 {
		r.kind = 50
	}
	fill(&r.user, "root")
	fill(&r.service, "ssh-connection")
	fill(&r.method, methodPlain)
	if r.hostKey != nil && r.method == methodPlain {
		r.method = methodHostbound
	}
	fill(&r.algorithm, k.Public().Type())
	if r.key == nil {
		r.key = k.Public().Marshal()
	}
	b := appendString(nil, r.session)
	b = append(b, r.kind)
	b = appendString(b, r.user)
	b = appendString(b, r.service)
	b = appendString(b, r.method)
	b = append(b, 1-r.follows)
	b = appendString(b, r.algorithm)
	b = appendString(b, r.key)
	if r.hostKey != nil {
		b = appendString(b, r.hostKey)
	}
	return append(b, r.tail...)
}

// login asks for a signature of a login and says whether it was made; it must
// then verify.
func (w *wire) login(k *Key, r request, flags uint32) bool {
	w.t.Helper()
	data := r.data(k)
	return w.signed(k, k.Public().Marshal(), data, flags)
}

func (w *wire) signed(k *Key, blob, data []byte, flags uint32) bool {
	w.t.Helper()
	answer := w.ask(signRequest(blob, data, flags))
	if answer[0] == msgFailure && len(answer) == 1 {
		return false
	}
	if answer[0] != msgSignAnswer {
		w.t.Fatalf("the answer to a sign request is message %d", answer[0])
	}
	c := cursor(answer[1:])
	sig, ok := c.str()
	if !ok || len(c) != 0 {
		w.t.Fatal("the answer to a sign request is malformed")
	}
	var s ssh.Signature
	check(w.t, ssh.Unmarshal(sig, &s))
	check(w.t, k.Public().Verify(data, &s))
	return true
}

// bound is a session-bind request by the host.
func bound(t testing.TB, host ssh.Signer, session []byte, forwarding bool) []byte {
	t.Helper()
	sig, err := host.Sign(rand.Reader, session)
	check(t, err)
	b := appendString([]byte{msgExtension}, bindExtension)
	b = appendString(b, host.PublicKey().Marshal())
	b = appendString(b, session)
	b = appendString(b, ssh.Marshal(sig))
	if forwarding {
		return append(b, 1)
	}
	return append(b, 0)
}

func hostSigner(t testing.TB) ssh.Signer {
	t.Helper()
	s, err := ssh.NewSignerFromSigner(privateKey(t, ed))
	check(t, err)
	return s
}

// lastReason is the reason of the newest event.
func lastReason(t testing.TB, a *Agent) string {
	t.Helper()
	events := a.Events()
	if len(events) == 0 {
		t.Fatal("there is no event")
	}
	return events[len(events)-1].Reason
}
