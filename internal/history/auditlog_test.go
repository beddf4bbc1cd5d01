package history_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/history"
)

// ofDestination is the history of one host of a destination.
func ofDestination(t *testing.T, destination string, log ...string) history.History {
	t.Helper()
	text, err := json.Marshal(map[string]any{"service": "app", "destination": destination, "hosts": []any{
		map[string]any{"host": "h1", "log": base64.StdEncoding.EncodeToString([]byte(strings.Join(log, "\n")))},
	}})
	if err != nil {
		t.Fatal(err)
	}
	h, err := history.Parse([]byte("@kamal-op-history " + string(text) + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Who runs Kamal is git's user.email, which is any text.
func TestParse_AnyPerformer(t *testing.T) {
	record := history.Record{Run: "R", Command: "deploy", Version: "v1", How: "done", Ended: at(1)}.Line()
	stamp := "[" + at(2).Format("2006-01-02T15:04:05Z07:00") + "] "
	for _, who := range []string{
		"41898282+github-actions[bot]@users.noreply.github.com", "dependabot[bot]", "[x]", "]", "a] [b", "a] b", "Jané O'Neill",
		"x] Booted app version v9", `x kamal-op: {"run":"`, "\xff\xfe", "a\x00b",
	} {
		for _, destination := range []string{"", "staging"} {
			tags := stamp + "[" + who + "] "
			if destination != "" {
				tags += "[" + destination + "] "
			}
			h := ofDestination(t, destination, tags+"[web] Booted app version v2", tags+record)
			want := []string{"v2 booted by " + who + " on h1", "deploy v1 done by " + who + " on h1"}
			if d := cmp.Diff(want, told(h)); d != "" {
				t.Errorf("%q, destination %q:\n%s", who, destination, d)
				continue
			}
			if d := cmp.Diff([]history.Boot{{Host: "h1", Role: "web", After: "v2"}}, h.Deploys[0].Boots); d != "" {
				t.Errorf("%q, destination %q:\n%s", who, destination, d)
			}
		}
	}
}

// A command that was run on a host is in its log too, whatever it says.
func TestParse_ACommandsTextIsNoBoot(t *testing.T) {
	tags := "[" + at(2).Format("2006-01-02T15:04:05Z07:00") + "] [jane@example.com] "
	h := ofDestination(t, "",
		tags+"Executed cmd 'echo [web] Booted app version v9' on app version v2",
		tags+`Executed cmd 'echo kamal-op: {"run":"R"}' on app version v2`)
	if len(h.Deploys) > 0 {
		t.Error(told(h))
	}
}
