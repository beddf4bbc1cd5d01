package doctor

import (
	"crypto/dsa" //nolint:staticcheck // old keys are such
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/sshagent"
)

// makeKey makes an ed25519 key.
func makeKey(t *testing.T) *sshagent.Key {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	must(t, err)
	key, err := sshagent.ParseKey(pem.EncodeToMemory(block), nil)
	must(t, err)
	return key
}

func TestStrength(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	bits := func(n uint) *rsa.PublicKey {
		modulus := new(big.Int).Lsh(big.NewInt(1), n-1)
		return &rsa.PublicKey{N: modulus.SetBit(modulus, 0, 1), E: 65537}
	}
	parameters := dsa.Parameters{P: new(big.Int).SetBit(big.NewInt(1), 1023, 1), Q: new(big.Int).SetBit(big.NewInt(1), 159, 1), G: big.NewInt(2)}
	for want, public := range map[string]any{
		"well ssh-ed25519":                                    ed,
		"well ecdsa-sha2-nistp256":                            &ec.PublicKey,
		"problem ssh-rsa with 1024 bits, which can be broken": bits(1024),
		"problem ssh-rsa with 2047 bits, which can be broken": bits(2047),
		"notice ssh-rsa with 2048 bits, fewer than 3072":      bits(2048),
		"notice ssh-rsa with 3071 bits, fewer than 3072":      bits(3071),
		"well ssh-rsa with 3072 bits":                         bits(3072),
		"problem a DSA key, which current SSH servers refuse": &dsa.PublicKey{Parameters: parameters, Y: big.NewInt(3)},
	} {
		key, err := ssh.NewPublicKey(public)
		must(t, err)
		f := strength(key, "SHA256:x")
		if got := string(f.State) + " " + f.Text; got != want || (f.State == Well) != (f.Hint == "") {
			t.Errorf("%q, not %q: %q", got, want, f.Hint)
		}
	}
}

func TestValidity(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) uint64 { return uint64(now.Add(d).Unix()) }
	for want, c := range map[string]ssh.Certificate{
		"well its certificate holds for ever":                        {ValidBefore: ssh.CertTimeInfinity},
		"well its certificate holds until 2026-12-15T12:00:00Z":      {ValidBefore: at(15 * 24 * time.Hour)},
		"notice its certificate holds until 2026-12-13T12:00:00Z":    {ValidBefore: at(13 * 24 * time.Hour), ValidAfter: at(-time.Hour)},
		"problem its certificate holds from 2026-11-30T13:00:00Z on": {ValidBefore: ssh.CertTimeInfinity, ValidAfter: at(time.Hour)},
	} {
		f := validity(&c, "SHA256:x", now)
		if got := string(f.State) + " " + f.Text; got != want || (f.State == Well) != (f.Hint == "") {
			t.Errorf("%q, not %q: %q", got, want, f.Hint)
		}
	}
}

func TestCheckKeys(t *testing.T) {
	plain, certified := makeKey(t), makeKey(t)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	authority, err := ssh.NewSignerFromKey(private)
	must(t, err)
	certificate := &ssh.Certificate{Key: certified.Public(), CertType: ssh.UserCert, ValidPrincipals: []string{"root"}, ValidBefore: ssh.CertTimeInfinity}
	must(t, certificate.SignCert(rand.Reader, authority))
	must(t, certified.Certify(ssh.MarshalAuthorizedKey(certificate)))

	both := Login{Keys: []*sshagent.Key{plain, certified}}
	want := []string{
		"well " + plain.Fingerprint() + ": ssh-ed25519",
		"well " + certified.Fingerprint() + ": ssh-ed25519",
		"well " + certified.Fingerprint() + ": its certificate holds for ever",
	}
	if diff := cmp.Diff(want, looked(t, CheckKeys(true, answers(both, nil), time.Now))); diff != "" {
		t.Error(diff)
	}
	ending := &ssh.Certificate{Key: plain.Public(), CertType: ssh.UserCert, ValidPrincipals: []string{"root"}, ValidBefore: uint64(time.Now().Add(24 * time.Hour).Unix())}
	must(t, ending.SignCert(rand.Reader, authority))
	must(t, plain.Certify(ssh.MarshalAuthorizedKey(ending)))
	if got := looked(t, CheckKeys(true, answers(Login{Keys: []*sshagent.Key{plain}}, nil), time.Now)); !holds(got, "notice "+plain.Fingerprint()+": its certificate holds until ") {
		t.Errorf("%q", got)
	}
	unread := answers(Login{}, error(problem.New("SSH_KEY in op://MyApp/Server is a public key", "give the private one")))
	if diff := cmp.Diff([]string{"problem SSH_KEY in op://MyApp/Server is a public key"}, looked(t, CheckKeys(true, unread, time.Now))); diff != "" {
		t.Error(diff)
	}
	if got := looked(t, CheckKeys(false, unread, time.Now)); !holds(got, "notice no SSH key is named") || len(got) != 1 {
		t.Errorf("%q", got)
	}
}
