package kamal

import (
	"slices"
	"strings"
)

// FetchKey is the name under which `kamal secrets fetch --adapter 1password` gives
// a field: its reference without op:// and without a /password at the end
// (lib/kamal/secrets/adapters/one_password.rb, fields_map).
func FetchKey(reference string) string {
	return strings.TrimSuffix(strings.TrimPrefix(reference, "op://"), "/password")
}

// Extracts reports whether `kamal secrets extract name` takes what a fetch gives
// under a key: the key itself, else one that ends in /name
// (lib/kamal/cli/secrets.rb, extract). op:// before the name is not taken off.
func Extracts(key, name string) bool {
	return key == name || strings.HasSuffix(key, "/"+name)
}

// Keys are the names under which a fetch may give what is wanted. There are several
// where the label has a dot: Kamal joins section and label with one, and only the
// item says which is which.
func (w Wanted) Keys() []string {
	before := "op://" + w.Vault + "/" + w.Item + "/"
	keys := []string{FetchKey(before + w.Field)}
	for i, c := range w.Field {
		if c == '.' && i > 0 && i < len(w.Field)-1 {
			keys = append(keys, FetchKey(before+w.Field[:i]+"/"+w.Field[i+1:]))
		}
	}
	return keys
}

// Extracted is the label of the field whose value `kamal secrets extract name` takes
// out of what a fetch of w gives. A fetch of a whole item gives every field.
func (w Wanted) Extracted(name string) (label string, ok bool) {
	if w.Field == "" {
		return name[strings.LastIndexByte(name, '/')+1:], true
	}
	return w.Field, slices.ContainsFunc(w.Keys(), func(key string) bool { return Extracts(key, name) })
}

// KeysUnknown reports whether the arguments of a fetch do not say under which names it
// gives its values: the adapter takes them from what it finds
// (lib/kamal/secrets/adapters). One secret of AWS may be JSON with a value for each
// of its keys, Bitwarden's secrets have names beside the ids that they are fetched
// by, and an item without a field may give all of its fields.
func (p Part) KeysUnknown() bool {
	switch strings.ToLower(p.Adapter) {
	case "", "1password", "one_password", "lastpass", "last_pass", "doppler", "passbolt", "gcp", "gcp_secret_manager", "test":
		return false
	case "bitwarden":
		return p.From == "" && slices.ContainsFunc(p.Names, isWholeItem)
	case "enpass": // its --from is a file
		return slices.ContainsFunc(p.Names, isWholeItem)
	}
	return true
}

// NeedsNames reports whether a fetch that names nothing gives nothing or stops
// (lib/kamal/secrets/adapters). sure is false where the credentials decide.
func (p Part) NeedsNames() (needs, sure bool) {
	switch strings.ToLower(p.Adapter) {
	case "1password", "one_password":
		return p.From == "", true
	case "doppler": // the token of a service says which configuration is meant
		return true, false
	case "lastpass", "last_pass", "passbolt", "gcp", "gcp_secret_manager", "bitwarden", "enpass",
		"bitwarden-sm", "bitwarden_secrets_manager", "aws_secrets_manager":
		return true, true
	}
	return false, false
}

// NeedsAccount reports whether an adapter that is not 1Password's stops without an
// account.
func (p Part) NeedsAccount() bool {
	switch strings.ToLower(p.Adapter) {
	case "lastpass", "last_pass", "gcp", "gcp_secret_manager", "bitwarden":
		return true
	}
	return false
}

func isWholeItem(name string) bool { return !strings.Contains(name, "/") }

// GoogleKey is the name under which a fetch from Google's Secret Manager gives a
// secret: its project and its own name, without a version
// (lib/kamal/secrets/adapters/gcp_secret_manager.rb).
func (p Part) GoogleKey(name string) (key string, ok bool) {
	if adapter := strings.ToLower(p.Adapter); adapter != "gcp" && adapter != "gcp_secret_manager" {
		return "", false
	}
	if p.From != "" {
		name = p.From + "/" + name
	}
	parts := strings.Split(name, "/")
	if len(parts) == 1 {
		parts = []string{"default", name}
	}
	return parts[0] + "/" + parts[1], true
}
