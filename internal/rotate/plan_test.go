package rotate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/rotate"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

// role is a container of a role, with a secret A in this state and a B that is equal.
func role(host, name, version string, state kamal.RunningState) kamal.Running {
	return kamal.Running{
		Host: host, Role: name, Container: "app-" + name + "-" + version, ID: "id of " + name + " on " + host, Version: version,
		Secrets: []kamal.RunningSecret{{Variable: "AS_A", Secret: "A", State: state}, {Variable: "B", Secret: "B", State: kamal.Equal}},
	}
}

func accessory(host, name string, state kamal.RunningState) kamal.Running {
	r := role(host, "", "", state)
	r.Accessory, r.Container, r.ID = name, "app-"+name, "id of "+name+" on "+host
	return r
}

// told are the boots and what is left, a line each.
func told(p rotate.Plan) (lines []string) {
	for _, b := range p.Boots {
		var hosts []string
		for _, h := range b.Hosts {
			hosts = append(hosts, h.Host)
		}
		lines = append(lines, strings.TrimSpace("boot "+b.Role+b.Accessory+" "+b.Version)+" on "+strings.Join(hosts, ",")+" for "+strings.Join(b.Secrets, ","))
	}
	for _, l := range p.Left {
		lines = append(lines, "leave "+l.Role+l.Accessory+" on "+l.Host+": "+l.Why)
	}
	for _, u := range p.Unreached {
		lines = append(lines, "unreached "+u.Host)
	}
	return lines
}

