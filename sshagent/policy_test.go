package sshagent

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// A connection that is refused must still be usable: a client may ask on.
func wantRefusal(t *testing.T, a *Agent, w *wire, got bool, reason string) {
	t.Helper()
	if got {
		t.Fatalf("signed, where it is to be refused: %s", reason)
	}
	if is := lastReason(t, a); is != reason {
		t.Fatalf("refused because %q, want %q", is, reason)
	}
	w.ask([]byte{msgList})
}

func TestSign_LoginOfEveryKeyKind(t *testing.T) {
	for _, kind := range []string{ed, ec, rsa2k, rsa4k} {
		t.Run(kind, func(t *testing.T) {
			k := makeKey(t, kind)
			a, _ := startAgent(t, Options{Keys: []*Key{k}})
			w := dial(t, a)
			if !strings.HasPrefix(kind, "rsa") {
				if !w.login(k, request{}, 0) {
					t.Fatal(lastReason(t, a))
				}
				return
			}
			if !w.login(k, request{algorithm: ssh.KeyAlgoRSASHA256}, flagSHA256) ||
				!w.login(k, request{algorithm: ssh.KeyAlgoRSASHA512}, flagSHA512) {
				t.Fatal(lastReason(t, a))
			}
			wantRefusal(t, a, w, w.login(k, request{algorithm: "ssh-rsa"}, 0), ReasonSHA1)
			wantRefusal(t, a, w, w.login(k, request{algorithm: ssh.KeyAlgoRSASHA512}, 0), ReasonSHA1)
			wantRefusal(t, a, w, w.login(k, request{algorithm: ssh.KeyAlgoRSASHA512}, flagSHA256), ReasonAlgorithm)
			wantRefusal(t, a, w, w.login(k, request{algorithm: ssh.KeyAlgoRSASHA256}, flagSHA512), ReasonAlgorithm)
			wantRefusal(t, a, w, w.login(k, request{algorithm: ssh.KeyAlgoRSASHA256}, flagSHA256|flagSHA512), ReasonAlgorithm)
		})
	}
}

func TestSign_NothingButLogins(t *testing.T) {
	a, k := startAgent(t, Options{})
	other := makeKey(t, ed)
	sshsig := appendString(append([]byte("SSHSIG"), 0, 0, 0, 3, 'g', 'i', 't', 0, 0, 0, 0), "sha512")
	sshsig = appendString(sshsig, make([]byte, 64))
	whole := request{}.data(k)
	cases := map[string]struct {
		data   []byte
		reason string
	}{
		"nothing":               {nil, ReasonNotLogin},
		"SSHSIG":                {sshsig, ReasonNotLogin},
		"a text":                {[]byte("please sign this"), ReasonNotLogin},
		"another message":       {request{kind: 51}.data(k), ReasonNotLogin},
		"another service":       {request{service: "ssh-userauth"}.data(k), ReasonNotLogin},
		"another method":        {request{method: "hostbased"}.data(k), ReasonNotLogin},
		"hostbound without key": {request{method: methodHostbound}.data(k), ReasonNotLogin},
		"hostbound, no host":    {request{hostKey: []byte{}}.data(k), ReasonNotLogin},
		"hostbound, not a key":  {request{hostKey: []byte("host")}.data(k), ReasonNotLogin},
		"no signature follows":  {request{follows: 1}.data(k), ReasonNotLogin},
		"follows is 2":          {request{follows: 255}.data(k), ReasonNotLogin},
		"something behind it":   {request{tail: []byte{0}}.data(k), ReasonNotLogin},
		"short session":         {request{session: make([]byte, 19)}.data(k), ReasonNotLogin},
		"long session":          {request{session: make([]byte, 65)}.data(k), ReasonNotLogin},
		"user with an escape":   {request{user: "root\x1b[2J"}.data(k), ReasonNotLogin},
		"user with a line end":  {request{user: "root\n::add-mask::x"}.data(k), ReasonNotLogin},
		"user is no UTF-8":      {request{user: "\xff"}.data(k), ReasonNotLogin},
		"user is long":          {request{user: strings.Repeat("a", 256)}.data(k), ReasonNotLogin},
		"another key inside":    {request{key: other.Public().Marshal()}.data(k), ReasonOtherKey},
		"another algorithm":     {request{algorithm: ssh.KeyAlgoRSASHA512}.data(k), ReasonAlgorithm},
	}
	w := dial(t, a)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, a, w, w.signed(k, k.Public().Marshal(), c.data, 0), c.reason)
		})
	}
	for n := range whole { // no prefix of a login is one
		wantRefusal(t, a, w, w.signed(k, k.Public().Marshal(), whole[:n], 0), ReasonNotLogin)
	}
	if got := a.Counts().Signed; got != 0 {
		t.Errorf("%d signatures, want none", got)
	}
	if !w.signed(k, k.Public().Marshal(), whole, 0) {
		t.Error(lastReason(t, a))
	}
}

