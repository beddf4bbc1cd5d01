package history_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/history"
	"github.com/kamal-op/kamal-op/internal/problem"
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
	stamp := "[" + at(2).Format(time.RFC3339) + "] "
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
	tags := "[" + at(2).Format(time.RFC3339) + "] [jane@example.com] "
	h := ofDestination(t, "",
		tags+"Executed cmd 'echo [web] Booted app version v9' on app version v2",
		tags+`Executed cmd 'echo kamal-op: {"run":"R"}' on app version v2`)
	if len(h.Deploys) > 0 {
		t.Error(told(h))
	}
}

// Whoever may log in can write any line. None breaks what reads them, and none that is
// no deploy's counts as one.
func TestParse_OddLines(t *testing.T) {
	stamp, ours := "["+at(2).Format(time.RFC3339)+"] ", func(json string) string {
		return "[" + at(2).Format(time.RFC3339) + "] [x] deploy of v9 done after 1 s, kamal-op: " + json
	}
	const ended = `"command":"deploy","how":"done","ended":"2026-11-01T02:00:00Z"`
	for name, line := range map[string]string{
		"a year that cannot be written":     "[9999-12-31T23:59:59-23:00] [x] [web] Booted app version v9",
		"a year before any":                 "[0000-01-01T00:00:00+23:00] [x] [web] Booted app version v9",
		"its time is of such a year":        ours(`{"run":"R","version":"v9","command":"deploy","how":"done","ended":"9999-12-31T23:59:59-23:00"}`),
		"no time":                           "[] [x] [web] Booted app version v9",
		"no tags":                           "] Booted app version v9",
		"no performer":                      stamp + "Booted app version v9",
		"a line of a megabyte":              stamp + "[" + strings.Repeat("x", 1<<20) + "] [web] Booted app version v9",
		"a record of a megabyte":            ours(`{"run":"R","version":"v9","by":"` + strings.Repeat("x", 1<<20) + `",` + ended + `}`),
		"many beginnings of records":        ours(strings.Repeat(`kamal-op: {"run":"`, 5000)),
		"NUL in the version":                stamp + "[x] [web] Booted app version v9\x00",
		"bytes that are no text":            stamp + "[x] [web] Booted app version v\xff",
		"escapes in the version":            stamp + "[x] [web] Booted app version v9\x1b[31m",
		"a command for a version":           stamp + "[x] [web] Booted app version $(id)",
		"an option for a version":           ours(`{"run":"R","version":"-9",` + ended + `}`),
		"escapes in the record's version":   ours(`{"run":"R","version":"v9\u001b[31m",` + ended + `}`),
		"a number for the run":              ours(`{"run":5,"version":"v9",` + ended + `}`),
		"a list for the version":            ours(`{"run":"R","version":["v9"],` + ended + `}`),
		"a text for the boots":              ours(`{"run":"R","version":"v9","boots":"all",` + ended + `}`),
		"a text for the seconds":            ours(`{"run":"R","version":"v9","took":"1",` + ended + `}`),
		"seconds that are no duration":      ours(`{"run":"R","version":"v9","took":1e300,` + ended + `}`),
		"seconds that no number has":        ours(`{"run":"R","version":"v9","took":1e999,` + ended + `}`),
		"fewer seconds than none":           ours(`{"run":"R","version":"v9","took":-1,` + ended + `}`),
		"a phase that took no duration":     ours(`{"run":"R","version":"v9","phases":[{"name":"Build","seconds":1e300}],` + ended + `}`),
		"a phase that took less than none":  ours(`{"run":"R","version":"v9","phases":[{"name":"Build","seconds":1},{"name":"Boot","seconds":-5}],` + ended + `}`),
		"more behind the record":            ours(`{"run":"R","version":"v9",` + ended + `} {}`),
		"a record that was cut off":         ours(`{"run":"R","version":"v9",` + ended),
		"no record":                         ours(`{"run":"`),
		"a time of the record that is none": ours(`{"run":"R","version":"v9","command":"deploy","how":"done","ended":"0001-01-01T00:00:00Z"}`),
	} {
		h := read(t, host{name: "h1", log: []string{deploy("setup", "v1", "done", 1), line, deploy("deploy", "v3", "done", 3)}, runs: []string{"v3"}, others: []string{"v9", "v1"}})
		if d := cmp.Diff([]string{"deploy v3 done by Jane on h1", "setup v1 done by Jane on h1"}, told(h)); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
		if _, err := json.Marshal(h); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if v, err := h.Previous(); v != "v1" || err != nil {
			t.Errorf("%s: %q, %v", name, v, err)
		}
	}
}

// A zone that is read and cannot be written is one of a time that can be.
func TestParse_TimesAreUTC(t *testing.T) {
	h := read(t, host{name: "h1", log: []string{"[2026-11-02T00:00:00+24:00] [x] [web] Booted app version v2"}})
	if _, err := json.Marshal(h); err != nil || len(h.Deploys) != 1 || !h.Deploys[0].Ended.Equal(at(0)) {
		t.Errorf("%v %+v", err, h.Deploys)
	}
}

// Who ran a deploy is one line among the versions to choose from.
func TestPrevious_WhoIsOneLine(t *testing.T) {
	forged := "[" + at(1).Format(time.RFC3339) + `] [x] deploy kamal-op: {"run":"R","command":"deploy","version":"v2","how":"done","by":"x\n  hint: y","ended":"2026-11-01T01:00:00Z"}`
	_, err := read(t, host{name: "h1", log: []string{forged}, runs: []string{"v3"}, others: []string{"v2"}}).Previous()
	if d := cmp.Diff([]string{"v2, done at 2026-11-01 01:00 UTC by x   hint: y"}, problem.Of(err)[0].Details); d != "" {
		t.Error(d)
	}
}

// What a host is asked bounds what it says, whoever has written to the log.
func TestPreload_TheLogHasBounds(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell, as hosts have one")
	}
	_, text, _ := strings.Cut(history.Preload(), `backend.capture("`)
	text, _, _ = strings.Cut(text, `", verbosity`)
	file := filepath.Join(t.TempDir(), "audit.log")
	log := booted("v1", 1) + "\n" + strings.Repeat("Pruned images\n", 1000) + deploy("deploy", "v2", "done", 2) + "\n"
	long := booted(strings.Repeat("x", 1<<20), 3) + "\n"
	for name, test := range map[string]struct {
		log, want string
		most      int
	}{
		"as it is":         {log, booted("v1", 1) + "\n" + deploy("deploy", "v2", "done", 2) + "\n", 8 << 20},
		"one that is long": {log + long, booted("v1", 1) + "\n" + deploy("deploy", "v2", "done", 2) + "\n" + long[:128<<10+1] + "\n", 8 << 20},
		"the last":         {log + long, long[128<<10+1-999:128<<10+1] + "\n", 1000},
	} {
		if err := os.WriteFile(file, []byte(test.log), 0o600); err != nil {
			t.Fatal(err)
		}
		command := strings.NewReplacer("#{file}", "'"+file+"'", "#{most}", strconv.Itoa(test.most)).Replace(text)
		got, err := exec.CommandContext(t.Context(), sh, "-c", command).Output()
		if err != nil || string(got) != test.want {
			t.Errorf("%s: %v, %d bytes, want %d", name, err, len(got), len(test.want))
		}
	}
}
