package sshagent

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// FuzzFrames sends a stream of bytes, in two writes, and sees that the agent
// answers every whole frame, signs nothing but logins, and closes after what is
// no frame.
func FuzzFrames(f *testing.F) {
	a, k := startAgent(f, Options{AllowForwarding: true})
	host := hostSigner(f)
	for _, m := range [][]byte{
		{msgList},
		signRequest(k.Public().Marshal(), request{}.data(k), 0),
		signRequest(k.Public().Marshal(), request{hostKey: host.PublicKey().Marshal()}.data(k), flagSHA512),
		bound(f, host, testSession, false),
		bound(f, host, testSession, true),
		appendString([]byte{msgV1List}, "SSH-2.0-Ruby/Net::SSH_7.3.3"),
		appendString([]byte{msgExtension}, "query"),
		appendString([]byte{msgLock}, "passphrase"),
		{msgRemoveAll},
		{msgAdd},
		{255},
	} {
		f.Add(framed(m), uint16(3))
		f.Add(append(framed(m), framed([]byte{msgList})...), uint16(len(m)+4))
	}
	f.Add([]byte{0, 0, 0, 0}, uint16(1))
	f.Add([]byte{0, 4, 0, 1}, uint16(4))
	f.Fuzz(func(t *testing.T, stream []byte, cut uint16) {
		c, err := net.Dial("unix", a.Socket())
		check(t, err)
		defer func() { _ = c.Close() }()
		check(t, c.SetDeadline(time.Now().Add(10*time.Second)))
		at := min(int(cut), len(stream))
		answers := make(chan []byte, 1)
		go func() {
			b, _ := io.ReadAll(c)
			answers <- b
		}()
		_, err = c.Write(stream[:at])
		if err == nil {
			_, err = c.Write(stream[at:])
		}
		if err == nil {
			err = c.(*net.UnixConn).CloseWrite()
		}
		got := <-answers
		if err != nil && wholeFrames(stream) == len(stream) {
			t.Fatal("the agent closed on a stream of frames: ", err)
		}
		want := 0
		for rest := stream; ; want++ {
			n, ok := frameLength(rest)
			if !ok {
				break
			}
			message := rest[4:n]
			rest = rest[n:]
			m, ok := frameLength(got)
			if !ok {
				// A reset can take answers with it that the client had not read.
				if wholeFrames(stream) == len(stream) {
					t.Fatalf("frame %d, message %d, has no answer", want+1, message[0])
				}
				return
			}
			sees(t, k, message, got[4:m])
			got = got[m:]
		}
		if len(got) != 0 {
			t.Fatalf("%d bytes more than the answers to %d frames", len(got), want)
		}
	})
}

// sees that an answer is one that the request can have.
func sees(t *testing.T, k *Key, message, answer []byte) {
	t.Helper()
	switch answer[0] {
	case msgFailure, msgSuccess, msgExtensionFail, msgListAnswer, msgV1ListAnswer:
	case msgSignAnswer:
		c := cursor(message[1:])
		_, _ = c.str()
		data, _ := c.str()
		l, ok := parseLogin(data)
		if !ok || !bytes.Equal(l.key, k.Public().Marshal()) {
			t.Fatal("signed what is no login with its key")
		}
		in := cursor(answer[1:])
		blob, _ := in.str()
		var sig ssh.Signature
		check(t, ssh.Unmarshal(blob, &sig))
		check(t, k.Public().Verify(data, &sig))
	default:
		t.Fatalf("message %d is answered with %d", message[0], answer[0])
	}
}

// frameLength is the length of the frame that b begins with, if it is whole.
func frameLength(b []byte) (int, bool) {
	if len(b) < 4 {
		return 0, false
	}
	n := binary.BigEndian.Uint32(b)
	if n == 0 || n > longestFrame || int(n) > len(b)-4 {
		return 0, false
	}
	return int(n) + 4, true
}