func TestSign_UnknownFlagsAndKeys(t *testing.T) {
	a, k := startAgent(t, Options{})
	w := dial(t, a)
	wantRefusal(t, a, w, w.login(k, request{}, 1), ReasonAlgorithm)
	wantRefusal(t, a, w, w.login(k, request{}, 8), ReasonAlgorithm)
	wantRefusal(t, a, w, w.login(makeKey(t, ed), request{}, 0), ReasonUnknownKey)
	for _, message := range [][]byte{
		{msgSign},
		append(signRequest(k.Public().Marshal(), request{}.data(k), 0), 0),
		{msgSign, 255, 255, 255, 255},
	} {
		if got := w.ask(message); !bytes.Equal(got, []byte{msgFailure}) {
			t.Errorf("a malformed request is answered with % x", got)
		}
		if got := lastReason(t, a); got != ReasonMalformed {
			t.Errorf("refused because %q", got)
		}
	}
}

func TestSign_UsersOnly(t *testing.T) {
	a, k := startAgent(t, Options{Users: []string{"deploy", "root"}})
	w := dial(t, a)
	if !w.login(k, request{user: "root"}, 0) || !w.login(k, request{user: "deploy"}, 0) {
		t.Fatal(lastReason(t, a))
	}
	wantRefusal(t, a, w, w.login(k, request{user: "git"}, 0), ReasonUser)
	if got, want := a.Counts().String(), "1 signature for deploy, 1 for root, 1 refused"; got != want {
		t.Errorf("counts are %q, want %q", got, want)
	}
}

func TestBind_LoginForTheSessionShown(t *testing.T) {
	host, other := hostSigner(t), hostSigner(t)
	cases := map[string]struct {
		r      request
		reason string
	}{
		"hostbound":                 {request{hostKey: host.PublicKey().Marshal()}, ""},
		"plain":                     {request{}, ""},
		"hostbound to another host": {request{hostKey: other.PublicKey().Marshal()}, ReasonHost},
		"another session":           {request{session: bytes.Repeat([]byte{8}, 32), hostKey: host.PublicKey().Marshal()}, ReasonSession},
		"another session, plain":    {request{session: bytes.Repeat([]byte{8}, 32)}, ReasonSession},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a, k := startAgent(t, Options{})
			w := dial(t, a)
			if got := w.ask(bound(t, host, testSession, false)); got[0] != msgSuccess {
				t.Fatalf("the binding is answered with %d", got[0])
			}
			got := w.login(k, c.r, 0)
			if c.reason != "" {
				wantRefusal(t, a, w, got, c.reason)
				return
			}
			if !got {
				t.Fatal(lastReason(t, a))
			}
			e := a.Events()[0]
			if want := ssh.FingerprintSHA256(host.PublicKey()); e.HostKey != want {
				t.Errorf("the event has host key %q, want %q", e.HostKey, want)
			}
		})
	}
}

func TestBind_Verified(t *testing.T) {
	host, other := hostSigner(t), hostSigner(t)
	good := bound(t, host, testSession, false)
	flipped := bytes.Clone(good)
	flipped[len(flipped)-10] ^= 1
	stranger := bound(t, other, testSession, false)
	forged := appendString([]byte{msgExtension}, bindExtension) // host's key, other's signature
	forged = appendString(forged, host.PublicKey().Marshal())
	c := cursor(stranger[1:])
	_, _ = c.str()
	_, _ = c.str()
	forged = append(forged, c...)
	for name, message := range map[string][]byte{
		"one bit of the signature": flipped,
		"another key's signature":  forged,
		"something behind it":      append(bytes.Clone(good), 0),
		"cut off":                  good[:len(good)-1],
		"forwarding is 2":          append(bytes.Clone(good[:len(good)-1]), 2),
		"short session":            bound(t, host, make([]byte, 19), false),
		"nothing":                  appendString([]byte{msgExtension}, bindExtension),
	} {
		t.Run(name, func(t *testing.T) {
			a, k := startAgent(t, Options{})
			w := dial(t, a)
			if got := w.ask(message); !bytes.Equal(got, []byte{msgExtensionFail}) {
				t.Fatalf("the binding is answered with % x", got)
			}
			wantRefusal(t, a, w, w.login(k, request{}, 0), ReasonBinding)
		})
	}
}

