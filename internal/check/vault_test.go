package check

import (
	"testing"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
)

// Of a reference, what stands before a / is taken for a section: a field that has one
// in its name is not found, and the name as it is no remedy.
func TestMissingField_ASlashInItsName(t *testing.T) {
	item := &onepassword.Item{Fields: []onepassword.Field{{Label: "A"}, {Label: "api/key"}}}
	wanted := kamal.Wanted{Vault: "V", Item: "I", Field: "api.key", Reference: "op://V/I/api/key"}
	const slash = "a / in a name is written %2F: op://V/I/api%2Fkey"
	if p := missingField(item, wanted); p.Hint != slash {
		t.Errorf("the hint is %q", p.Hint)
	}
	wanted.Reference = "" // of a fetch, which knows no %2F
	if p := missingField(item, wanted); p.Hint == slash {
		t.Errorf("the hint of a fetch is %q", p.Hint)
	}
}