// wholeFrames is how many bytes of b are whole frames.
func wholeFrames(b []byte) int {
	at := 0
	for {
		n, ok := frameLength(b[at:])
		if !ok {
			return at
		}
		at += n
	}
}

// FuzzLogin holds parseLogin against what it says of itself: what it takes,
// written again from its parts, is the same.
func FuzzLogin(f *testing.F) {
	k := makeKey(f, ed)
	f.Add(request{}.data(k))
	f.Add(request{hostKey: k.Public().Marshal()}.data(k))
	f.Add([]byte("SSHSIG\x00\x00\x00\x03git"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, ok := parseLogin(data)
		if !ok {
			return
		}
		method := methodPlain
		if l.hostKey != nil {
			method = methodHostbound
		}
		b := appendString(nil, l.session)
		b = append(b, 50)
		b = appendString(b, l.user)
		b = appendString(b, "ssh-connection")
		b = appendString(b, method)
		b = append(b, 1)
		b = appendString(b, l.algorithm)
		b = appendString(b, l.key)
		if l.hostKey != nil {
			b = appendString(b, l.hostKey)
		}
		if !bytes.Equal(b, data) {
			t.Fatal("took something that is no login")
		}
	})
}

// FuzzBinding sees that no session is bound that its host did not sign.
func FuzzBinding(f *testing.F) {
	host := hostSigner(f)
	for _, forwarding := range []bool{false, true} {
		f.Add(bound(f, host, testSession, forwarding)[1+4+len(bindExtension):])
	}
	f.Fuzz(func(t *testing.T, contents []byte) {
		s, ok := verifyBinding(contents)
		if !ok {
			return
		}
		key, err := ssh.ParsePublicKey(s.host.blob)
		check(t, err)
		c := cursor(contents)
		_, _ = c.str()
		_, _ = c.str()
		blob, _ := c.str()
		var sig ssh.Signature
		check(t, ssh.Unmarshal(blob, &sig))
		check(t, key.Verify(s.id, &sig))
	})
}

// FuzzKey sees that a text parses to a key that signs, or gives an error that is
// the same for all texts of its kind, and that the text is cleared.
func FuzzKey(f *testing.F) {
	for _, kind := range []string{ed, ec, rsa2k} {
		private := privateKey(f, kind)
		text := openssh(f, private)
		f.Add(text, "")
		f.Add(bytes.ReplaceAll(text, []byte("\n"), []byte(`\n`)), "")
		f.Add(bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n  ")), "")
		f.Add(pkcs8(f, private), "")
		k, err := ParseKey(bytes.Clone(text), nil)
		check(f, err)
		f.Add(ssh.MarshalAuthorizedKey(k.Public()), "")
	}
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"), "pass")
	f.Add(otherCurve(f), "")
	f.Add(sealed("sk-ssh-ed25519@openssh.com", 1), "")
	for _, text := range []string{"***", "op://a/b/c", "PuTTY-User-Key-File-3: ssh-rsa", "{}", "'\"", "\ufeff", "\xff\xfea\x00"} {
		f.Add([]byte(text), "")
	}
	f.Fuzz(func(t *testing.T, text []byte, passphrase string) {
		in, pass := bytes.Clone(text), []byte(passphrase)
		k, err := ParseKey(in, pass)
		if len(bytes.Trim(in, "\x00"))+len(bytes.Trim(pass, "\x00")) > 0 {
			t.Error("the input was not cleared")
		}
		if err == nil {
			if !signs(k.signer) {
				t.Error("a key that does not sign")
			}
			check(t, k.Check(k.Fingerprint()))
			return
		}
		var e *KeyError
		if !errors.As(err, &e) || *e != *keyError(e.Kind) || (e.Kind != NotKey && e.Message == keyError(NotKey).Message) {
			t.Errorf("the error is %T, of kind %q", err, e.Kind)
		}
	})
}
