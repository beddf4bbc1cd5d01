package sshagent

import (
	"strings"
)

const (
	containerMagic = "openssh-key-v1\x00"
	// mostRounds bounds the time that opening a key takes, some 10 s; the file
	// names the number. ssh-keygen's default is 24, and people give it 100.
	mostRounds = 1000
)

// A container is the outside of an OPENSSH private key (OpenSSH's PROTOCOL.key):
// what can be known of it without its passphrase.
type container struct {
	cipher  string
	rounds  uint32
	keys    uint32
	public  []byte // the public half's blob
	kind    string // its type
	private []byte // the private half, encrypted unless the cipher is none
}

func parseContainer(der []byte) (container, bool) {
	var k container
	body, ok := strings.CutPrefix(string(der[:min(len(der), len(containerMagic))]), containerMagic)
	if !ok || body != "" {
		return k, false
	}
	c := cursor(der[len(containerMagic):])
	cipher, ok1 := c.str()
	_, ok2 := c.str() // the way from passphrase to key: none or bcrypt
	options, ok3 := c.str()
	keys, ok4 := c.u32()
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return k, false
	}
	k.cipher, k.keys = string(cipher), keys
	if o := cursor(options); len(options) > 0 {
		_, ok1 = o.str() // salt
		k.rounds, ok2 = o.u32()
		if !ok1 || !ok2 {
			return k, false
		}
	}
	if keys != 1 {
		return k, true
	}
	if k.public, ok1 = c.str(); !ok1 {
		return k, false
	}
	if k.private, ok1 = c.str(); !ok1 {
		return k, false
	}
	p := cursor(k.public)
	kind, ok1 := p.str()
	k.kind = string(kind)
	return k, ok1
}

// comment is the comment inside an unencrypted container; empty where there is
// none that can be shown.
func (k *container) comment() string {
	if k.cipher != "none" {
		return ""
	}
	c := cursor(k.private)
	c.u32()
	c.u32() // twice the same number, to tell a wrong passphrase
	if _, ok := c.str(); !ok {
		return ""
	}
	fields := 3 // ecdsa: curve, public, private
	switch k.kind {
	case "ssh-ed25519":
		fields = 2
	case "ssh-rsa":
		fields = 6
	}
	for range fields {
		if _, ok := c.str(); !ok {
			return ""
		}
	}
	comment, ok := c.str()
	if !ok || !plainName(comment) {
		return ""
	}
	return string(comment)
}

// wrong says why the container cannot be used, before its private half is read.
func (k *container) wrong(passphrase []byte) KeyErrorKind {
	switch {
	case k.keys == 0:
		return Damaged
	case k.keys > 1:
		return SeveralKeys
	case strings.HasPrefix(k.kind, "sk-"):
		return SecurityKey
	case k.kind == "ssh-dss":
		return DSA
	case k.kind != "ssh-ed25519" && k.kind != "ssh-rsa" && !strings.HasPrefix(k.kind, "ecdsa-sha2-nistp"):
		return Unsupported
	case k.cipher == "none":
		return ""
	case len(passphrase) == 0:
		return Encrypted
	case k.cipher != "aes256-ctr" && k.cipher != "aes256-cbc":
		return Cipher
	case k.rounds > mostRounds:
		return SlowPassphrase
	}
	return ""
}
