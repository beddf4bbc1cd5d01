package edit

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

// A trial is one edit of one generated project.
type trial struct {
	what     string
	project  testkit.Generated
	do       func(check.Options) (Plan, error)
	expected func(destination string, before answer) answer // what Kamal is to say afterwards

	dir           string
	envAfter      map[string]string
	fields        map[string]string
	before, after []int // numbers of the questions
	refused       error
}

var envLine = regexp.MustCompile(`(?m)^      (\w+): \$\{\{ secrets\.(\w+) \}\}`)

// environment is what Kamal's would be where the project's workflow runs it: the
// variables of its env, those that are declared, and those that only CI gives.
func environment(g testkit.Generated, dir string, fields map[string]string) map[string]string {
	env := map[string]string{}
	for name, value := range g.Env {
		if strings.HasPrefix(name, "FROM_CI_") || strings.HasPrefix(name, "OP_") {
			env[name] = value
		}
	}
	text, _ := os.ReadFile(filepath.Join(dir, ".github", "workflows", "deploy.yml"))
	for _, m := range envLine.FindAllSubmatch(text, -1) {
		env[string(m[1])] = "github-" + string(m[2])
	}
	for _, l := range declarations(string(text)) {
		path := strings.TrimPrefix(l.reference, "op://")
		if was, ok := fields[path]; ok {
			path = was
		}
		env[l.name] = "value of " + path
	}
	return env
}

// renamedFields are the fields that the plan leaves to a person to rename.
func renamedFields(p Plan) map[string]string {
	fields := map[string]string{}
	for _, todo := range p.Todo {
		if todo.Do == "rename-field" {
			was := strings.TrimPrefix(todo.Reference, "op://")
			words := strings.Fields(todo.Text)
			fields[was[:strings.LastIndexByte(was, '/')+1]+words[len(words)-1]] = was
		}
	}
	return fields
}

// trialsOf are the edits of a generated project.
func trialsOf(g testkit.Generated) []*trial {
	renameIn := func(values map[string]string, from, to string) map[string]string {
		out := map[string]string{}
		for name, value := range values {
			if name == from {
				name = to
			}
			out[name] = value
		}
		return out
	}
	all := func(a answer, change func(map[string]string) map[string]string) answer {
		out := answer{Error: a.Error, Containers: map[string]map[string]string{}}
		if a.Secrets != nil {
			out.Secrets = change(a.Secrets)
		}
		for name, values := range a.Containers {
			out.Containers[name] = change(values)
		}
		return out
	}
	var trials []*trial
	for i, name := range g.Names {
		trials = append(trials, &trial{
			what: "rename " + name, project: g,
			do: func(o check.Options) (Plan, error) { return Rename(o, name, "NEW_"+name) },
			expected: func(_ string, before answer) answer {
				return all(before, func(v map[string]string) map[string]string { return renameIn(v, name, "NEW_"+name) })
			},
		})
		if i != int(g.Seed)%len(g.Names) {
			continue
		}
		trials = append(trials, &trial{
			what: "remove " + name, project: g,
			do: func(o check.Options) (Plan, error) { return Remove(o, name) },
			expected: func(_ string, before answer) answer {
				return all(before, func(v map[string]string) map[string]string {
					v = maps.Clone(v)
					delete(v, name)
					delete(v, "IN_"+name)
					return v
				})
			},
		})
	}
	trials = append(trials,
		&trial{what: "add", project: g, do: func(o check.Options) (Plan, error) {
			return Add(context.Background(), o, Addition{Name: "ADDED", Item: "op://Shop/Extra"})
		}},
		&trial{
			what: "init", project: g, do: func(o check.Options) (Plan, error) { return Init(context.Background(), o, InitOptions{}) },
			expected: func(_ string, before answer) answer { return before },
		},
		&trial{what: "init anew", project: g, do: func(o check.Options) (Plan, error) {
			return Init(context.Background(), o, InitOptions{Force: true, Vault: "Shop"})
		}},
		&trial{
			what: "migrate", project: g, do: func(o check.Options) (Plan, error) {
				return Migrate(o, MigrateOptions{SSHKey: "op://Shop/Server"})
			},
			expected: func(_ string, before answer) answer { return before },
		},
	)
	return trials
}

