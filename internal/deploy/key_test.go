package deploy

import (
	"crypto/rand"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/testkit"
	"github.com/kamal-op/kamal-op/mask"
	"github.com/kamal-op/kamal-op/sshagent"
)

// keyText is a new key and its public half.
func keyText(t *testing.T, passphrase string) (private string, public ssh.PublicKey) {
	t.Helper()
	private, signer := testkit.SSHKey(t, passphrase)
	return private, signer.PublicKey()
}

// certified is a certificate of a key, as a -cert.pub file has it.
func certified(t *testing.T, key ssh.PublicKey, change func(*ssh.Certificate)) string {
	t.Helper()
	_, authority := testkit.SSHKey(t, "")
	c := &ssh.Certificate{Key: key, CertType: ssh.UserCert, ValidBefore: ssh.CertTimeInfinity}
	if change != nil {
		change(c)
	}
	ok(t, c.SignCert(rand.Reader, authority))
	return string(ssh.MarshalAuthorizedKey(c))
}

func line(key ssh.PublicKey) string { return string(ssh.MarshalAuthorizedKey(key)) }

// A certificate of the key is used, wherever it is in the item, or refused by name.
func TestParseKey_Certificates(t *testing.T) {
	private, public := keyText(t, "")
	_, stranger := keyText(t, "")
	certificate := certified(t, public, nil)
	for name, c := range map[string]struct {
		item onepassword.SSHKey
		used bool
		says string
	}{
		"none":                          {item: onepassword.SSHKey{Public: line(public)}},
		"beside it":                     {onepassword.SSHKey{Certificate: certificate}, true, ""},
		"as its public key":             {onepassword.SSHKey{Public: certificate}, true, ""},
		"with its public key":           {onepassword.SSHKey{Public: line(public) + certificate}, true, ""},
		"in its field":                  {onepassword.SSHKey{Private: mask.NewSecret("", private+certificate)}, true, ""},
		"in its field, before it, CRLF": {onepassword.SSHKey{Private: mask.NewSecret("", strings.ReplaceAll(certificate+private, "\n", "\r\n"))}, true, ""},
		"an X.509 one":                  {item: onepassword.SSHKey{Certificate: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"}},
		"of another key":                {onepassword.SSHKey{Certificate: certified(t, stranger, nil)}, false, "the SSH certificate in op://V/I does not belong to the private key"},
		"of a host": {
			onepassword.SSHKey{Certificate: certified(t, public, func(c *ssh.Certificate) { c.CertType = ssh.HostCert })},
			false,
			"the SSH certificate in op://V/I is the certificate of a host",
		},
		"expired": {
			onepassword.SSHKey{Certificate: certified(t, public, func(c *ssh.Certificate) { c.ValidBefore = 1 })},
			false,
			"the SSH certificate in op://V/I is a certificate that has expired",
		},
		"nothing else":         {onepassword.SSHKey{Private: mask.NewSecret("", certificate)}, false, "SSH_KEY in op://V/I is an SSH certificate"},
		"another public key":   {onepassword.SSHKey{Public: certificate + line(stranger)}, false, "SSH_KEY in op://V/I does not belong"},
		"something else in it": {onepassword.SSHKey{Certificate: "yes"}, false, "is not an SSH certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			c.item.Ref = onepassword.Reference{Vault: "V", Item: "I", Field: "SSH_KEY"}
			if c.item.Private.Reveal() == "" {
				c.item.Private = mask.NewSecret("", private)
			}
			key, err := parseKey(c.item, Value{}, mask.Secret{}, Value{})
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v", err)
				}
				return
			}
			ok(t, err)
			if _, is := key.Signer().PublicKey().(*ssh.Certificate); is != c.used {
				t.Errorf("used: %v", is)
			}
		})
	}
}

// --ssh-certificate finds its key among several; one that is of none is told.
func TestCertify(t *testing.T) {
	var s resources
	var publics []ssh.PublicKey
	for range 3 {
		text, public := keyText(t, "")
		key, err := sshagent.ParseKey([]byte(text), nil)
		ok(t, err)
		s.keys, publics = append(s.keys, key), append(publics, public)
	}
	_, stranger := keyText(t, "")
	if problems := s.certify(t.Context(), []Certificate{{Text: certified(t, publics[2], nil), From: "--ssh-certificate"}}); len(problems) > 0 {
		t.Error(problems)
	}
	for i, key := range s.keys {
		if _, is := key.Signer().PublicKey().(*ssh.Certificate); is != (i == 2) {
			t.Errorf("key %d has a certificate: %v", i, is)
		}
	}
	problems := s.certify(t.Context(), []Certificate{
		{Text: certified(t, stranger, nil), From: "--ssh-certificate"}, {Text: "/home/me/id-cert.pub", From: "KAMAL_OP_SSH_CERTIFICATE:2"},
	})
	if len(problems) != 2 || problems[0].Message != "--ssh-certificate does not belong to the private key" ||
		problems[1].Message != "KAMAL_OP_SSH_CERTIFICATE:2 is not an SSH certificate" {
		t.Errorf("%v", problems)
	}
}

// A passphrase with a line break at its end is told as what it is.
func TestParseKey_Passphrases(t *testing.T) {
	private, _ := keyText(t, "right")
	ref := onepassword.Reference{Vault: "V", Item: "I", Field: "passphrase"}
	for passphrase, says := range map[string]string{
		"right": "", "right\n": "the passphrase in op://V/I/passphrase ends with a line break", "right\r\n": "ends with a line break",
		"wrong": "does not open with this passphrase", "wrong\n": "does not open with this passphrase", "": "is protected by a passphrase",
	} {
		item := onepassword.SSHKey{Ref: onepassword.Reference{Vault: "V", Item: "I", Field: "SSH_KEY"}, Private: mask.NewSecret("", private)}
		_, err := parseKey(item, Value{}, mask.NewSecret("", passphrase), Value{Ref: ref})
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", passphrase, err)
		}
		if err != nil && problem.Of(err)[0].Hint == "" {
			t.Errorf("%q: no hint", passphrase)
		}
	}
}
