package onepassword_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/onepassword"
)

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// TestTOTP: the codes of RFC 6238, appendix B.
func TestTOTP(t *testing.T) {
	const (
		s1   = "otpauth://totp/a?digits=8&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
		s256 = "otpauth://totp/a?digits=8&algorithm=SHA256&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA"
		s512 = "otpauth://totp/a?digits=8&algorithm=sha-512&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNA"
	)
	for _, test := range []struct {
		uri  string
		at   int64
		want string
	}{
		{s1, 59, "94287082"},
		{s256, 59, "46119246"},
		{s512, 59, "90693936"},
		{s1, 1111111109, "07081804"},
		{s256, 1111111109, "68084774"},
		{s512, 1111111109, "25091201"},
		{s1, 20000000000, "65353130"},
		{s256, 20000000000, "77737706"},
		{s512, 20000000000, "47863826"},
		{"gezd gnbv gy3t qojq gezd gnbv gy3t qojq", 59, "287082"},
		{"otpauth://totp/a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ%3D%3D&period=60", 60, "287082"},
	} {
		if got, err := onepassword.TOTP(test.uri, time.Unix(test.at, 0)); err != nil || got != test.want {
			t.Errorf("at %d: %s, %v, want %s", test.at, got, err, test.want)
		}
	}
	for _, wrong := range []string{
		"", "not base32!", "otpauth://hotp/a?secret=GEZDGNBV", "otpauth://totp/a", "otpauth://totp/a?secret=GEZDGNBV&digits=20",
		"otpauth://totp/a?secret=GEZDGNBV&digits=x", "otpauth://totp/a?secret=GEZDGNBV&period=0", "otpauth://totp/a?secret=GEZDGNBV&algorithm=MD5", "otpauth://%zz",
	} {
		if got, err := onepassword.TOTP(wrong, time.Unix(0, 0)); err == nil {
			t.Errorf("%q gives %s", wrong, got)
		} else if strings.Contains(err.Error(), "GEZDGNBV") {
			t.Errorf("%q: the secret stands in %v", wrong, err)
		}
	}
}

// TestOpenSSH: x/crypto reads back what we write, of every kind of key.
func TestOpenSSH(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	keys := []any{ed, rsaKey}
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	for _, key := range keys {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		text, err := onepassword.OpenSSH(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
		if err != nil {
			t.Errorf("%T: %v", key, err)
			continue
		}
		got, err := ssh.ParseRawPrivateKey([]byte(text))
		if p, ok := got.(*ed25519.PrivateKey); ok {
			got = *p
		}
		want, ok := key.(interface {
			Equal(other crypto.PrivateKey) bool
		})
		if err != nil || !ok || !want.Equal(got) {
			t.Errorf("%T came back as %T: %v", key, got, err)
		}
		if again, err := onepassword.OpenSSH(text); err != nil || again != text {
			t.Errorf("%T: what is in the format is changed: %v", key, err)
		}
	}
	for _, wrong := range []string{"", "no PEM", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if _, err := onepassword.OpenSSH(wrong); err == nil {
			t.Errorf("%q passes", wrong)
		}
	}
}
