package doctor

import (
	"context"
	"crypto/rsa"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/hosts"
	"github.com/kamal-op/kamal-op/sshagent"
)

// A Login is what a run logs in to its hosts with.
type Login struct {
	Keys []*sshagent.Key
	Pins *hosts.Pins // the host keys that it accepts; nil accepts any

	PinsUnread bool // some of the host keys that it accepts could not be read
}

// What is told of keys and certificates.
const (
	weakRSA   = 2048 // fewer bits are broken, or will be before the key is replaced
	enoughRSA = 3072 // NIST SP 800-57: 128 bits of security
	soon      = 14 * 24 * time.Hour
)

// CheckKeys looks whether each SSH key can be read, how strong it is, and how long its
// certificate holds. given says that one is named at all.
func CheckKeys(given bool, login func(ctx context.Context) (Login, error), now func() time.Time) Check {
	c := Check{Area: areaKey, Name: "SSH key"}
	c.Look = func(ctx context.Context) []Finding {
		if !given {
			return []Finding{{
				Area: areaKey, Check: "key", State: Notice, Text: "no SSH key is named: Kamal logs in with what this machine has",
				Hint: "name one with --ssh-key op://Vault/Item",
			}}
		}
		l, err := login(ctx)
		if err != nil {
			return problems(Finding{Area: areaKey, Check: "key", State: Wrong}, err)
		}
		var found []Finding
		for _, k := range l.Keys {
			found = append(found, strength(k.Public(), k.Fingerprint()))
			if certificate, ok := k.Signer().PublicKey().(*ssh.Certificate); ok {
				found = append(found, validity(certificate, k.Fingerprint(), now()))
			}
		}
		return found
	}
	return c
}

// strength is how strong a key is.
func strength(key ssh.PublicKey, fingerprint string) Finding {
	f := Finding{Area: areaKey, Check: "key", About: fingerprint, State: Well, Text: key.Type()}
	const replace = "make a new ed25519 key: 1Password makes one in an item of the kind SSH Key"
	if key.Type() == "ssh-dss" {
		f.State, f.Text, f.Hint = Wrong, "a DSA key, which current SSH servers refuse", replace
		return f
	}
	crypto, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return f
	}
	public, ok := crypto.CryptoPublicKey().(*rsa.PublicKey)
	if !ok {
		return f
	}
	bits := public.N.BitLen()
	f.Text = fmt.Sprintf("ssh-rsa with %d bits", bits)
	switch {
	case bits < weakRSA:
		f.State, f.Text, f.Hint = Wrong, f.Text+", which can be broken", replace
	case bits < enoughRSA:
		f.State, f.Text, f.Hint = Notice, f.Text+", fewer than 3072", replace
	}
	return f
}

// validity is how long a certificate holds. One that has ended is none that a key
// takes: its login says so.
func validity(c *ssh.Certificate, fingerprint string, now time.Time) Finding {
	f := Finding{Area: areaKey, Check: "certificate", About: fingerprint, State: Well, Text: "its certificate holds for ever"}
	if c.ValidBefore != ssh.CertTimeInfinity {
		end := time.Unix(int64(c.ValidBefore), 0).UTC()
		f.Text = "its certificate holds until " + end.Format(time.RFC3339)
		if end.Sub(now) < soon {
			f.State = Notice
		}
	}
	if begin := time.Unix(int64(min(c.ValidAfter, 1<<62)), 0).UTC(); begin.After(now) {
		f.State, f.Text = Wrong, "its certificate holds from "+begin.Format(time.RFC3339)+" on"
	}
	if f.State != Well {
		f.Hint = "have the key certified again"
	}
	return f
}
