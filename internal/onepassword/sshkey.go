package onepassword

import (
	"context"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// sshKeyField is the field of an item that is no SSH Key item in which the private
// key is looked for where the reference names no field.
const sshKeyField = "SSH_KEY"

// An SSHKey is a private key with what its item says beside it.
type SSHKey struct {
	Ref     Reference   // the field it was read from
	Private mask.Secret // as it is in the vault, PKCS#8 PEM in an SSH Key item

	// Public and Fingerprint are what the item has in its fields of these names;
	// "" where it has none. The key must agree with them.
	Public, Fingerprint string

	// Certificate is what the item has beside it in a field of that name, an SSH
	// certificate of the key; "" where it has none.
	Certificate string
}

// SSHKey reads a private key. A reference without a field means the private key of
// an SSH Key item, else the field SSH_KEY. The error is a *problem.Problem.
func (r *Resolver) SSHKey(ctx context.Context, ref Reference) (SSHKey, error) {
	if err := r.Prefetch(ctx, ref); err != nil {
		return SSHKey{}, err
	}
	const what = "the SSH key"
	item, err := r.itemOf(ctx, ref, what)
	if err != nil {
		return SSHKey{}, err
	}
	if ref.WholeItem() {
		ref.text = ""
		ref.Field = sshKeyField
		if f := item.privateKey(); f != nil {
			ref.Field, ref.Section = f.ID, f.Section
		}
	}
	chosen, err := item.choose(ref)
	if err != nil {
		err := named(what, ref, err)
		if p := problem.Of(err)[0]; isAbsent(err) && !strings.Contains(p.Hint, "Did you mean") {
			if f := item.looksLikeKey(); f != nil {
				p.Hint += ". Did you mean " + list([]string{f.Label}) + "?"
			}
		}
		return SSHKey{}, err
	}
	value, err := r.value(ctx, item, chosen, ref)
	if err != nil {
		return SSHKey{}, named(what, ref, err)
	}
	if value == "" {
		return SSHKey{}, problem.New(what+" ("+quoteReference(ref.String())+") is empty", "put the private key there").About(problem.UnusableKey)
	}
	key := SSHKey{Ref: ref, Private: mask.NewSecret("SSH key", value)}
	section := ""
	if chosen.field != nil {
		section = chosen.field.Section
	}
	key.Public = item.beside(section, "public key", "public_key", "SSH_PUBLIC_KEY")
	key.Fingerprint = item.beside(section, "fingerprint")
	key.Certificate = item.beside(section, "ssh certificate", "SSH_CERTIFICATE", "certificate")
	return key, nil
}

// privateKey is the private key field of an SSH Key item.
func (i *Item) privateKey() *Field {
	for n := range i.Fields {
		if f := &i.Fields[n]; f.Type == "SSHKEY" {
			return f
		}
	}
	return nil
}

// looksLikeKey is a field that is perhaps the key, by its name.
func (i *Item) looksLikeKey() *Field {
	for n := range i.Fields {
		f := &i.Fields[n]
		label := squash(f.Label)
		if strings.Contains(label, "privatekey") || strings.Contains(label, "sshkey") && !strings.Contains(label, "public") {
			return f
		}
	}
	return nil
}

// beside is the value of the first field of one of these names in the section, or
// else among the item's own.
func (i *Item) beside(section string, names ...string) string {
	for _, where := range []string{section, ""} {
		for _, name := range names {
			for _, f := range i.Fields {
				if (f.Section == where || where == "" && ownSection(f.Section)) && (f.ID == name || strings.EqualFold(f.Label, name)) {
					return f.Value.Reveal()
				}
			}
		}
	}
	return ""
}
