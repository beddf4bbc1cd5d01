package sshagent

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"

	"golang.org/x/crypto/ssh"
)

const (
	// longestText is far above the largest key, RSA with 16384 bits.
	longestText = 256 << 10
	// shortestRSA is what OpenSSH asks for by its own tools (1024 is its floor,
	// 3072 its default), and what current cloud images enforce.
	shortestRSA = 2048
)

// ParseKey reads a private key in any of the formats OPENSSH, PKCS#1, PKCS#8 and
// SEC1; passphrase is used only where the key is encrypted, and may be nil. What
// is wrong only by white space, or by the way the text was packed, is repaired,
// see [Key.Repairs]. A key that is read was also tested: its halves belong
// together, and what it signs verifies. ParseKey cannot know a key that was
// damaged into another valid one, see [Key.Check].
//
// It clears both slices before it returns, and the copies it made of them. It
// cannot clear the copies that Go's own cryptography makes of a private key, nor
// what the garbage collector has moved: some stay in the process's memory until
// they happen to be overwritten.
//
// An error is a *KeyError and never holds a byte of the input.
func ParseKey(text, passphrase []byte) (*Key, error) {
	defer clear(text)
	defer clear(passphrase)
	if len(text) > longestText {
		return nil, keyError(TooLong)
	}
	tidied, repairs := tidy(text)
	defer func() { clear(tidied) }()
	if !bytes.Contains(tidied, beginMark) {
		if inner, ok := unwrapped(tidied); ok {
			again, more := tidy(inner)
			clear(inner)
			clear(tidied)
			tidied = again
			repairs = append(append(repairs, repairBase64), more...)
		}
	}
	blocks, wrong := blocksOf(tidied)
	defer func() {
		for _, b := range blocks {
			clear(b.body)
		}
	}()
	var private []block
	for _, b := range blocks {
		if b.private() {
			private = append(private, b)
		}
	}
	switch {
	case len(private) > 1:
		return nil, keyError(SeveralKeys)
	case wrong != "" && (len(private) > 0 || len(blocks) == 0):
		return nil, keyError(wrong)
	case len(private) == 0:
		return nil, diagnose(tidied, blocks)
	}
	b := private[0]
	key, wrong := parseBlock(&b, passphrase)
	if wrong != "" {
		return nil, keyError(wrong)
	}
	key.repairs = slices.Compact(append(repairs, b.repairs...))
	return key, nil
}

// parseBlock reads one block and tests the key in it.
func parseBlock(b *block, passphrase []byte) (*Key, KeyErrorKind) {
	var comment string
	var public []byte // as it stands beside the private half, if it does
	switch b.label {
	case "OPENSSH PRIVATE KEY":
		c, ok := parseContainer(b.body)
		if !ok {
			return nil, Damaged
		}
		if wrong := c.wrong(passphrase); wrong != "" {
			return nil, wrong
		}
		if c.cipher == "none" {
			passphrase = nil
		}
		comment, public = c.comment(), c.public
	case "ENCRYPTED PRIVATE KEY":
		plain, wrong := openPKCS8(b.body, passphrase)
		if wrong != "" {
			return nil, wrong
		}
		defer clear(plain)
		key, wrong := parseBlock(&block{label: "PRIVATE KEY", body: plain}, nil)
		if wrong == Damaged { // noise that happened to end like padding
			wrong = WrongPassphrase
		}
		return key, wrong
	case "RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY":
		if b.headers == nil {
			passphrase = nil
		} else if len(passphrase) == 0 {
			return nil, Encrypted
		}
	case "DSA PRIVATE KEY":
		return nil, DSA
	default:
		return nil, Unsupported
	}
	raw, wrong := parseRaw(b, passphrase)
	if wrong != "" {
		return nil, wrong
	}
	key, wrong := newKey(raw)
	if wrong != "" {
		return nil, wrong
	}
	if public != nil && !bytes.Equal(public, key.Public().Marshal()) {
		return nil, HalvesDiffer
	}
	key.comment = comment
	return key, ""
}

func parseRaw(b *block, passphrase []byte) (any, KeyErrorKind) {
	text := b.encode()
	defer clear(text)
	if text == nil {
		return nil, Damaged
	}
	var raw any
	var err error
	if len(passphrase) > 0 {
		raw, err = ssh.ParseRawPrivateKeyWithPassphrase(text, passphrase)
	} else {
		raw, err = ssh.ParseRawPrivateKey(text)
	}
	switch {
	case err == nil:
		return raw, sec1Wrong(b, raw)
	case errors.Is(err, x509.IncorrectPasswordError), b.headers != nil:
		return nil, WrongPassphrase
	case b.label == "PRIVATE KEY", b.label == "EC PRIVATE KEY":
		return nil, kindOfDER(b.body)
	}
	return nil, Damaged
}