// What edits do to generated projects, asked of real Kamal before and after: no
// value is lost or another, and every workflow that is written is one. The seeds
// are counted from 0; the long run makes 300.
func TestGenerated_asKamalHasIt(t *testing.T) {
	if *realKamal == "" {
		t.Skip("runs with -kamal PATH, in the Kamal image")
	}
	var trials []*trial
	var questions []question
	put := func(tr *trial, env, fields map[string]string) (numbers []int) {
		config := tr.project.ConfigFile
		if config == "" {
			config = "config/deploy.yml"
		}
		for _, d := range tr.project.Destinations {
			numbers = append(numbers, len(questions))
			questions = append(questions, question{Dir: tr.dir, Config: config, Destination: d, Env: env, Fields: fields})
		}
		return numbers
	}
	workflows := t.TempDir()
	for seed := range *generated {
		g := testkit.Generate(uint64(seed))
		original := &trial{project: g, dir: testkit.WriteProject(t, g.Archive, g.Form)}
		original.before = put(original, environment(g, original.dir, nil), nil)
		for _, tr := range trialsOf(g) {
			tr.before = original.before
			prepare(t, tr, put, filepath.Join(workflows, fmt.Sprintf("%d-%d.yml", seed, len(trials))))
			trials = append(trials, tr)
		}
	}
	answers := ask(t, questions)
	counts := map[string]int{}
	for _, tr := range trials {
		what, _, _ := strings.Cut(tr.what, " ")
		if tr.refused != nil {
			counts[what+" refused"]++
			continue
		}
		counts[what]++
		tr.compare(t, answers)
	}
	lint(t, workflows)
	t.Logf("%d projects, %d questions to Kamal: %v", *generated, len(questions), counts)
	for _, what := range []string{"rename", "remove", "add", "init", "migrate"} {
		if counts[what] == 0 {
			t.Errorf("%s: none was done", what)
		}
	}
}

// prepare writes a project, edits it, and asks what has become of it.
func prepare(t *testing.T, tr *trial, put func(*trial, map[string]string, map[string]string) []int, workflow string) {
	t.Helper()
	g := tr.project
	tr.dir = testkit.WriteProject(t, g.Archive, g.Form)
	if tr.what == "init anew" {
		if err := os.RemoveAll(filepath.Join(tr.dir, ".kamal")); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(tr.dir, ".github")); err != nil {
			t.Fatal(err)
		}
	}
	o := check.Options{Dir: tr.dir, ConfigFile: g.ConfigFile}
	unchanged := testkit.ReadProject(t, tr.dir)
	plan, err := tr.do(o)
	if err == nil {
		err = plan.Write(tr.dir)
	}
	if err != nil {
		tr.refused = err
		if diff := cmp.Diff(unchanged, testkit.ReadProject(t, tr.dir)); diff != "" {
			t.Errorf("seed %d, %s: refused (%v), and changed:\n%s", g.Seed, tr.what, err, diff)
		}
		if strings.HasPrefix(tr.what, "init") || tr.what == "add" {
			t.Errorf("seed %d, %s: %v", g.Seed, tr.what, err)
		}
		return
	}
	tr.fields = renamedFields(plan)
	tr.envAfter = environment(g, tr.dir, tr.fields)
	for _, todo := range plan.Todo {
		if todo.Do == "declare" {
			tr.envAfter["ADDED"] = "declared"
		}
	}
	tr.after = put(tr, tr.envAfter, tr.fields)
	if text, err := os.ReadFile(filepath.Join(tr.dir, ".github", "workflows", "deploy.yml")); err == nil {
		if err := os.WriteFile(workflow, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// compare holds what Kamal says afterwards against what it said before.
func (tr *trial) compare(t *testing.T, answers []answer) {
	t.Helper()
	for i, d := range tr.project.Destinations {
		before, after := answers[tr.before[i]], answers[tr.after[i]]
		what := fmt.Sprintf("seed %d, %s, destination %q", tr.project.Seed, tr.what, d)
		if before.Error != "" {
			t.Errorf("%s: Kamal does not take what was generated: %s", what, before.Error)
			continue
		}
		switch {
		case after.Error != "":
			t.Errorf("%s: %s", what, after.Error)
		case tr.what == "init anew":
			for _, container := range after.Containers {
				for name, value := range container {
					if value == "" {
						t.Errorf("%s: %s is empty", what, name)
					}
				}
			}
		case tr.what == "add":
			given := 0
			for name, values := range after.Containers {
				if values["ADDED"] != "" {
					given++
				}
				delete(values, "ADDED")
				if name == "registry" && given > 0 && len(after.Containers) == 1 {
					t.Errorf("%s: the registry has it", what)
				}
			}
			if after.Secrets["ADDED"] == "" || given == 0 {
				t.Errorf("%s: ADDED is %q, in %d containers", what, after.Secrets["ADDED"], given)
			}
			after.Secrets = without(after.Secrets, func(name string) bool { return name == "ADDED" || strings.HasPrefix(name, "SECRETS") })
			before.Secrets = without(before.Secrets, func(name string) bool { return strings.HasPrefix(name, "SECRETS") })
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("%s (-before +after):\n%s", what, diff)
			}
		default:
			want := tr.expected(d, before)
			fetched := func(name string) bool { return strings.HasPrefix(name, "SECRETS") } // JSON of them all
			want.Secrets, after.Secrets = without(want.Secrets, fetched), without(after.Secrets, fetched)
			if diff := cmp.Diff(want, after); diff != "" {
				t.Errorf("%s (-before +after):\n%s", what, diff)
			}
		}
	}
}

func without(values map[string]string, gone func(string) bool) map[string]string {
	out := maps.Clone(values)
	maps.DeleteFunc(out, func(name, _ string) bool { return gone(name) })
	return out
}
