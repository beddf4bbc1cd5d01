package sshagent

import (
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// A Key is a private key that was parsed and tested. It prints as its
// fingerprint.
type Key struct {
	signer  ssh.AlgorithmSigner // of the plain public key, also where there is a certificate
	cert    ssh.Signer          // of the certificate; nil without one
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
			return keyError(NotPublic)
		}
		if string(other.Marshal()) == string(pub.Marshal()) {
			return nil
		}
	}
	return keyError(Mismatch)
}

// Certify adds the certificate (the text of a -cert.pub file) that belongs to
// the key; the agent then offers it before the key itself. Call it before Start.
func (k *Key) Certify(certificate []byte) error {
	pub, _, _, _, err := ssh.ParseAuthorizedKey(certificate)
	if err != nil {
		return keyError(NotCertificate)
	}
	cert, ok := pub.(*ssh.Certificate)
	switch {
	case !ok:
		return keyError(NotCertificate)
	case cert.CertType != ssh.UserCert:
		return keyError(HostCertificate)
	case cert.ValidBefore != ssh.CertTimeInfinity && uint64(time.Now().Unix()) >= cert.ValidBefore:
		return keyError(Expired)
	}
	signer, err := ssh.NewCertSigner(cert, k.signer)
	if err != nil {
		return keyError(Mismatch)
	}
	k.cert = signer
	return nil
}
