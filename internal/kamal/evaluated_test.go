package kamal

import (
	"testing"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// A name is found where it stands by itself, at either end of a line too.
func TestWordIn(t *testing.T) {
	for text, want := range map[string]problem.Place{
		"NAME":             {Line: 1, Column: 1},
		"a\n- NAME\n":      {Line: 2, Column: 3},
		"é: NAME # NAME":   {Line: 1, Column: 4},
		"NAMES NAME":       {Line: 1, Column: 7},
		"MYNAME, A_NAME":   {},
		"NAME1 NAME_ NAME": {Line: 1, Column: 13},
		"":                 {},
	} {
		if got, ok := wordIn(text, "NAME"); got != want || ok != (want.Line > 0) {
			t.Errorf("%q: %v, %v", text, got, ok)
		}
	}
}