// kindOfDER tells a key that is damaged from one that Go does not know, by the
// algorithm that it names.
func kindOfDER(der []byte) KeyErrorKind {
	var p struct {
		Version   int
		Algorithm struct {
			ID         asn1.ObjectIdentifier
			Parameters asn1.RawValue `asn1:"optional"`
		}
		Key []byte
	}
	if _, err := asn1.Unmarshal(der, &p); err != nil {
		var s sec1
		if _, err := asn1.Unmarshal(der, &s); err == nil && len(s.Curve) > 0 && !knownCurve(s.Curve) {
			return Unsupported
		}
		return Damaged
	}
	id := p.Algorithm.ID
	var curve asn1.ObjectIdentifier
	switch {
	case id.Equal(asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1}):
		return DSA
	case id.Equal(asn1.ObjectIdentifier{1, 3, 101, 110}), id.Equal(asn1.ObjectIdentifier{1, 3, 101, 111}):
		return X25519 // or X448, which is as little use
	case id.Equal(asn1.ObjectIdentifier{1, 3, 101, 112}), id.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}):
		return Damaged
	case id.Equal(asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}):
		if _, err := asn1.Unmarshal(p.Algorithm.Parameters.FullBytes, &curve); err != nil || knownCurve(curve) {
			return Damaged
		}
	}
	return Unsupported
}

func knownCurve(oid asn1.ObjectIdentifier) bool {
	return oid.Equal(asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}) ||
		oid.Equal(asn1.ObjectIdentifier{1, 3, 132, 0, 34}) || oid.Equal(asn1.ObjectIdentifier{1, 3, 132, 0, 35})
}

// sec1 is RFC 5915's ECPrivateKey.
type sec1 struct {
	Version int
	Private []byte
	Curve   asn1.ObjectIdentifier `asn1:"optional,explicit,tag:0"`
	Public  asn1.BitString        `asn1:"optional,explicit,tag:1"`
}

// sec1Wrong holds an ECDSA key against the public half in its own text, which
// Go's reader passes over.
func sec1Wrong(b *block, raw any) KeyErrorKind {
	private, ok := raw.(*ecdsa.PrivateKey)
	if !ok || b.headers != nil || b.label == "OPENSSH PRIVATE KEY" {
		return ""
	}
	der := b.body
	if b.label == "PRIVATE KEY" {
		var p struct {
			Version   int
			Algorithm asn1.RawValue
			Key       []byte
		}
		if _, err := asn1.Unmarshal(der, &p); err != nil {
			return Damaged
		}
		der = p.Key
	}
	var s sec1
	if _, err := asn1.Unmarshal(der, &s); err != nil {
		return Damaged
	}
	if len(s.Public.Bytes) == 0 || s.Public.Bytes[0] != 4 { // none, or compressed
		return ""
	}
	public, err := private.PublicKey.Bytes()
	if err != nil {
		return Unsupported
	}
	if !bytes.Equal(public, s.Public.Bytes) {
		return HalvesDiffer
	}
	return ""
}

// newKey makes a Key of what a file held, and tests it.
func newKey(raw any) (*Key, KeyErrorKind) {
	switch k := raw.(type) {
	case *ed25519.PrivateKey:
		raw = *k
	case *rsa.PrivateKey:
		if k.N.BitLen() < shortestRSA {
			return nil, ShortRSA
		}
	}
	switch k := raw.(type) {
	case ed25519.PrivateKey:
		if !bytes.Equal(ed25519.NewKeyFromSeed(k.Seed()), k) {
			return nil, HalvesDiffer
		}
	case *rsa.PrivateKey, *ecdsa.PrivateKey:
	case *ecdh.PrivateKey:
		return nil, X25519
	default:
		return nil, Unsupported
	}
	s, err := ssh.NewSignerFromKey(raw)
	if err != nil {
		return nil, Unsupported // the curve P-224
	}
	signer, ok := s.(ssh.AlgorithmSigner)
	if !ok {
		return nil, Unsupported
	}
	if !signs(signer) {
		return nil, HalvesDiffer
	}
	return &Key{signer: signer}, ""
}

// signs tries the key on a text that is no login.
func signs(s ssh.AlgorithmSigner) bool {
	algorithm := s.PublicKey().Type()
	if algorithm == ssh.KeyAlgoRSA {
		algorithm = ssh.KeyAlgoRSASHA512
	}
	test := []byte("a test of the key, signed by the process that holds it")
	sig, err := s.SignWithAlgorithm(rand.Reader, test, algorithm)
	return err == nil && s.PublicKey().Verify(test, sig) == nil
}
