package history_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kamal-op/kamal-op/internal/history"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

// at is a moment so many hours after the first deploy.
func at(hours float64) time.Time {
	return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(hours * float64(time.Hour)))
}

// deploy is a line of ours, as Kamal writes it.
func deploy(command, version, how string, hours float64) string {
	r := history.Record{Run: fmt.Sprintf("R%v", hours), Command: command, Version: version, How: how, By: "Jane", Ended: at(hours), Took: 60}
	return "[" + at(hours).Format(time.RFC3339) + "] [jane@example.com] " + r.Line()
}

// booted is Kamal's own line of a boot.
func booted(version string, hours float64) string {
	return "[" + at(hours).Format(time.RFC3339) + "] [joe@example.com] [web] Booted app version " + version
}

// A host is what one has: lines of the log, and the versions of its containers.
type host struct {
	name, why string
	log       []string
	runs      []string
	others    []string
}

func read(t *testing.T, hosts ...host) history.History {
	t.Helper()
	var all []map[string]any
	for _, h := range hosts {
		if h.why != "" {
			all = append(all, map[string]any{"host": h.name, "why": h.why})
			continue
		}
		log := base64.StdEncoding.EncodeToString([]byte(strings.Join(h.log, "\n")))
		all = append(all, map[string]any{"host": h.name, "log": log, "roles": []any{map[string]any{"role": "web", "runs": h.runs, "others": h.others}}})
	}
	text, err := json.Marshal(map[string]any{"service": "app", "hosts": all})
	if err != nil {
		t.Fatal(err)
	}
	h, err := history.Parse([]byte("a line of Kamal's\n@kamal-op-history " + string(text) + "\nmore\n"))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// told are the deploys, a line each.
func told(h history.History) (lines []string) {
	for _, d := range h.Deploys {
		lines = append(lines, strings.TrimSpace(d.Command+" "+d.Version+" "+d.How+" by "+d.By+" on "+strings.Join(d.Hosts, ",")))
	}
	return lines
}

func TestParse(t *testing.T) {
	h := read(t,
		host{name: "h1", log: []string{
			deploy("setup", "v1", "done", 1), booted("v1", 0.99), "[no time] [x] Booted app version v0", "Pruned images",
			deploy("deploy", "v2", "failed", 2), deploy("deploy", "v2", "done", 3)[:60], booted("v3", 4),
			"[" + at(5).Format(time.RFC3339) + `] [x] deploy of v9 kamal-op: {"run":"","version":"v9"}`,
		}},
		host{name: "h2", log: []string{deploy("setup", "v1", "done", 1), booted("v3", 4.01)}},
		host{name: "h3"},
		host{name: "h4", why: "Errno::ECONNREFUSED"},
	)
	want := []string{"v3 booted by joe@example.com on h1,h2", "deploy v2 failed by Jane on h1", "setup v1 done by Jane on h1,h2"}
	if d := cmp.Diff(want, told(h)); d != "" {
		t.Error(d)
	}
	if len(h.Without) != 1 || h.Without[0] != "h3" || len(h.Unreached) != 1 || h.Unreached[0].Host != "h4" {
		t.Errorf("%+v", h)
	}
	text := h.Text(2, 0)
	for _, want := range []string{
		"2026-11-01 04:00 UTC  v3  (in Kamal's log)  booted          h1,h2  joe@example.com\n", "2026-11-01 02:00 UTC  v2  deploy            failed in 1m0s",
		"1 more: --last shows them\n", "h3: no line of any deploy", "h4: could not be asked\n  Errno::ECONNREFUSED\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if text := read(t, host{name: "h1"}).Text(5, 0); text != "the hosts have no history: each deploy from now on leaves a line\n" {
		t.Error(text)
	}
	for _, wrong := range []string{"", "@kamal-op-history {\n", `@kamal-op-history {"hosts":[{"host":"h","log":"*"}]}`} {
		if _, err := history.Parse([]byte(wrong)); err == nil {
			t.Errorf("%q is a report", wrong)
		}
	}
}

// A record is one line, whatever it is of, and is read as it was.
// Which lines are one deploy: boots of one version by one person that are not far apart,
// those of ours within its time, and each end of a run by itself.
func TestParse_WhatIsOneDeploy(t *testing.T) {
	minutes := func(n float64) float64 { return n / 60 }
	other := strings.Replace(booted("v1", 0), "joe@", "ann@", 1)
	long := func(more int) string {
		line := deploy("deploy", "v1", "done", 1)
		return strings.Replace(line, "Jane", strings.Repeat("x", 128<<10-len(line)+len("Jane")+more), 1)
	}
	for name, test := range map[string]struct {
		log  []string
		want int
	}{
		"boots that are near":                {[]string{booted("v1", 0), booted("v1", minutes(14))}, 1},
		"boots that are far":                 {[]string{booted("v1", 0), booted("v1", minutes(16))}, 2},
		"boots by two people":                {[]string{booted("v1", 0), other}, 2},
		"a boot at its beginning":            {[]string{deploy("deploy", "v1", "done", 1), booted("v1", 1-minutes(1)-0.5/3600)}, 1},
		"a boot before it":                   {[]string{deploy("deploy", "v1", "done", 1), booted("v1", 1-minutes(1)-3.0/3600)}, 2},
		"a run that ended twice":             {[]string{deploy("deploy", "v1", "failed", 1), strings.Replace(deploy("deploy", "v1", "done", 2), `"R2"`, `"R1"`, 1)}, 2},
		"a line as long as there can be one": {[]string{long(0)}, 1},
		"a line that is longer":              {[]string{long(1)}, 0},
	} {
		if h := read(t, host{name: "h1", log: test.log}); len(h.Deploys) != test.want {
			t.Errorf("%s: %.300q", name, told(h))
		}
	}
}

func TestRecord_Line(t *testing.T) {
	r := history.Record{
		Run: "R", Command: "deploy", Version: "v1", How: "done", By: "Jane `id` $(id) ${HOME} 'x' \"y\"\n\\", Link: "https://example.com/?a&b", Ended: at(1), Took: 61.5,
		Boots: []history.Boot{{Host: "h1", Role: "web", Before: "v0", After: "v1"}},
	}
	r.Add("A", "MyApp/Production", 7)
	r.Add("B", "MyApp/Production", 7)
	r.Add("A", "MyApp/Production", 7)
	r.Add("C", "env://C", 0)
	line := r.Line()
	if strings.Contains(line, "\n") || !strings.HasPrefix(line, "deploy of v1 done in 1m2s, kamal-op: {") {
		t.Error(line)
	}
	h := read(t, host{name: "h1", log: []string{"[" + at(1).Format(time.RFC3339) + "] [jane] " + line}})
	if len(h.Deploys) != 1 {
		t.Fatalf("%+v", h)
	}
	if text := h.Text(1, 0); !strings.Contains(text, " done in 1m2s ") {
		t.Errorf("the table has another time than the line:\n%s", text)
	}
	if d := cmp.Diff(r, h.Deploys[0].Record); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]history.Item{{From: "MyApp/Production", Version: 7, Secrets: []string{"A", "B"}}, {From: "env://C", Secrets: []string{"C"}}}, r.Items); d != "" {
		t.Error(d)
	}
}

