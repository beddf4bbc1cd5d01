package edit

import (
	"strings"
	"testing"
)

// Whatever the project file is, a change of it is what it should be or is refused.
func FuzzProjectNames(f *testing.F) {
	for _, text := range []string{
		"", "secrets:\n  A: op://V/I/A\n  B: op://V/I/B", "secret:\r\n- A=op://V/I/A # a\r\npublic: [A, 'B C']\r\n", "secrets: |\n  A=op://V/I/A\n\n  op://V/I\n",
		"destinations: {x: {secrets: [A=env://A]}}", "destinations:\n  x:\n    secrets: &a {A: op://V/I/A}\n  y:\n    secrets: *a\n", "public: A", "? secrets\n: - 'A=op://V/I/A'\n",
	} {
		f.Add(text)
	}
	everywhere := func(*projectList) bool { return true }
	f.Fuzz(func(t *testing.T, text string) {
		for _, change := range []func(p *projectNames) error{
			func(p *projectNames) error { return p.remove("A", everywhere) },
			func(p *projectNames) error {
				return p.rename("A", "Z", everywhere, func(reference string) string { return strings.Replace(reference, "/A", "/Z", 1) })
			},
			func(p *projectNames) error {
				for _, d := range []string{"", "x"} {
					if l := p.listFor(d); l != nil {
						return p.add(l, "Z", "op://V/I/Z")
					}
				}
				return nil
			},
		} {
			p, err := readProjectNames(text)
			if err != nil {
				return
			}
			if err := change(p); err != nil {
				continue
			}
			if _, err := readProjectNames(p.text); err != nil {
				t.Errorf("%q became %q: %v", text, p.text, err)
			}
		}
	})
}
