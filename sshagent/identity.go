package sshagent

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"

	"golang.org/x/crypto/ssh"
)

// An identity is one public key or certificate that the agent offers.
type identity struct {
	blob        []byte
	kind        string // the key's type, as ssh-ed25519 or ssh-rsa-cert-v01@openssh.com
	fingerprint string // of the plain key, also for a certificate
	comment     string
	signer      ssh.AlgorithmSigner

	// cert is the plain key's certificate, if the agent holds one. OpenSSH's
	// ssh asks the plain key to sign a login with the certificate.
	cert *identity
}

// identitiesOf are what a client is offered, in order: a key's certificate
// before the key, since servers limit how many are tried.
func identitiesOf(keys []*Key) []*identity {
	var ids []*identity
	seen := make(map[string]bool)
	add := func(k *Key, pub ssh.PublicKey) *identity {
		id := &identity{
			blob: pub.Marshal(), kind: pub.Type(), fingerprint: k.Fingerprint(),
			comment: k.comment, signer: k.signer,
		}
		if !seen[string(id.blob)] {
			seen[string(id.blob)] = true
			ids = append(ids, id)
		}
		return id
	}
	for _, k := range keys {
		var cert *identity
		if k.cert != nil {
			cert = add(k, k.cert.PublicKey())
		}
		add(k, k.Public()).cert = cert
	}
	return ids
}

// named is the identity that a login names, which is asked to sign it: itself, or
// a certificate of its key, be it the agent's or one that the client has in a file
// (CertificateFile). It is nil where the login names another.
func (id *identity) named(key []byte) *identity {
	switch {
	case bytes.Equal(key, id.blob):
		return id
	case id.cert != nil && bytes.Equal(key, id.cert.blob):
		return id.cert
	}
	public, err := ssh.ParsePublicKey(key)
	if err != nil {
		return nil
	}
	cert, ok := public.(*ssh.Certificate)
	if !ok || cert.CertType != ssh.UserCert || !bytes.Equal(cert.Key.Marshal(), id.blob) {
		return nil
	}
	return &identity{blob: key, kind: cert.Type(), fingerprint: id.fingerprint, comment: id.comment, signer: id.signer}
}

// listAnswer is the frame that answers a list request.
func listAnswer(ids []*identity) []byte {
	b := append(make([]byte, 4, 512), msgListAnswer)
	b = binary.BigEndian.AppendUint32(b, uint32(len(ids)))
	for _, id := range ids {
		b = appendString(b, id.blob)
		b = appendString(b, id.comment)
	}
	return frame(b)
}

// The flags of a sign request. Both choose the hash of an RSA signature and mean
// nothing for other keys.
const (
	flagSHA256 = 2
	flagSHA512 = 4
)

// algorithm is the signature's algorithm that the flags ask of this identity,
// and the name that a login made with it bears. Empty strings: none that the
// agent makes. A signature over SHA-1, which is what no flags mean for RSA, is
// never made.
func (id *identity) algorithm(flags uint32) (signature, login string) {
	if flags&^(flagSHA256|flagSHA512) != 0 {
		return "", ""
	}
	switch id.kind {
	case ssh.KeyAlgoRSA, ssh.CertAlgoRSAv01:
		switch flags {
		case flagSHA256:
			signature, login = ssh.KeyAlgoRSASHA256, ssh.CertAlgoRSASHA256v01
		case flagSHA512:
			signature, login = ssh.KeyAlgoRSASHA512, ssh.CertAlgoRSASHA512v01
		}
		if id.kind == ssh.KeyAlgoRSA {
			login = signature
		}
		return signature, login
	}
	return id.signer.PublicKey().Type(), id.kind
}

// sign appends the frame that answers a sign request.
func (id *identity) sign(b, data []byte, algorithm string) ([]byte, error) {
	sig, err := id.signer.SignWithAlgorithm(rand.Reader, data, algorithm)
	if err != nil {
		return nil, err
	}
	b = append(b, 0, 0, 0, 0, msgSignAnswer)
	b = binary.BigEndian.AppendUint32(b, uint32(4+len(sig.Format)+4+len(sig.Blob)))
	b = appendString(b, sig.Format)
	b = appendString(b, sig.Blob)
	return frame(b), nil
}
