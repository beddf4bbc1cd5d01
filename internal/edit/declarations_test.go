package edit

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/check"
)

// threeJobs declare the same: two in lines, two in a line.
const threeJobs = `deploy:
  variables:
    KAMAL_OP_SECRETS: |
      OLD=op://v/staging/OLD
      # the rest

      P=op://v/staging/P
  script:
    - kamal-op deploy
d2:
  variables:
    KAMAL_OP_SECRETS: |
      OLD=op://v/production/OLD
  script:
    - kamal-op deploy
d3:
  variables:
    KAMAL_OP_SECRETS: "OLD=op://v/i/OLD"
  script:
    - kamal-op deploy
d4:
  variables: {KAMAL_OP_SECRETS: "P=op://v/i/P\nOLD=op://v/i/OLD"} # no X=op://v
`

func threeJobsProject(t *testing.T, jobs string) check.Options {
	t.Helper()
	return check.Options{Dir: project(t, map[string]string{
		".gitlab-ci.yml":    jobs,
		"config/deploy.yml": "service: a\nimage: x/a\nservers: [1.2.3.4]\nregistry: {username: x, password: [P]}\nbuilder: {arch: amd64}\nenv:\n  secret: [OLD]\n",
		".kamal/secrets":    "P=$P\nOLD=$OLD\n",
	})}
}

func newTextOf(plan Plan, file string) string {
	i := slices.IndexFunc(plan.Changes, func(c Change) bool { return c.File == file })
	if i < 0 {
		return ""
	}
	return plan.Changes[i].New
}

// A secret is declared to each job that has declarations in lines; the others are told.
func TestAdd_declaresToEachJob(t *testing.T) {
	plan, err := Add(t.Context(), threeJobsProject(t, threeJobs), Addition{Name: "NEW"})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(threeJobs, "staging/P\n", "staging/P\n      NEW=op://v/staging/NEW\n", 1)
	want = strings.Replace(want, "production/OLD\n", "production/OLD\n      NEW=op://v/production/NEW\n", 1)
	if got := newTextOf(plan, ".gitlab-ci.yml"); got != want {
		t.Errorf("got\n%s", got)
	}
	for _, at := range []string{"20:24", "24:34"} {
		if note := ".gitlab-ci.yml:" + at + " declares secrets in one line, which is not changed: declare NEW there too, if that run needs it"; !slices.Contains(plan.Notes, note) {
			t.Errorf("not told: %s\n%s", note, strings.Join(plan.Notes, "\n"))
		}
	}
}

// Where one job's declaration cannot be changed, none is, and each place is told.
func TestRename_tellsEachPlace(t *testing.T) {
	for name, plan := range map[string]func(o check.Options) (Plan, error){
		"rename": func(o check.Options) (Plan, error) { return Rename(o, "OLD", "FRESH") },
		"remove": func(o check.Options) (Plan, error) { return Remove(o, "OLD") },
	} {
		t.Run(name, func(t *testing.T) {
			plan, err := plan(threeJobsProject(t, threeJobs))
			if err != nil {
				t.Fatal(err)
			}
			if got := newTextOf(plan, ".gitlab-ci.yml"); got != "" {
				t.Errorf("changed to\n%s", got)
			}
			for _, line := range []int{4, 13, 18, 22} {
				if !strings.Contains(strings.Join(plan.Notes, "\n"), fmt.Sprintf(".gitlab-ci.yml:%d:", line)) {
					t.Errorf("line %d is not told: %q", line, plan.Notes)
				}
			}
		})
	}
}

func TestRename_renamesInEachJob(t *testing.T) {
	jobs := threeJobs[:strings.Index(threeJobs, "d3:")]
	plan, err := Rename(threeJobsProject(t, jobs), "OLD", "FRESH")
	if want := strings.ReplaceAll(jobs, "OLD", "FRESH"); err != nil || newTextOf(plan, ".gitlab-ci.yml") != want {
		t.Errorf("%v\n%s", err, newTextOf(plan, ".gitlab-ci.yml"))
	}
}