func TestBind_OnceToLogIn(t *testing.T) {
	host, other := hostSigner(t), hostSigner(t)
	second := bytes.Repeat([]byte{9}, 32)
	for name, c := range map[string]struct {
		first, then []byte
		ok          bool
	}{
		"after a login":                  {bound(t, host, testSession, false), bound(t, other, second, false), false},
		"the same, after a login":        {bound(t, host, testSession, false), bound(t, host, testSession, false), false},
		"after a hop":                    {bound(t, host, testSession, true), bound(t, other, second, false), true},
		"the same hop":                   {bound(t, host, testSession, true), bound(t, host, testSession, true), true},
		"another host, the same session": {bound(t, host, testSession, true), bound(t, other, testSession, true), false},
		"the same host, another session": {bound(t, host, testSession, true), bound(t, host, second, true), true},
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := startAgent(t, Options{AllowForwarding: true})
			w := dial(t, a)
			if got := w.ask(c.first); got[0] != msgSuccess {
				t.Fatalf("the first binding is answered with %d", got[0])
			}
			if got := w.ask(c.then); (got[0] == msgSuccess) != c.ok {
				t.Fatalf("the second binding is answered with %d", got[0])
			}
		})
	}
}

func TestBind_NoEndlessPath(t *testing.T) {
	a, k := startAgent(t, Options{AllowForwarding: true})
	w := dial(t, a)
	host := hostSigner(t)
	for i := range longestPath + 1 {
		got := w.ask(bound(t, host, bytes.Repeat([]byte{byte(i)}, 32), true))
		if (got[0] == msgSuccess) != (i < longestPath) {
			t.Fatalf("binding %d is answered with %d", i+1, got[0])
		}
	}
	wantRefusal(t, a, w, w.login(k, request{}, 0), ReasonBinding)
}

func TestForwarding(t *testing.T) {
	hop, target := hostSigner(t), hostSigner(t)
	second := bytes.Repeat([]byte{9}, 32)
	version := appendString([]byte{msgV1List}, "SSH-2.0-Ruby/Net::SSH_7.3.3 x86_64-linux-gnu")
	at := request{session: second, hostKey: target.PublicKey().Marshal()}
	for name, c := range map[string]struct {
		before [][]byte
		login  request
	}{
		"OpenSSH, OpenSSH":     {[][]byte{bound(t, hop, testSession, true), bound(t, target, second, false)}, at},
		"OpenSSH, Net::SSH":    {[][]byte{bound(t, hop, testSession, true), version}, request{session: second}},
		"Net::SSH, OpenSSH":    {[][]byte{version, bound(t, target, second, false)}, at},
		"Net::SSH, no binding": {[][]byte{version}, at},
	} {
		t.Run(name, func(t *testing.T) {
			for _, allowed := range []bool{false, true} {
				a, k := startAgent(t, Options{AllowForwarding: allowed})
				w := dial(t, a)
				for _, m := range c.before {
					w.ask(m)
				}
				got := w.login(k, c.login, 0)
				if got != allowed {
					t.Fatalf("signed is %v with forwarding allowed %v (%s)", got, allowed, lastReason(t, a))
				}
				e := a.Events()[len(a.Events())-1]
				if !e.Forwarded || !allowed && e.Reason != ReasonForwarded {
					t.Errorf("the event is %+v", e)
				}
				if list := w.ask([]byte{msgList}); (list[0] == msgListAnswer) != allowed {
					t.Errorf("a list is answered with %d", list[0])
				}
			}
		})
	}
	t.Run("Net::SSH itself", func(t *testing.T) {
		a, k := startAgent(t, Options{})
		w := dial(t, a)
		if got := w.ask(version); !bytes.Equal(got, []byte{msgV1ListAnswer, 0, 0, 0, 0}) {
			t.Fatalf("the version request is answered with % x", got)
		}
		if !w.login(k, request{}, 0) || a.Events()[0].Forwarded {
			t.Fatalf("%+v", a.Events())
		}
	})
}

func TestHostKeys(t *testing.T) {
	host, other := hostSigner(t), hostSigner(t)
	pins := map[string][]string{
		"fingerprint": {ssh.FingerprintSHA256(host.PublicKey())},
		"public key":  {string(ssh.MarshalAuthorizedKey(host.PublicKey()))},
	}
	for name, pin := range pins {
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct {
				name   string
				before [][]byte
				login  request
				reason string
			}{
				{"pinned, bound", [][]byte{bound(t, host, testSession, false)}, request{hostKey: host.PublicKey().Marshal()}, ""},
				{"pinned, bound, plain", [][]byte{bound(t, host, testSession, false)}, request{}, ""},
				{"pinned, not bound", nil, request{hostKey: host.PublicKey().Marshal()}, ""},
				{"not shown, as by Net::SSH", nil, request{}, ""},
				{"another, bound", [][]byte{bound(t, other, testSession, false)}, request{hostKey: other.PublicKey().Marshal()}, ReasonHostKey},
				{"another, bound, plain", [][]byte{bound(t, other, testSession, false)}, request{}, ReasonHostKey},
				{"another, not bound", nil, request{hostKey: other.PublicKey().Marshal()}, ReasonHostKey},
				{"over another", [][]byte{bound(t, other, testSession, true)}, request{hostKey: host.PublicKey().Marshal()}, ReasonHostKey},
				{"forwarded and not shown", [][]byte{bound(t, host, testSession, true)}, request{}, ReasonHostUnknown},
			} {
				t.Run(c.name, func(t *testing.T) {
					a, k := startAgent(t, Options{HostKeys: pin, AllowForwarding: true})
					w := dial(t, a)
					for _, m := range c.before {
						w.ask(m)
					}
					got := w.login(k, c.login, 0)
					if c.reason != "" {
						wantRefusal(t, a, w, got, c.reason)
					} else if !got {
						t.Fatal(lastReason(t, a))
					}
				})
			}
		})
	}
}

