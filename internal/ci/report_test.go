package ci_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// at is a time so many milliseconds into the run.
func at(ms int64) time.Time {
	return time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC).Add(time.Duration(ms) * time.Millisecond)
}

// deployed is a run that went well.
func deployed() ci.Report {
	return ci.Report{
		Command: "deploy", Service: "myapp", Version: "6f1ed002ab5595859014ebf0951522d9", Destination: "production",
		URL: "https://app.example.com", Took: 74 * time.Second,
		Hosts: []ci.HostReport{
			{Host: "192.0.2.10", Role: "web", Before: "9fceb02d0ae598e95dc970b74767f19372d61af8", After: "6f1ed002ab5595859014ebf0951522d9"},
			{Host: "192.0.2.11", Role: "job", After: "6f1ed002ab5595859014ebf0951522d9"},
		},
		Phases: []ci.Phase{
			{Name: "build and push", Begun: at(900), Took: 61 * time.Second},
			{Name: "boot", Begun: at(61900), Took: 12 * time.Second},
			{Name: "boot web", Host: "192.0.2.10", Begun: at(61900), Took: 8 * time.Second},
			{Name: "boot job", Host: "192.0.2.11", Begun: at(69900), Took: 4 * time.Second},
			{Name: "prune", Begun: at(73900)},
		},
		Secrets: []ci.SecretReport{
			{Name: "KAMAL_REGISTRY_PASSWORD", Vault: "MyApp", Item: "Production", Field: "KAMAL_REGISTRY_PASSWORD", ItemVersion: 7, Changed: at(-864e5)},
			{Name: "RAILS_MASTER_KEY", Vault: "MyApp", Item: "Production", Field: "RAILS_MASTER_KEY"},
			{Name: "APP_HOST", Vault: "MyApp", Item: "Production", Field: "APP_HOST", Public: true},
		},
		Signatures: []string{"logins as root: 3"},
		Uses: []ci.Use{
			{Time: at(-900), Kind: ci.Lookup, What: "op read op://MyApp/Production/RAILS_MASTER_KEY", Process: "kamal (4711)", Times: 2},
			{Time: at(0), Kind: ci.Login, What: "docker login ghcr.io"},
			{Time: at(61900), Kind: ci.Signature, What: "a login with SHA256:wX0", Host: "192.0.2.10", User: "root", Process: "ruby (4711)", Times: 1},
		},
		MoreUses: 4,
		Lock:     []string{"taken at 09:31:01", "released at 09:31:14"},
		Rollback: "kamal-op rollback 9fceb02d0ae598e95dc970b74767f19372d61af8 --destination production",
	}
}

// failed is one that did not, with names that mean something to Markdown.
func failed() ci.Report {
	return ci.Report{
		Command: "deploy", Service: "my|app_*", Status: 1, Took: 12340 * time.Millisecond, RunURL: "https://github.com/octocat/hello-world/actions/runs/1658821493",
		Hosts: []ci.HostReport{
			{Host: "192.0.2.10", Role: "web", Before: "9fceb02d", After: "9fceb02d", RolledBack: true},
			{Host: "192.0.2.11", Role: "web", Before: "9fceb02d", After: "9fceb02d"},
			{Host: "192.0.2.12", Role: "web", Before: "9fceb02d", Unknown: true},
		},
		Rollback: "kamal-op rollback 9fceb02d --hosts 192.0.2.12",
		Phases: []ci.Phase{
			{Name: "boot: `web`; #1", Host: "[2001:db8::1]", Begun: at(0), Took: 12340 * time.Millisecond, Failed: true},
		},
		Secrets:   []ci.SecretReport{{Name: "A|B", Vault: "<b>My</b> & App", Item: "a`b", Field: "@octocat"}},
		Refused:   []string{"a signature for git@github.com: it is none of the hosts"},
		Problems:  problem.List{noSuchField(), problem.New("two ``` fences", "")},
		LastWords: []string{"ERROR (SSHKit::Command::Failed): target failed to become healthy", "```"},
	}
}

func TestReport_ReadsAsAPage(t *testing.T) {
	golden(t, "reports/deployed.md", deployed().Markdown())
	golden(t, "reports/failed.md", failed().Markdown())
	golden(t, "reports/empty.md", ci.Report{}.Markdown())
}

func TestReport_SaysHowItEnded(t *testing.T) {
	for status, want := range map[int]string{0: "succeeded", 1: "failed", 2: "failed", 5: "ran out of time", 6: "was done in part", 130: "was cancelled", 143: "was cancelled"} {
		if got := (ci.Report{Status: status}).Result(); got != want {
			t.Errorf("%d: %q, want %q", status, got, want)
		}
	}
}

// Whatever names hold, the page keeps its shape: the same headings, and tables
// whose rows have one cell for each column.
func FuzzReport(f *testing.F) {
	f.Add("name")
	f.Add("a|b\n## c\n```\n<script>\\|`")
	f.Add("\\")
	f.Add("`|`` ")
	f.Fuzz(func(t *testing.T, name string) {
		if strings.TrimSpace(name) == "" {
			t.Skip()
		}
		name = "x" + name + "x"
		r := ci.Report{
			Command: name, Service: name, Version: name, Destination: name, URL: name, RunURL: "https://" + name,
			Hosts:      []ci.HostReport{{Host: name, Role: name, Before: name, After: name}},
			Phases:     []ci.Phase{{Name: name, Host: name, Begun: at(0)}},
			Secrets:    []ci.SecretReport{{Name: name, Vault: name, Item: name, Field: name, ItemVersion: 1, Changed: at(0)}},
			Signatures: []string{name},
			Uses:       []ci.Use{{Time: at(0), Kind: ci.Lookup, What: name, Host: name, User: name, Process: name, Times: 2}},
			Rollback:   "kamal-op rollback",
		}
		var headings, cells []int
		fenced := ""
		for _, line := range strings.Split(r.Markdown(), "\n") {
			switch {
			case fenced != "":
				if line == fenced {
					fenced = ""
				}
			case strings.HasPrefix(line, "```"):
				fenced = strings.TrimRight(line, "abcdefghijklmnopqrstuvwxyz")
			case strings.HasPrefix(line, "#"):
				headings = append(headings, strings.IndexByte(line, ' '))
			case strings.HasPrefix(line, "|"):
				cells = append(cells, strings.Count(line, "|")-strings.Count(line, `\|`))
			case strings.HasPrefix(line, "<"), strings.HasPrefix(line, ">"):
				t.Errorf("the line %q", line)
			}
		}
		if fenced != "" || len(headings) != 7 || headings[0] != 2 || headings[6] != 3 {
			t.Errorf("headings %v, open fence %q:\n%s", headings, fenced, r.Markdown())
		}
		for i, want := range []int{5, 5, 5, 4, 4, 4, 7, 7, 7, 8, 8, 8} {
			if i >= len(cells) || cells[i] != want {
				t.Fatalf("cells %v:\n%s", cells, r.Markdown())
			}
		}
	})
}
