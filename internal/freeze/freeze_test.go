package freeze_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/freeze"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

var now = time.Date(2026, 11, 22, 2, 1, 0, 0, time.UTC)

func TestOf(t *testing.T) {
	for name, test := range map[string]struct {
		why, until string
		want       kamal.Freeze
		problem    string // "" where it is fine
	}{
		"for ever":             {" the database moves ", "", kamal.Freeze{Why: "the database moves"}, ""},
		"for a while":          {"x", "4h", kamal.Freeze{Why: "x", Until: now.Add(4 * time.Hour)}, ""},
		"until a moment":       {"x", "2026-12-24T18:00:00+01:00", kamal.Freeze{Why: "x", Until: time.Date(2026, 12, 24, 17, 0, 0, 0, time.UTC)}, ""},
		"without seconds":      {"x", "2026-12-24T18:00Z", kamal.Freeze{Why: "x", Until: time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC)}, ""},
		"with blanks":          {"x", "2026-12-24 18:00 +01:00", kamal.Freeze{Why: "x", Until: time.Date(2026, 12, 24, 17, 0, 0, 0, time.UTC)}, ""},
		"no reason":            {" ", "", kamal.Freeze{}, "is empty"},
		"two lines":            {"a\nb", "", kamal.Freeze{}, "line breaks"},
		"turned around":        {"a\u202eb", "", kamal.Freeze{}, "line breaks"},
		"another line break":   {"a\u2028b", "", kamal.Freeze{}, "line breaks"},
		"too long":             {strings.Repeat("ö", 201), "", kamal.Freeze{}, "has 201 characters, and 200 are taken"},
		"no zone":              {"x", "2026-12-24 18:00", kamal.Freeze{}, "neither a duration nor a time with its zone"},
		"nothing of the kind":  {"x", "monday", kamal.Freeze{}, "neither a duration"},
		"over":                 {"x", "2026-11-22T02:01Z", kamal.Freeze{}, "is over already"},
		"for days":             {"x", "3d", kamal.Freeze{Why: "x", Until: now.AddDate(0, 0, 3)}, ""},
		"less than no time":    {"x", "-1h", kamal.Freeze{}, "--until -1h is no time from now"},
		"no time":              {"x", "0s", kamal.Freeze{}, "--until 0s is no time from now"},
		"no days":              {"x", "0d", kamal.Freeze{}, "--until 0d is no time from now"},
		"days and hours":       {"x", "3d4h", kamal.Freeze{}, "neither a duration"},
		"as long as it can be": {strings.Repeat("ö", 200), "", kamal.Freeze{Why: strings.Repeat("ö", 200)}, ""},
	} {
		got, err := freeze.Of(test.why, test.until, now)
		switch {
		case test.problem != "":
			if err == nil || !strings.Contains(err.Error(), test.problem) || problem.Status(err) != problem.Usage {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil || !got.Same(test.want):
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

const aNonce = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// moves is a freeze, as the details of a lock have it.
func moves(until time.Time) string {
	m := kamal.Mark{Nonce: aNonce, Freeze: &kamal.Freeze{Why: "the database moves", Until: until}}
	return fmt.Sprintf("Locked by: Jane at 2026-11-22T02:00:00Z\nVersion: ?\nMessage: %s\n%s\n", m.Message(), m.Lines())
}

const byHand = "Locked by: Joe at 2026-11-22T02:00:00Z\nVersion: v1\nMessage: Maintenance\n"

// looked is what Kamal says of the locks on hosts: each a name and, behind a blank, the
// details, "-" without a lock, "!" where it could not be asked.
func looked(t *testing.T, hosts ...string) freeze.Locks {
	t.Helper()
	var places []string
	for _, text := range hosts {
		host, details, _ := strings.Cut(text, " ")
		switch details {
		case "!":
			places = append(places, `{"host":"`+host+`","why":"Errno::ECONNREFUSED: refused"}`)
			continue
		case "-":
			details = "a banner of the shell's\n"
		default:
			details = "kamal-op lock held:\n" + details
		}
		places = append(places, `{"host":"`+host+`","output":"`+base64.StdEncoding.EncodeToString([]byte(details))+`"}`)
	}
	l, err := freeze.Parse([]byte("  INFO of Kamal's\n@kamal-op-locks " + `{"dir":".kamal/lock-app-eu","destination":"eu","places":[` + strings.Join(places, ",") + "]}\nmore\n"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestMissing(t *testing.T) {
	f := kamal.Freeze{Why: "the database moves", Until: now.Add(time.Hour)}
	for name, test := range map[string]struct {
		hosts   []string
		want    []string
		problem string
		status  int
	}{
		"nothing is frozen":           {[]string{"h1 -", "h2 -"}, []string{"h1", "h2"}, "", 0},
		"all is frozen so":            {[]string{"h1 " + moves(f.Until), "h2 " + moves(f.Until)}, nil, "", 0},
		"a new host":                  {[]string{"h1 " + moves(f.Until), "h2 -"}, []string{"h2"}, "", 0},
		"another's lock is waited on": {[]string{"h1 " + byHand}, []string{"h1"}, "", 0},
		"a freeze that is over":       {[]string{"h1 " + moves(now)}, []string{"h1"}, "", 0},
		"one until another time": {
			[]string{"h1 -", "h2 " + moves(time.Time{})}, nil, "deploys of app (eu) are frozen by Jane since 2026-11-22 02:00:00 UTC, 1m0s ago: the database moves", problem.Found,
		},
		"a host is down":      {[]string{"h1 -", "h2 !"}, []string{"h1"}, "", 0},
		"the first host down": {[]string{"h1 !", "h2 -"}, nil, "nothing is frozen: h1", problem.Partial},
	} {
		got, err := looked(t, test.hosts...).Missing(f, now)
		if test.problem != "" {
			if err == nil || !strings.Contains(err.Error(), test.problem) || problem.Status(err) != test.status {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if d := cmp.Diff(test.want, got); d != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, d)
		}
	}
}

func TestReport(t *testing.T) {
	r := looked(t, "h1 "+moves(time.Time{}), "h2 "+byHand, "h3 !", "h4 -").Report(now)
	if !r.Frozen || r.Changed || r.App != "app (eu)" || r.By != "Jane" || r.Message != "the database moves" || r.Since.IsZero() || !r.Until.IsZero() {
		t.Errorf("%+v", r)
	}
	const want = "already: deploys of app (eu) are frozen by Jane since 2026-11-22 02:00:00 UTC, 1m0s ago: the database moves\n" +
		"  on h1; kamal-op thaw ends it\nh3: could not be asked\n  Errno::ECONNREFUSED: refused\n"
	if d := cmp.Diff(want, r.FrozenText(now)); d != "" {
		t.Error(d)
	}
	const none = "deploys of app (eu) are not frozen\nthe deploy lock on h2 is none of a freeze, and stays: Joe took it by hand (Maintenance) since 2026-11-22 02:00:00 UTC, 1m0s ago\n"
	if d := cmp.Diff(none, looked(t, "h1 -", "h2 "+byHand).Report(now).ThawedText(now)); d != "" {
		t.Error(d)
	}
}

// A thaw gives back what has the nonce of the freeze, and is judged by what the hosts say.
func TestThawed(t *testing.T) {
	l := looked(t, "h1 "+moves(now.Add(time.Hour)), "h2 "+byHand, "h3 "+moves(now), "h4 "+moves(now), "h5 "+moves(now))
	env := strings.Join(l.ThawEnvironment(l.Frozen()), "\n")
	for _, host := range []string{"h1", "h3", "h4", "h5"} {
		if !strings.Contains(env, `"`+host+`":"sh -c `) {
			t.Errorf("nothing is done on %s: %s", host, env)
		}
	}
	if strings.Contains(env, `"h2"`) || strings.Count(env, aNonce) != 4 {
		t.Error(env)
	}
	said := func(host, how string) string {
		return `{"host":"` + host + `","output":"` + base64.StdEncoding.EncodeToString([]byte("kamal-op lock: "+how+"\n")) + `"}`
	}
	after, err := freeze.Parse([]byte(`@kamal-op-locks {"dir":".kamal/lock-app-eu","destination":"eu","places":[` +
		strings.Join([]string{said("h1", "released"), said("h3", "other"), said("h4", "failed"), `{"host":"h5","why":"down"}`}, ",") + "]}"))
	if err != nil {
		t.Fatal(err)
	}
	r, kept := l.Report(now).Thawed(after)
	if d := cmp.Diff([]string{"h4"}, kept); d != "" || !r.Frozen || !r.Changed {
		t.Errorf("%+v\n%s", r, d)
	}
	if d := cmp.Diff([]string{"h1"}, r.Hosts); d != "" {
		t.Error(d)
	}
	const want = "app (eu) can be deployed again, on h1\n" +
		"  it was so: deploys of app (eu) are frozen by Jane since 2026-11-22 02:00:00 UTC, 1m0s ago: the database moves, until 2026-11-22 03:01:00 UTC\n"
	if got := r.ThawedText(now); !strings.HasPrefix(got, want) || !strings.Contains(got, "lock on h3 is none of a freeze, and stays: somebody else") || !strings.Contains(got, "h5: could not be asked") {
		t.Error(got)
	}
}

// What could not be asked may be frozen still.
func TestThawed_KnowsNothingOfAHostThatIsDown(t *testing.T) {
	l := looked(t, "h1 "+moves(now), "h2 "+moves(now))
	after, err := freeze.Parse([]byte(`@kamal-op-locks {"dir":".kamal/lock-app-eu","destination":"eu","places":[` +
		`{"host":"h1","output":"` + base64.StdEncoding.EncodeToString([]byte("kamal-op lock: released\n")) + `"},{"host":"h2","why":"down"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if r, kept := l.Report(now).Thawed(after); !r.Frozen || !r.Changed || len(kept) != 0 {
		t.Errorf("%+v, %v", r, kept)
	}
	silent, err := freeze.Parse([]byte(`@kamal-op-locks {"dir":".kamal/lock-app-eu","destination":"eu","places":[{"host":"h1","output":""}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if r, kept := l.Report(now).Thawed(silent); !r.Frozen || len(kept) != 1 {
		t.Errorf("a command that said nothing: %+v, %v", r, kept)
	}
}

func TestParse_WhatIsNone(t *testing.T) {
	for _, wrong := range []string{"", "@kamal-op-locks {\n", `@kamal-op-locks {"places":[{"host":"h","output":"*"}]}`} {
		if _, err := freeze.Parse([]byte(wrong)); err == nil {
			t.Errorf("%q is a report", wrong)
		}
	}
}

// No text of a host's or of a lock's is obeyed by a terminal.
func TestReport_ShowsEveryText(t *testing.T) {
	r := looked(t, "h1 "+moves(now)).Report(now)
	testkit.FillWithObeyed(&r)
	for _, frozen := range []bool{true, false} {
		r.Frozen, r.Changed = frozen, !frozen
		for _, text := range []string{r.FrozenText(now), r.ThawedText(now)} {
			if strings.ContainsAny(text, "\x1b\r") || !strings.Contains(text, `\x1b[2J`) {
				t.Errorf("%q", text)
			}
		}
	}
}