func TestHostKeys_Certificate(t *testing.T) {
	host, authority := hostSigner(t), hostSigner(t)
	cert := &ssh.Certificate{Key: host.PublicKey(), CertType: ssh.HostCert, ValidBefore: ssh.CertTimeInfinity}
	check(t, cert.SignCert(rand.Reader, authority))
	signer, err := ssh.NewCertSigner(cert, host)
	check(t, err)
	for name, pin := range map[string]ssh.PublicKey{"key": host.PublicKey(), "authority": authority.PublicKey()} {
		t.Run(name, func(t *testing.T) {
			a, k := startAgent(t, Options{HostKeys: []string{ssh.FingerprintSHA256(pin)}})
			w := dial(t, a)
			if got := w.ask(bound(t, signer, testSession, false)); got[0] != msgSuccess {
				t.Fatalf("the binding is answered with %d", got[0])
			}
			if !w.login(k, request{hostKey: cert.Marshal()}, 0) {
				t.Fatal(lastReason(t, a))
			}
		})
	}
}

func TestCertificates(t *testing.T) {
	for _, kind := range []string{ed, rsa2k} {
		t.Run(kind, func(t *testing.T) {
			k := makeKey(t, kind)
			cert := &ssh.Certificate{Key: k.Public(), CertType: ssh.UserCert, ValidPrincipals: []string{"root"}, ValidBefore: ssh.CertTimeInfinity}
			check(t, cert.SignCert(rand.Reader, hostSigner(t)))
			check(t, k.Certify(ssh.MarshalAuthorizedKey(cert)))
			a, _ := startAgent(t, Options{Keys: []*Key{k}})
			w := dial(t, a)
			list := cursor(w.ask([]byte{msgList})[1:])
			n, _ := list.u32()
			first, _ := list.str()
			if n != 2 || !bytes.Equal(first, cert.Marshal()) {
				t.Fatalf("%d identities, the first is not the certificate", n)
			}
			algorithm, flags := cert.Type(), uint32(0)
			if kind == rsa2k {
				algorithm, flags = ssh.CertAlgoRSASHA512v01, flagSHA512
			}
			if !w.signed(k, cert.Marshal(), request{key: cert.Marshal(), algorithm: algorithm}.data(k), flags) {
				t.Fatal(lastReason(t, a))
			}
			if !w.login(k, request{key: cert.Marshal(), algorithm: algorithm}, flags) { // as OpenSSH's ssh asks
				t.Fatal(lastReason(t, a))
			}
			wantRefusal(t, a, w, w.signed(k, cert.Marshal(), request{algorithm: algorithm}.data(k), flags), ReasonOtherKey)
			// Of a file of the client's own.
			other := *cert
			check(t, other.SignCert(rand.Reader, hostSigner(t)))
			if !w.login(k, request{key: other.Marshal(), algorithm: algorithm}, flags) {
				t.Fatal(lastReason(t, a))
			}
			hosts := other
			hosts.CertType = ssh.HostCert
			check(t, hosts.SignCert(rand.Reader, hostSigner(t)))
			wantRefusal(t, a, w, w.login(k, request{key: hosts.Marshal(), algorithm: algorithm}, flags), ReasonOtherKey)
			strangers := other
			strangers.Key = makeKey(t, ed).Public()
			check(t, strangers.SignCert(rand.Reader, hostSigner(t)))
			wantRefusal(t, a, w, w.login(k, request{key: strangers.Marshal(), algorithm: algorithm}, flags), ReasonOtherKey)
			if kind == rsa2k {
				wantRefusal(t, a, w, w.signed(k, cert.Marshal(), request{key: cert.Marshal(), algorithm: ssh.CertAlgoRSAv01}.data(k), 0), ReasonSHA1)
			}
		})
	}
}
