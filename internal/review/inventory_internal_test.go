package review

import (
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/kamal/resolved"
)

// Whatever a host says, only names of the project's previews are taken for theirs,
// and nothing of what is protected.
func FuzzParseInventory(f *testing.F) {
	f.Add("shop", "c|shop-pr-12|shop|a/b|12|review|c1|/x|sha256:1|2026-11-21T12:00:00Z|true|shop-pr-12_x,\n@M i|shop-pr-12||||sha256:1\n@M v|shop-pr-12_x\n@M p|shop-pr-12-web-review\n@M f|.kamal/apps/shop-pr-12-review\n@M end")
	f.Add("shop", "c|shop-pr-012|shop|a/b|12|review|c1|/x|sha256:1|bad|true|\n@M f|shop-pr-1-../x\n@M end")
	f.Fuzz(func(t *testing.T, base, text string) {
		if !serviceName().MatchString(base) {
			return
		}
		production := base + "-pr-7"
		all, err := parseInventory("h", App{Base: base, Repository: "a/b", Destination: "review"}, "M", []byte("@M "+text), map[string]bool{production: true})
		if err != nil {
			return
		}
		for n, l := range all {
			a := App{Base: base, Number: n}
			a.Service = a.Name(n)
			if n <= 0 {
				t.Errorf("number %d", n)
			}
			for _, v := range l.Volumes {
				if !a.owns(v) {
					t.Errorf("volume %q of %s", v, a.Service)
				}
			}
			for _, f := range l.Files {
				if !strings.Contains(f, a.Service) || strings.Count(f, "/") > 3 {
					t.Errorf("file %q of %s", f, a.Service)
				}
			}
			if n == 7 {
				for _, c := range l.Containers {
					if c.Accessory == "" {
						t.Errorf("production's container %+v", c)
					}
				}
			}
			// Whatever was found, the script quotes nothing and stays one line.
			text := removeScript(a, l, resolved.Configuration{}, nil, Safety{})
			if strings.ContainsAny(text, "'\n`") {
				t.Errorf("script %q", text)
			}
			for _, bad := range []string{"../", "/..", "rm -rf /", "$(touch", "${", "&& "} {
				if strings.Contains(text, bad) {
					t.Errorf("script %q", text)
				}
			}
		}
	})
}