func TestPlan(t *testing.T) {
	stale, equal := kamal.Stale, kamal.Equal
	for name, test := range map[string]struct {
		choice rotate.Choice
		runs   []kamal.Running
		want   []string
	}{
		"nothing is stale": {runs: []kamal.Running{role("h1", "web", "v1", equal), role("h2", "web", "v1", kamal.Escaped), accessory("h1", "db", equal)}},
		"one command for the hosts of a role": {
			runs: []kamal.Running{role("h1", "web", "v1", stale), role("h2", "web", "v1", kamal.Missing), role("h3", "web", "v1", equal)},
			want: []string{"boot web v1 on h1,h2 for AS_A"},
		},
		"no role but those that are stale": {
			runs: []kamal.Running{role("h1", "web", "v1", stale), role("h1", "jobs", "v1", equal), role("h2", "jobs", "v1", stale)},
			want: []string{"boot web v1 on h1 for AS_A", "boot jobs v1 on h2 for AS_A"},
		},
		"each at the version that runs": {
			runs: []kamal.Running{role("h1", "web", "v1", stale), role("h2", "web", "v2", stale)},
			want: []string{"boot web v1 on h1 for AS_A", "boot web v2 on h2 for AS_A"},
		},
		"no accessory that is not named": {
			runs: []kamal.Running{role("h1", "web", "v1", stale), accessory("h1", "db", stale), accessory("h1", "cache", equal)},
			want: []string{"boot web v1 on h1 for AS_A", "leave db on h1: an accessory is rebooted where it is named: --accessory db"},
		},
		"no other accessory than the one that is named": {
			choice: rotate.Choice{Accessories: []string{"db"}},
			runs:   []kamal.Running{accessory("h1", "db", stale), accessory("h1", "cache", stale)},
			want:   []string{"boot db on h1 for AS_A", "leave cache on h1: an accessory is rebooted where it is named: --accessory cache"},
		},
		"accessories before those who use them": {
			choice: rotate.Choice{Accessories: []string{"db", "cache"}},
			runs:   []kamal.Running{role("h1", "web", "v1", stale), accessory("h1", "db", stale), accessory("h2", "db", stale), accessory("h1", "cache", equal)},
			want:   []string{"boot db on h1,h2 for AS_A", "boot web v1 on h1 for AS_A"},
		},
		"by the name of a secret":   {choice: rotate.Choice{Secrets: []string{"A"}}, runs: []kamal.Running{role("h1", "web", "v1", stale)}, want: []string{"boot web v1 on h1 for AS_A"}},
		"by the name of a variable": {choice: rotate.Choice{Secrets: []string{"AS_A"}}, runs: []kamal.Running{role("h1", "web", "v1", stale)}, want: []string{"boot web v1 on h1 for AS_A"}},
		"not for another secret":    {choice: rotate.Choice{Secrets: []string{"B"}}, runs: []kamal.Running{role("h1", "web", "v1", stale), accessory("h1", "db", stale)}},
		"where nothing runs": {
			runs: []kamal.Running{{Host: "h1", Role: "web", Secrets: []kamal.RunningSecret{}}, role("h2", "web", "v1", stale)},
			want: []string{"boot web v1 on h2 for AS_A", "leave web on h1: no container runs: a deploy boots it"},
		},
		"where the version is not known": {
			runs: []kamal.Running{role("h1", "web", "", stale)},
			want: []string{"leave web on h1: its name does not tell the version: a deploy replaces it"},
		},
	} {
		p := test.choice.Plan(rotate.Report{Running: test.runs})
		if d := cmp.Diff(test.want, told(p), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if p.Equal() != (len(test.want) == 0) {
			t.Errorf("%s: equal is %v", name, p.Equal())
		}
	}
}

// lookedAt is a report as Kamal's process writes it.
func lookedAt(t *testing.T, running, hosts string) rotate.Report {
	t.Helper()
	r, err := rotate.Parse([]byte("  INFO something of Kamal's\n@kamal-op-running " + running + "\n@kamal-op-rotate " + hosts + "\nmore\n"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestParse(t *testing.T) {
	const web = `{"host":"h1","role":"web","container":"app-web-v1","id":"0123456789ab","version":"v1","created":"","secrets":[{"variable":"A","secret":"A","state":"stale"}]}`
	r := lookedAt(t, "["+web+","+strings.ReplaceAll(web, "h1", "h2")+"]",
		`{"lock":"h1","version":"v2_uncommitted_ab","unreached":[{"host":"h3","why":"Errno::ECONNREFUSED"}],"other":[{"host":"h2","role":"web"}]}`)
	p := rotate.Choice{}.Plan(r)
	want := []string{
		"boot web v1 on h1 for A", "leave web on h2: another image has the name of the version that runs: a deploy boots that", "unreached h3",
	}
	if d := cmp.Diff(want, told(p)); d != "" {
		t.Error(d)
	}
	if (rotate.Plan{Unreached: p.Unreached}).Equal() {
		t.Error("what could not be asked is as the vault has it")
	}
	if !p.Locked(r) || p.Version() != "v1" || !slices.Equal(p.Elsewhere(r), []string{"v1"}) {
		t.Errorf("%v, %q, %q", p.Locked(r), p.Version(), p.Elsewhere(r))
	}
	r.Lock, r.Version = "h3", "v1_uncommitted_ab"
	if p.Locked(r) || len(p.Elsewhere(r)) > 0 {
		t.Errorf("%v, %q", p.Locked(r), p.Elsewhere(r))
	}
	// What runs is what is here, with changes that are in no commit.
	for i := range p.Boots {
		p.Boots[i].Version = "v1_uncommitted_ab"
	}
	if got := p.Elsewhere(r); len(got) > 0 {
		t.Errorf("elsewhere: %q", got)
	}
	p.Boots[0].Version = "v1"
	env, err := p.Environment()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{`KAMAL_OP_ROTATE=[{"role":"web","version":"v1","hosts":[{"host":"h1","container":"app-web-v1","id":"0123456789ab"}],"secrets":["A"]}]`}, env); d != "" {
		t.Error(d)
	}
	for _, wrong := range []string{"", "@kamal-op-running []\n", "@kamal-op-running []\n@kamal-op-rotate {\n", "@kamal-op-rotate {}\n"} {
		if _, err := rotate.Parse([]byte(wrong)); err == nil {
			t.Errorf("%q is a report", wrong)
		}
	}
}

// What is chosen and is not there is told, as far as all is known.
func TestCheck(t *testing.T) {
	all := rotate.Report{Running: []kamal.Running{role("h1", "web", "v1", kamal.Equal), accessory("h1", "db", kamal.Equal)}}
	for name, test := range map[string]struct {
		choice rotate.Choice
		change func(r *rotate.Report)
		want   []string
	}{
		"all there": {choice: rotate.Choice{Secrets: []string{"A", "AS_A", "B"}, Accessories: []string{"db"}}},
		"neither": {
			choice: rotate.Choice{Secrets: []string{"C"}, Accessories: []string{"cache"}},
			want:   []string{"deploy.yml has no role or accessory with the secret C", "deploy.yml has no accessory with secrets that is called cache"},
		},
		"a host is down": {choice: rotate.Choice{Secrets: []string{"C"}, Accessories: []string{"cache"}}, change: func(r *rotate.Report) { r.Unreached = []rotate.Unreached{{Host: "h2"}} }},
		"one does not run": {
			choice: rotate.Choice{Secrets: []string{"C"}, Accessories: []string{"cache"}},
			change: func(r *rotate.Report) { r.Running = append(r.Running, kamal.Running{Host: "h2", Role: "web"}) },
			want:   []string{"deploy.yml has no accessory with secrets that is called cache"},
		},
	} {
		r := all
		if test.change != nil {
			test.change(&r)
		}
		var got []string
		err := test.choice.Check(r)
		for _, p := range problem.Of(err) {
			got = append(got, p.Message)
		}
		if d := cmp.Diff(test.want, got); d != "" || err != nil && problem.Status(err) != problem.Usage {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// What was done is what the hosts run after it, whatever was planned.
func TestDone(t *testing.T) {
	before := rotate.Report{Running: []kamal.Running{
		accessory("h1", "db", kamal.Stale), role("h1", "web", "v1", kamal.Stale), role("h2", "web", "v1", kamal.Stale), role("h3", "web", "v1", kamal.Stale), role("h1", "jobs", "v1", kamal.Stale),
	}}
	choice := rotate.Choice{Accessories: []string{"db"}}
	first := choice.Plan(before)
	booted := role("h1", "web", "v1", kamal.Equal)
	booted.ID = "another"
	helpless := role("h1", "jobs", "v1", kamal.Stale)
	helpless.ID = "another, too"
	after := choice.Plan(rotate.Report{
		Running:   []kamal.Running{{Host: "h1", Accessory: "db"}, booted, before.Running[2], helpless},
		Unreached: []rotate.Unreached{{Host: "h3"}},
	})
	if d := cmp.Diff([]string{"boot web v1 on h1 for AS_A", "boot jobs v1 on h1 for AS_A"}, told(rotate.Plan{Boots: first.Done(after)})); d != "" {
		t.Error(d)
	}
	want := []string{
		"leave db on h1: no container runs: kamal-op kamal -- accessory boot db boots it", "leave web on h2: it has another value than the vault still", "leave jobs on h1: it has another value than the vault still", "unreached h3",
	}
	if d := cmp.Diff(want, told(after.Undone())); d != "" {
		t.Error(d)
	}
}

// What a host or deploy.yml says moves no cursor.
func TestText(t *testing.T) {
	r := rotate.Report{Running: []kamal.Running{role("h1\x1b[2J", "web", "v1", kamal.Stale), accessory("h1", "db", kamal.Stale)}, Unreached: []rotate.Unreached{{Host: "h2", Why: "it is\ndown"}}}
	text := rotate.Choice{}.Plan(r).Text(false)
	want := "role web is booted again at v1, on h1\\x1b[2J\n  ~ AS_A\nh1, accessory db: left as it is\n  ✗ AS_A\n  an accessory is rebooted where it is named: --accessory db\nh2: could not be asked\n  it is down\n"
	if d := cmp.Diff(want, text); d != "" {
		t.Error(d)
	}
	if text = (rotate.Choice{Accessories: []string{"db"}}).Plan(r).Text(true); !strings.Contains(text, "accessory db is stopped and started anew on h1, its image pulled\n  \x1b[33m~") {
		t.Errorf("%q", text)
	}
}

// No text of a plan, wherever it comes from, is obeyed by a terminal.
func TestPlan_Text_showsEveryText(t *testing.T) {
	var p rotate.Plan
	testkit.FillWithObeyed(&p)
	for _, accessory := range []string{testkit.Obeyed, ""} {
		p.Boots[0].Accessory, p.Left[0].Accessory = accessory, accessory
		if text := p.Text(false); strings.ContainsAny(text, "\x1b\r") || !strings.Contains(text, `\x1b[2J`) {
			t.Errorf("%q", text)
		}
	}
}
