package resolved_test

import (
	"os"
	"slices"
	"testing"

	"github.com/kamal-op/kamal-op/internal/kamal/resolved"
)

func TestParse(t *testing.T) {
	// What real Kamal wrote: a test of package review compares.
	text, err := os.ReadFile("../../review/testdata/resolved/production.txt")
	if err != nil {
		t.Fatal(err)
	}
	r, err := resolved.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if r.Roles["web"].Proxy.Health != "/health" || !r.Roles["web"].Proxy.TLS || r.Roles["job"].Proxy != nil || !slices.Equal(r.Hosts, []string{"192.0.2.2", "192.0.2.1"}) {
		t.Errorf("%+v", r)
	}
	for _, bad := range []string{"", "--- {}\n", "@kamal-op-resolved {\n", "@kamal-op-resolved {}\n", "x @kamal-op-resolved {\"service\":\"a\",\"image\":\"b\"}\n"} {
		if _, err := resolved.Parse([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
