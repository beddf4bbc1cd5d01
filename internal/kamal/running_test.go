package kamal_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/kamal"
)

func TestParseRunning(t *testing.T) {
	out := "  INFO something of Kamal's\n" +
		`@kamal-op-running [{"host":"10.0.0.1","role":"web","container":"app-web-1","id":"0123456789ab","version":"1","created":"2026-11-22T01:02:03.123456789Z","secrets":[{"variable":"A","secret":"B","state":"stale"}]},{"host":"10.0.0.2","accessory":"db","container":"","created":"","secrets":[]}]` + "\nmore\n"
	got, err := kamal.ParseRunning([]byte(out))
	if err != nil {
		t.Fatal(err)
	}
	want := []kamal.Running{
		{
			Host: "10.0.0.1", Role: "web", Container: "app-web-1", ID: "0123456789ab", Version: "1", Created: time.Date(2026, 11, 22, 1, 2, 3, 123456789, time.UTC),
			Secrets: []kamal.RunningSecret{{Variable: "A", Secret: "B", State: kamal.Stale}},
		},
		{Host: "10.0.0.2", Accessory: "db", Secrets: []kamal.RunningSecret{}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, wrong := range []string{"", "INFO nothing\n", "x @kamal-op-running []\n", "@kamal-op-running [\n", "@kamal-op-running [{\"container\":\"a\\u001b[2J\"}]\n", `@kamal-op-running [{"secrets":[{"state":"fine"}]}]` + "\n", `@kamal-op-running [{"version":"$(id)"}]` + "\n", `@kamal-op-running [{"version":"-v"}]` + "\n", `@kamal-op-running [{"id":"; id"}]` + "\n"} {
		if got, err := kamal.ParseRunning([]byte(wrong)); err == nil {
			t.Errorf("%q gives %v", wrong, got)
		}
	}
}

// A version is what docker takes for a tag.
func TestIsVersion(t *testing.T) {
	for text, want := range map[string]bool{
		"v1": true, "_1": true, "0a.b-c_D": true, strings.Repeat("a", 128): true, strings.Repeat("a", 129): false,
		"": false, ".v1": false, "-v1": false, "v1\n": false, "v 1": false, "$(id)": false, "é": false,
	} {
		if got := kamal.IsVersion(text); got != want {
			t.Errorf("%q is a version: %v", text, got)
		}
	}
}
