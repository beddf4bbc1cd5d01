package sshagent

import (
	"crypto"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// A Key is a private key that was parsed and tested. It prints as its
// fingerprint.
type Key struct {
	signer  ssh.Signer // of the plain public key, also where there is a certificate
	cert    ssh.Signer // of the certificate; nil without one
	comment string
	repairs []string
}

// Fingerprint is the SHA-256 fingerprint as OpenSSH writes it, SHA256:….
func (k *Key) Fingerprint() string { return ssh.FingerprintSHA256(k.signer.PublicKey()) }

// Public is the public half.
func (k *Key) Public() ssh.PublicKey { return k.signer.PublicKey() }

// Signer signs with the key itself, for a client inside this process; it is
// bound by none of the agent's rules. Where the key has a certificate, it is
// the certificate's.
func (k *Key) Signer() ssh.Signer {
	if k.cert != nil {
		return k.cert
	}
	return k.signer
}

// Comment is the comment that the key file carried, if any.
func (k *Key) Comment() string { return k.comment }

// Repairs says, a line each, what was mended in the text before it parsed.
// All of it is white space; none of it holds a byte of the text.
func (k *Key) Repairs() []string { return append([]string(nil), k.repairs...) }

// String is the fingerprint.
func (k *Key) String() string { return k.Fingerprint() }

// GoString is the fingerprint too, so that %#v prints no key.
func (k *Key) GoString() string { return k.Fingerprint() }

// Check compares the key with its public half as it is written elsewhere: a
// public key (as in authorized_keys), or a fingerprint (SHA256:… or MD5). It is
// a *KeyError of kind Mismatch where the two differ, and of kind NotPublic where
// the text is neither.
func (k *Key) Check(publicOrFingerprint string) error {
	text := strings.TrimSpace(publicOrFingerprint)
	pub := k.Public()
	switch {
	case strings.HasPrefix(text, "SHA256:"):
		if strings.TrimRight(text, "=") == ssh.FingerprintSHA256(pub) {
			return nil
		}
	case ssh.FingerprintLegacyMD5(pub) == strings.ToLower(strings.TrimPrefix(text, "MD5:")):
		return nil
	default:
		other, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
		if err != nil {
			return &KeyError{Kind: NotPublic, Message: "is neither a public key nor a fingerprint"}
		}
		if string(other.Marshal()) == string(pub.Marshal()) {
			return nil
		}
	}
	return &KeyError{Kind: Mismatch, Message: "does not belong to the private key"}
}

// Certify adds the certificate (the text of a -cert.pub file) that belongs to
// the key; the agent then offers it before the key itself.
func (k *Key) Certify(certificate []byte) error {
	pub, _, _, _, err := ssh.ParseAuthorizedKey(certificate)
	if err != nil {
		return &KeyError{Kind: NotCertificate, Message: "is not an SSH certificate"}
	}
	cert, ok := pub.(*ssh.Certificate)
	if !ok {
		return &KeyError{Kind: NotCertificate, Message: "is not an SSH certificate"}
	}
	signer, err := ssh.NewCertSigner(cert, k.signer)
	if err != nil {
		return &KeyError{Kind: Mismatch, Message: "does not belong to the private key"}
	}
	k.cert = signer
	return nil
}

// ParseKey reads a private key in any of the formats OPENSSH, PKCS#1, PKCS#8 and
// SEC1; passphrase is used only where the key is encrypted, and may be nil. What
// is wrong only by white space is repaired, see [Key.Repairs].
//
// It clears both slices before it returns. An error is a *KeyError and never
// holds a byte of the input.
func ParseKey(text, passphrase []byte) (*Key, error) {
	defer clear(text)
	defer clear(passphrase)
	var raw any
	var err error
	if len(passphrase) > 0 {
		raw, err = ssh.ParseRawPrivateKeyWithPassphrase(text, passphrase)
	} else {
		raw, err = ssh.ParseRawPrivateKey(text)
	}
	var missing *ssh.PassphraseMissingError
	if errors.As(err, &missing) {
		return nil, &KeyError{Kind: Encrypted, Message: "is protected by a passphrase", Hint: "give the passphrase too"}
	}
	if err != nil {
		return nil, &KeyError{Kind: NotKey, Message: "is not a private key"}
	}
	private, ok := raw.(crypto.Signer)
	if !ok {
		return nil, &KeyError{Kind: NotKey, Message: fmt.Sprintf("is a %T, which cannot sign", raw)}
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return nil, &KeyError{Kind: NotKey, Message: "is a key of a kind that SSH does not know"}
	}
	return &Key{signer: signer}, nil
}
