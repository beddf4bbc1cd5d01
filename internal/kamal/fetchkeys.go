package kamal

import "strings"

// FetchKey is the name under which `kamal secrets fetch --adapter 1password` gives
// a field: its reference without op:// and without a /password at the end
// (lib/kamal/secrets/adapters/one_password.rb, fields_map).
func FetchKey(reference string) string {
	return strings.TrimSuffix(strings.TrimPrefix(reference, "op://"), "/password")
}

// Extracts tells whether `kamal secrets extract name` takes what a fetch gives
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
