package onepassword

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"math/big"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// openSSH gives a PKCS#8 private key in OpenSSH's own format, as 1Password's
// clients do for ?ssh-format=openssh. What is in that format already stays as it
// is. PROTOCOL.key of OpenSSH describes the format.
func openSSH(text string) (string, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return "", problem.New("the private key is not PEM", "make the SSH Key item again in 1Password").About(problem.UnusableKey)
	}
	if block.Type == "OPENSSH PRIVATE KEY" {
		return text, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return "", problem.New("the private key is malformed", "make the SSH Key item again in 1Password").About(problem.UnusableKey)
	}
	public, private, err := halves(parsed)
	if err != nil {
		return "", err
	}
	var check [4]byte
	if _, err := rand.Read(check[:]); err != nil {
		return "", err
	}
	var inner sshWriter
	inner.Write(check[:])
	inner.Write(check[:])
	inner.Write(private.Bytes())
	inner.string("") // comment
	for n := byte(1); inner.Len()%8 != 0; n++ {
		inner.WriteByte(n)
	}
	var out sshWriter
	out.WriteString("openssh-key-v1\x00")
	out.string("none")
	out.string("none")
	out.string("")
	out.Write([]byte{0, 0, 0, 1})
	out.bytes(public.Bytes())
	out.bytes(inner.Bytes())
	return string(pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: out.Bytes()})), nil
}

// sshWriter writes RFC 4251's data types.
type sshWriter struct{ bytes.Buffer }

func (w *sshWriter) bytes(b []byte) {
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(b)))
	w.Write(length[:])
	w.Write(b)
}

func (w *sshWriter) string(s string) { w.bytes([]byte(s)) }

func (w *sshWriter) integer(n *big.Int) {
	b := n.Bytes()
	if len(b) > 0 && b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	w.bytes(b)
}

// halves writes both halves of a key as OpenSSH does.
func halves(key any) (public, private sshWriter, err error) {
	switch key := key.(type) {
	case ed25519.PrivateKey:
		half := key.Public().(ed25519.PublicKey)
		public.string("ssh-ed25519")
		public.bytes(half)
		private.string("ssh-ed25519")
		private.bytes(half)
		private.bytes(key)
	case *rsa.PrivateKey:
		e := big.NewInt(int64(key.E))
		public.string("ssh-rsa")
		public.integer(e)
		public.integer(key.N)
		private.string("ssh-rsa")
		private.integer(key.N)
		private.integer(e)
		private.integer(key.D)
		private.integer(new(big.Int).ModInverse(key.Primes[1], key.Primes[0]))
		private.integer(key.Primes[0])
		private.integer(key.Primes[1])
	case *ecdsa.PrivateKey:
		curve := map[string]string{"P-256": "nistp256", "P-384": "nistp384", "P-521": "nistp521"}[key.Curve.Params().Name]
		point, err := key.PublicKey.Bytes()
		if err != nil || curve == "" {
			return public, private, problem.New("the private key is on a curve that OpenSSH does not have", "make an ed25519 key").About(problem.UnusableKey)
		}
		scalar, err := key.Bytes()
		if err != nil {
			return public, private, problem.New("the private key is malformed", "make the SSH Key item again in 1Password").About(problem.UnusableKey)
		}
		public.string("ecdsa-sha2-" + curve)
		public.string(curve)
		public.bytes(point)
		private.string("ecdsa-sha2-" + curve)
		private.string(curve)
		private.bytes(point)
		private.integer(new(big.Int).SetBytes(scalar))
	default:
		return public, private, problem.New("the private key is of a kind that OpenSSH does not have", "make an ed25519 key").About(problem.UnusableKey)
	}
	return public, private, nil
}
