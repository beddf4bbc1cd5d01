package gate

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	rows := [][]string{
		{"PULL", "STATE", "URL"},
		{"12", "running, open", "https://pr-12.example.com"},
		{"", "stöpped", ""},
	}
	for name, test := range map[string]struct {
		width int
		want  string
	}{
		"columns": {0, `
PULL  STATE          URL
12    running, open  https://pr-12.example.com
      stöpped
`},
		"just wide enough": {46, `
PULL  STATE          URL
12    running, open  https://pr-12.example.com
      stöpped
`},
		"one column too few": {45, `
12  running, open  https://pr-12.example.com
  stöpped
`},
		"narrow": {40, `
12  running, open
  https://pr-12.example.com
  stöpped
`},
		"less than a cell": {10, `
12
  running, open
  https://pr-12.example.com
  stöpped
`},
	} {
		if got := Table(rows, true, test.width); got != strings.TrimPrefix(test.want, "\n") {
			t.Errorf("%s:\n%s\nwant%s", name, got, test.want)
		}
	}
	if got := Table(rows[1:2], false, 30); !strings.HasPrefix(got, "12  running, open\n") {
		t.Errorf("without names: %q", got)
	}
	if got := Table(nil, true, 30); got != "" {
		t.Errorf("nothing: %q", got)
	}
}
