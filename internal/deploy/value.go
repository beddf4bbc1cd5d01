package deploy

import (
	"context"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// A Value is one that the run itself has a use for: the field that holds it or, where
// an earlier step has loaded it, the value, named as the variable that it came in.
type Value struct {
	Ref    onepassword.Reference // the zero Reference where the value is loaded
	Loaded mask.Secret           // named env://NAME
}

// given reports whether there is one.
func (v Value) given() bool { return v.Ref.Item != "" || v.loaded() }

// loaded reports whether no vault is asked for it.
func (v Value) loaded() bool { return v.Loaded.Name() != "" }

// String is what names it.
func (v Value) String() string {
	if v.loaded() {
		return v.Loaded.Name()
	}
	return v.Ref.String()
}

// read is the value of a field, or what is loaded.
func (v Value) read(ctx context.Context, r *onepassword.Resolver) (mask.Secret, error) {
	if v.loaded() {
		return v.Loaded, nil
	}
	return r.Read(ctx, v.Ref)
}

// sshKey is a private key with what its item says beside it; a loaded one has nothing
// beside it.
func (v Value) sshKey(ctx context.Context, r *onepassword.Resolver) (onepassword.SSHKey, error) {
	if !v.loaded() {
		return r.SSHKey(ctx, v.Ref)
	}
	if v.Loaded.Len() == 0 {
		return onepassword.SSHKey{}, problem.New("the SSH key ("+v.String()+") is empty",
			"have the earlier step load it (on GitHub an output that is not there is empty)").About(problem.LoadedBefore)
	}
	return onepassword.SSHKey{Private: mask.NewSecret("SSH key", v.Loaded.Reveal())}, nil
}

// AsksVault reports whether anything that the options name is to be had of 1Password.
func (w Wanted) AsksVault() bool {
	w.items = nil
	if len(w.references()) > 0 {
		return true
	}
	for _, d := range w.Secrets {
		if d.Environment != "" {
			return true
		}
	}
	return false
}

// Loaded reports whether an earlier step has loaded a secret or a key of it.
func (w Wanted) Loaded() bool {
	for _, key := range w.Keys {
		if key.loaded() {
			return true
		}
	}
	for _, d := range w.Secrets {
		if !d.FromVault() {
			return true
		}
	}
	return false
}
