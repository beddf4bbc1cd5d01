package sshagent

import (
	"bytes"
	"fmt"
	"io"
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

// Plain is as Signer, without the certificate.
func (k *Key) Plain() ssh.Signer { return k.signer }

// Comment is the comment that the key file carried, if any.
func (k *Key) Comment() string { return k.comment }

// Repairs says, a line each, what was mended in the text before it parsed.
// All of it is white space; none of it holds a byte of the text.
func (k *Key) Repairs() []string { return append([]string(nil), k.repairs...) }

// Format writes the fingerprint, whatever the verb, so that no way of printing a
// Key, or what holds one, shows the key.
func (k Key) Format(w fmt.State, _ rune) {
	text := "no key"
	if k.signer != nil {
		text = k.Fingerprint()
	}
	_, _ = io.WriteString(w, text) // who prints gets the error
}

// Check compares the key with its public half as it is written elsewhere: a
// public key (as in authorized_keys), or a fingerprint (SHA256:… or MD5), alone
// or in the line that ssh-keygen -l prints. It is a *KeyError of kind Mismatch
// where the two differ, and of kind NotPublic where the text is neither.
func (k *Key) Check(publicOrFingerprint string) error {
	text := strings.TrimSpace(publicOrFingerprint)
	public := k.Public()
	if fingerprintText().MatchString(text) {
		for word := range strings.FieldsSeq(text) {
			switch sum, md5 := strings.CutPrefix(word, "MD5:"); {
			case strings.HasPrefix(word, "SHA256:"):
				return mismatchUnless(strings.TrimRight(word, "=") == ssh.FingerprintSHA256(public))
			case md5, strings.Contains(word, ":"):
				return mismatchUnless(strings.ToLower(sum) == ssh.FingerprintLegacyMD5(public))
			}
		}
	}
	other, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return keyError(NotPublic)
	}
	return mismatchUnless(bytes.Equal(other.Marshal(), public.Marshal()))
}

func mismatchUnless(same bool) error {
	if same {
		return nil
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
