package edit

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

// A verdict is what check says of one destination of a project, beside what Kamal has.
type verdict struct {
	what     string
	cut      bool // a value is to be cut, which only a shell does
	findings []check.Finding
	number   int  // of the question
	erb      bool // which decides something
	declared []string
}

// declaredNames are the names that the project's workflow declares to kamal-op for a
// destination, which supplies those that no secrets file defines. Kamal alone does not
// have them. The workflow's step names no destination: it deploys the plain one.
func declaredNames(g testkit.Generated, destination string) (names []string) {
	if destination != "" {
		return nil
	}
	for _, f := range g.Archive.Files {
		for _, m := range regexp.MustCompile(`(?m)^ +(\w+)=op://Shop/Declared/`).FindAllStringSubmatch(string(f.Data), -1) {
			names = append(names, m[1])
		}
	}
	return names
}

// What check says of generated projects, and of the same with a mistake in each, held
// against what real Kamal makes of them: it stops, lacks a name, gives an app nothing
// or text of the shell's, or all is well.
func TestGenerated_checkedAsKamalHasIt(t *testing.T) {
	if *realKamal == "" {
		t.Skip("runs with -kamal PATH, in the Kamal image")
	}
	var verdicts []verdict
	var questions []question
	for seed := range *generated {
		original := testkit.Generate(uint64(seed))
		for i := range 4 {
			mistake := testkit.Mistakes[(seed*3+i)%len(testkit.Mistakes)]
			if i == 0 {
				mistake = "nothing"
			}
			g, ok := original.Broken(mistake, uint64(i))
			if !ok {
				continue
			}
			dir := testkit.WriteProject(t, g.Archive, g.Form)
			env := environment(g, dir, nil)
			config := g.ConfigFile
			if config == "" {
				config = "config/deploy.yml"
			}
			given := []string{}
			for name, value := range env {
				given = append(given, name+"="+value)
			}
			for _, d := range g.Destinations {
				report, err := check.Check(context.Background(), check.Options{Dir: dir, ConfigFile: g.ConfigFile, Destinations: []string{d}, Env: given})
				if err != nil {
					t.Errorf("seed %d, %s: %v", seed, mistake, err)
					continue
				}
				verdicts = append(verdicts, verdict{fmt.Sprintf("seed %d, %s, destination %q", seed, mistake, d), mistake == "a prefix of the shell", report.Findings, len(questions), len(report.Unknown) > 0, declaredNames(g, d)})
				questions = append(questions, question{Dir: dir, Config: config, Destination: d, Env: env, Every: true})
			}
		}
	}
	answers := ask(t, questions)
	right, wrong := 0, 0
	for _, v := range verdicts {
		a := answers[v.number]
		supplied := "supplied by kamal-op"
		for _, name := range v.declared {
			if value, used := a.Used[name]; used && value == nil {
				a.Used[name] = &supplied
			}
		}
		if diff := v.against(a); diff != "" {
			t.Errorf("%s: %s\nKamal: %+v\ncheck: %s", v.what, diff, a, told(v.findings))
		}
		if a.bad() == "" {
			right++
		} else {
			wrong++
		}
	}
	t.Logf("%d projects, %d verdicts: Kamal takes %d and not %d", *generated, len(verdicts), right, wrong)
	if right == 0 || wrong == 0 {
		t.Error("all were the same")
	}
}

// bad is what is wrong with what Kamal has, or "".
func (a answer) bad() string {
	if a.Error != "" {
		return a.Error
	}
	for _, name := range slices.Sorted(maps.Keys(a.Used)) {
		value := a.Used[name]
		switch {
		case value == nil:
			return name + " is not there"
		case *value == "":
			return name + " is empty"
		case strings.Contains(*value, "op://"), strings.HasPrefix(*value, "`"), strings.HasPrefix(*value, "$("), strings.HasPrefix(*value, "\""),
			strings.HasPrefix(*value, "$'"), strings.Contains(*value, ":-"), strings.Contains(*value, ":?"), strings.Contains(*value, "#v}"),
			strings.HasPrefix(*value, "("), strings.HasPrefix(*value, "<("), *value == "$$", strings.Contains(*value, "${{"), strings.Contains(*value, `'\''`),
			strings.Contains(*value, "2>"), strings.HasPrefix(*value, "{k:") && !strings.HasSuffix(*value, "}"):
			return name + " is " + *value
		}
	}
	return ""
}

// against holds what check said against what Kamal has.
func (v verdict) against(a answer) string {
	failed := slices.ContainsFunc(v.findings, func(f check.Finding) bool { return f.Level == check.Error || v.erb && f.Level == check.Warning })
	clear := slices.ContainsFunc(v.findings, func(f check.Finding) bool { return f.Rule == check.RuleClear || f.Rule == check.RulePlaintext })
	bad := a.bad()
	source := slices.ContainsFunc(v.findings, func(f check.Finding) bool { return f.Rule == check.RuleNoSource })
	switch {
	case strings.HasSuffix(bad, " is empty") && source: // what starts the deploy may give it
	case bad != "" && !failed:
		return "check is content, and " + bad
	case bad == "" && failed && !clear && !v.erb && !v.cut:
		return "check is not content, and Kamal has it all"
	}
	if a.Error != "" {
		return ""
	}
	for name, value := range a.Used {
		missing := slices.ContainsFunc(v.findings, func(f check.Finding) bool {
			if f.Rule == check.RuleUndefined && f.Secret == "" { // those of a file that is not read are told at once
				return slices.Contains(strings.FieldsFunc(f.Problem.Message, func(r rune) bool { return r == ' ' || r == ',' }), name)
			}
			return f.Secret == name && (f.Rule == check.RuleUndefined || f.Rule == check.RuleAlias)
		})
		if missing != (value == nil) {
			return fmt.Sprintf("%s: not defined is %v, and Kamal has it not %v", name, missing, value == nil)
		}
	}
	for _, f := range v.findings {
		if _, used := a.Used[f.Secret]; used && f.Rule == check.RuleUnused {
			return f.Secret + " is used"
		}
	}
	return ""
}

func told(findings []check.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "\n  %s %s: %v", f.Level, f.Rule, f.Problem)
	}
	return b.String()
}
