package kamal_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/kamal"
)

func TestExactValues(t *testing.T) {
	for text, test := range map[string]struct {
		kamal.ExactValues
		a, b, zero bool
	}{
		"true":  {kamal.ExactValues{All: true}, true, true, false},
		`["A"]`: {kamal.ExactValues{Names: []string{"A"}}, true, false, false},
		"null":  {kamal.ExactValues{}, false, false, true},
	} {
		if got, err := json.Marshal(test.ExactValues); err != nil || string(got) != text {
			t.Errorf("%s: %s, %v", text, got, err)
		}
		if test.Of("A") != test.a || test.Of("B") != test.b || test.IsZero() != test.zero {
			t.Errorf("%s is of A: %v, of B: %v, of none: %v", text, test.Of("A"), test.Of("B"), test.IsZero())
		}
	}
	for value, by := range map[string]bool{
		"plain $'\"#é": false, "a\nb": true, `a\b`: true, "\t": true,
		strings.Repeat("x", kamal.MaxEnvFileLine-len("A=")): false, strings.Repeat("x", kamal.MaxEnvFileLine-len("A")): true,
	} {
		if kamal.ByShell("A", value) != by {
			t.Errorf("%.20q of %d bytes goes by the shell: %v", value, len(value), !by)
		}
	}
	for name, exports := range map[string]bool{
		"A": true, "_a1": true, "RAILS_MASTER_KEY": true, "A.B": false, "1A": false, "A-B": false, "A\n": false, "": false, "UID": false, "PATH": false, "DOCKER_HOST": false,
	} {
		if kamal.ShellExports(name) != exports {
			t.Errorf("%q is exported: %v", name, !exports)
		}
	}
}