// Jobs of which every one declares in a line are read too.
func TestAdd_tellsWhereNoJobHasLines(t *testing.T) {
	plan, err := Add(t.Context(), threeJobsProject(t, threeJobs[strings.Index(threeJobs, "d3:"):]), Addition{Name: "NEW"})
	if err != nil || newTextOf(plan, ".gitlab-ci.yml") != "" || strings.Count(strings.Join(plan.Notes, "\n"), "declares secrets in one line") != 2 {
		t.Errorf("%v, %q", err, plan.Notes)
	}
}

// With --destination the declarations of others stay as they are: a deploy of theirs would
// look for a field that their item has not.
func TestAdd_declaresForOneDestination(t *testing.T) {
	const (
		gitlab = "production:\n  variables:\n    KAMAL_OP_SECRETS: |\n      OLD=op://v/production/OLD\n  script:\n    - kamal-op deploy -d production\n" +
			"staging:\n  variables:\n    KAMAL_OP_SECRETS: |\n      OLD=op://v/staging/OLD\n  script:\n    - kamal-op deploy -d staging\n"
		github = "on: push\njobs:\n  a:\n    steps:\n      - uses: kamal-op/kamal-op@v1\n        with:\n          secrets: |\n            OLD=op://v/plain/OLD\n" +
			"      - uses: kamal-op/kamal-op@v1\n        with:\n          destination: staging\n          secrets: |\n            OLD=op://v/staging/OLD\n" +
			"  b:\n    uses: kamal-op/kamal-op/.github/workflows/deploy.yml@v1\n    with:\n      destination: production\n      secrets: |\n        OLD=op://v/production/OLD\n" +
			"  c:\n    uses: kamal-op/kamal-op/.github/workflows/deploy.yml@v1\n    with:\n      destination: ${{ inputs.to }}\n      secrets: |\n        OLD=op://v/any/OLD\n"
	)
	o := func(destination string) check.Options {
		return check.Options{Destinations: []string{destination}, Dir: project(t, map[string]string{
			".gitlab-ci.yml": gitlab, ".github/workflows/d.yml": github,
			"config/deploy.yml":            "service: a\nimage: x/a\nservers: [1.2.3.4]\nregistry: {username: x, password: [P]}\nbuilder: {arch: amd64}\n",
			"config/deploy.staging.yml":    "env:\n  secret: [OLD]\n",
			"config/deploy.production.yml": "env:\n  secret: [OLD]\n",
			".kamal/secrets-common":        "P=$P\n", ".kamal/secrets.staging": "OLD=$OLD\n", ".kamal/secrets.production": "OLD=$OLD\n",
		})}
	}
	added := func(text string, of ...string) string {
		for _, item := range of {
			at := strings.Index(text, "OLD=op://v/"+item+"/OLD\n")
			in := text[strings.LastIndex(text[:at], "\n")+1 : at]
			line := "OLD=op://v/" + item + "/OLD\n"
			text = strings.Replace(text, line, line+in+"NEW=op://v/"+item+"/NEW\n", 1)
		}
		return text
	}
	for _, destination := range []string{"staging", "production"} {
		plan, err := Add(t.Context(), o(destination), Addition{Name: "NEW"})
		if err != nil {
			t.Fatal(err)
		}
		if got := newTextOf(plan, ".gitlab-ci.yml"); got != added(gitlab, destination) {
			t.Errorf("%s: got\n%s", destination, got)
		}
		if got := newTextOf(plan, ".github/workflows/d.yml"); got != added(github, destination, "any") {
			t.Errorf("%s: got\n%s", destination, got)
		}
	}
	plan, err := Rename(o("staging"), "OLD", "FRESH")
	if err != nil {
		t.Fatal(err)
	}
	if got := newTextOf(plan, ".gitlab-ci.yml"); strings.Contains(got, "FRESH=op://v/production") {
		t.Errorf("renamed for production too:\n%s", got)
	}
}