func TestPrevious(t *testing.T) {
	three := []string{deploy("setup", "v1", "done", 1), deploy("deploy", "v2", "done", 2), deploy("deploy", "v3", "done", 3)}
	back := append(append([]string{}, three...), deploy("rollback", "v2", "done", 4), deploy("rotate", "v2", "done", 5))
	four := append(three[:1:1], deploy("deploy", "v3", "done", 3), deploy("deploy", "v4", "done", 4))
	then := func(runs string, lines ...string) []host {
		return []host{{name: "h1", log: append(four[:3:3], lines...), runs: []string{runs}, others: slices.DeleteFunc([]string{"v4", "v3", "v1"}, func(v string) bool { return v == runs })}}
	}
	for name, test := range map[string]struct {
		hosts []host
		want  string // or what is said of why it is not known
	}{
		"the one before":                {[]host{{name: "h1", log: three, runs: []string{"v3"}, others: []string{"v2", "v1"}}}, "v2"},
		"after a rollback, back again":  {[]host{{name: "h1", log: back, runs: []string{"v2"}, others: []string{"v3", "v1"}}}, "v1"},
		"failed in between":             {[]host{{name: "h1", log: append(three[:2:2], deploy("deploy", "v9", "failed", 2.5), deploy("deploy", "v3", "done", 3)), runs: []string{"v3"}, others: []string{"v9", "v2"}}}, "v2"},
		"the same twice":                {[]host{{name: "h1", log: append(three[:3:3], deploy("redeploy", "v3", "done", 5)), runs: []string{"v3"}, others: []string{"v2"}}}, "v2"},
		"a host rebuilt in between":     {[]host{{name: "h1", log: three, runs: []string{"v3"}, others: []string{"v2"}}, {name: "h2", runs: []string{"v3"}, others: []string{}}}, "no other version has a container"},
		"pruned":                        {[]host{{name: "h1", log: three, runs: []string{"v3"}, others: []string{"v1"}}}, "v2, which was before it, is not on every host any more\nv1, done at 2026-11-01 01:00 UTC by Jane"},
		"two that run":                  {[]host{{name: "h1", log: three, runs: []string{"v3"}, others: []string{"v2"}}, {name: "h2", runs: []string{"v2"}, others: []string{"v3"}}}, "several run, v3, v2"},
		"none that runs":                {[]host{{name: "h1", log: three, others: []string{"v2"}}}, "no version is running"},
		"no history":                    {[]host{{name: "h1", runs: []string{"v3"}, others: []string{"v2"}}}, "does not go back so far\nv2"},
		"by Kamal alone":                {[]host{{name: "h1", log: []string{booted("v2", 1), booted("v3", 2)}, runs: []string{"v3"}, others: []string{"v2"}}}, "it is not known whether v3 was deployed or rolled back to\nv2, booted at"},
		"a host that cannot be reached": {[]host{{name: "h1", log: three, runs: []string{"v3"}, others: []string{"v2"}}, {name: "h2", why: "down"}}, "h2 could not be asked\nv2"},
		"a robot's boot in between":     {[]host{{name: "h1", log: []string{three[0], strings.Replace(booted("v2", 2), "joe@", "1+github-actions[bot]@", 1), three[2]}, runs: []string{"v3"}, others: []string{"v2", "v1"}}}, "it is not known whether v2 was deployed or rolled back to"},
		"one of before, failed once up": {then("v3", deploy("deploy", "v3", "failed", 5)), "v3 runs, and what was done last is deploy of v4\nv4, done at 2026-11-01 04:00 UTC by Jane\nv1, done"},
		"it, cancelled and rotated":     {then("v3", deploy("redeploy", "v3", "cancelled", 5), deploy("rotate", "v3", "done", 6)), "v3 runs, and what was done last is deploy of v4"},
		"back to it, failed once up":    {then("v3", deploy("rollback", "v3", "failed", 5)), "v3 runs, and what was done last is deploy of v4"},
		"the same, failed":              {then("v4", deploy("redeploy", "v4", "failed", 5)), "v3"},
		"another, failed before it":     {then("v4", deploy("deploy", "v5", "failed", 5)), "v3"},
		"failed after a rollback":       {then("v4", deploy("rollback", "v3", "done", 5), deploy("deploy", "v4", "failed", 6)), "v4 runs, and what was done last is rollback of v3"},
		"a way that is not known":       {then("v4", deploy("levitate", "v4", "done", 5)), "it is not known whether v4"},
		"an end that is not known":      {then("v4", deploy("deploy", "v4", "paused", 5)), "it is not known whether v4"},
		"a time that is to come":        {then("v4", deploy("deploy", "v1", "done", 1e5)), "v4 runs, and what was done last is deploy of v1"},
		"a boot that is to come":        {then("v4", booted("v4", 1e5)), "it is not known whether v4"},
		"what is no version":            {[]host{{name: "h1", log: three, runs: []string{"v3"}, others: []string{"$(id)"}}}, "no other version has a container"},
	} {
		got, err := read(t, test.hosts...).Previous()
		if err != nil {
			p := problem.Of(err)[0]
			got = p.Message + "\n" + strings.Join(p.Details, "\n")
			if p.Hint == "" || p.Status != problem.Found {
				t.Errorf("%s: %+v", name, p)
			}
		}
		if got != test.want && (err == nil || !strings.Contains(got, test.want)) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestFind(t *testing.T) {
	h := read(t, host{name: "h1", log: []string{deploy("setup", "abcd111", "done", 1), deploy("deploy", "abcd222", "failed", 2), deploy("deploy", "abcd222", "done", 3)}})
	for text, want := range map[string]string{"abcd222": "abcd222 done", "abcd2": "abcd222 done", "abcd1": "abcd111 done", "abcd": "beginning of several", "abc": "has no version abc", "x": "there are: abcd222, abcd111"} {
		d, err := h.Find(text)
		got := d.Version + " " + d.How
		if err != nil {
			got = problem.Of(err)[0].Message + " " + problem.Of(err)[0].Hint
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
	if _, err := read(t, host{name: "h1"}).Find("v1"); problem.Status(err) != problem.Found {
		t.Errorf("%v", err)
	}
}

func TestBetween(t *testing.T) {
	from := history.Deploy{Record: history.Record{Command: "deploy", Version: "v1", How: "done", By: "Jane", Ended: at(1), Boots: []history.Boot{{Host: "h1", Role: "web"}, {Host: "h2", Role: "web"}}}}
	from.Add("SAME", "MyApp/Production", 7)
	from.Add("OTHER", "MyApp/Other", 1)
	from.Add("GONE", "MyApp/Production", 7)
	to := history.Deploy{Record: history.Record{Command: "deploy", Version: "v2", How: "done", By: "Joe", Ended: at(2), Boots: []history.Boot{{Host: "h1", Role: "web"}, {Host: "h3", Role: "web"}}}}
	to.Add("SAME", "MyApp/Production", 7)
	to.Add("OTHER", "MyApp/Other", 2)
	to.Add("NEW", "env://NEW", 0)
	d := history.Between(from, to)
	d.Commits = []string{"abc1234 Do it"}
	const want = `v1, done at 2026-11-01 01:00 UTC by Jane
v2, done at 2026-11-01 02:00 UTC by Joe
commits: 1
  abc1234 Do it
secrets that differ: 3
  - GONE  MyApp/Production, version 7
  + NEW  env://NEW
  ~ OTHER  MyApp/Other, version 1 → 2
roles on hosts that differ: 2
  - web on h2
  + web on h3
`
	if d := cmp.Diff(want, d.Text(false)); d != "" {
		t.Error(d)
	}
	to.Command, d.CommitsUnknown = "", "git does not have both here"
	d = history.Between(from, to)
	d.CommitsUnknown = "git does not have both here"
	if text := d.Text(false); !strings.Contains(text, "commits unknown: git does not") || !strings.Contains(text, "secrets: of a deploy without kamal-op nothing is known") {
		t.Error(text)
	}
	if d := cmp.Diff([]history.Change{}, d.Secrets, cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
}

// Whatever stands in a host's log, or is said by git, is shown and not obeyed.
func TestText_showsEveryText(t *testing.T) {
	var h history.History
	var d history.Diff
	testkit.FillWithObeyed(&h)
	testkit.FillWithObeyed(&d)
	known := d
	known.NotKnown, known.CommitsUnknown = "", ""
	for _, text := range []string{h.Text(1, 0), h.Text(0, 0), d.Text(false), known.Text(false)} {
		if strings.ContainsAny(text, "\x1b\r") || !strings.Contains(text, `\x1b[2J`) {
			t.Errorf("%q", text)
		}
	}
}
