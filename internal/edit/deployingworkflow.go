package edit

import (
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// deployingWorkflow is the workflow that runs Kamal.
func deployingWorkflow(t tree, given string) (string, error) {
	if given != "" {
		given = filepath.ToSlash(given)
		if page := pageOf(given); page != "" && !migratedCI(page) {
			return "", notMigrated(given, page)
		}
		return given, nil
	}
	var found, undecided, done []string
	for _, name := range t.workflowNames() {
		f, err := t.read(name)
		switch {
		case err != nil || f.opaque:
		case len(deployingSteps(f.text)) > 0 || deploysElsewhere(f.text) > 0:
			found = append(found, name)
		case len(scriptsOf(f.text, (*script).mayDeploy)) > 0:
			undecided = append(undecided, name)
		case strings.Contains(f.text, oneStep):
			done = append(done, name)
		}
	}
	if len(found) == 0 {
		found = undecided
	}
	if len(found) == 0 {
		found = t.otherJobs()
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", problem.Usagef("say which: kamal-op migrate "+found[0], "more than one file runs kamal: %s", strings.Join(found, ", "))
	case len(done) > 0:
		return done[0], nil
	}
	for _, name := range t.workflowNames() {
		if f, err := t.read(name); err == nil && !f.opaque {
			if by := t.deploysBeyond(withoutComments(f.text), 0); by != "" {
				return "", problem.Usagef("write the deploy into a step of "+name+" first, as run: kamal deploy, or use kamal-op there by hand",
					"%s deploys by way of %s, which is not migrated: only the steps of a workflow are", name, by)
			}
		}
	}
	for _, name := range t.workflowNames() {
		if f, err := t.read(name); err == nil && !f.opaque && deploysElsewhere(f.text) > 0 {
			return name, nil // which is told with the place
		}
	}
	if by := t.callsDeploy(); by != "" {
		return "", problem.Usagef("migrate it in the repository that has it", "%s calls a workflow of another repository, which is not migrated from here", by)
	}
	others := t.otherFiles()
	for _, name := range others {
		if f, err := t.read(name); err == nil && callsOurs().MatchString(withoutComments(f.text)) {
			return name, nil // which has nothing to change
		}
	}
	if by, _ := t.deploysAlready(""); by != "" {
		if page := pageOf(by); migratedCI(page) {
			return by, nil // which is told with the place
		} else if page != "" {
			return "", notMigrated(by, page)
		}
	}
	neither := ""
	if len(others) > 0 {
		neither = ", nor does " + strings.Join(others, ", ")
	}
	return "", problem.Usagef("give its path: kamal-op migrate FILE; kamal-op init writes one", "no workflow in %s runs kamal%s", workflowDir, neither)
}

// deployingSteps are the scripts of a workflow that run kamal deploy.
func deployingSteps(text string) []*script { return scriptsOf(text, (*script).deploys) }

// scriptsOf are the scripts of a workflow that call kamal in some way.
func scriptsOf(text string, is func(*script) bool) []*script {
	var w struct {
		Jobs map[string]struct {
			Steps []struct{ Run string }
		}
	}
	if !strings.Contains(text, "kamal") {
		return nil
	}
	// Aliases without an end are none of the library's: it would read on.
	if _, _, err := parseWorkflow(text); err != nil || yaml.Unmarshal([]byte(text), &w) != nil {
		return nil
	}
	var all []*script
	for _, job := range w.Jobs {
		for _, step := range job.Steps {
			if s := parseScript(step.Run); strings.Contains(step.Run, "kamal") && is(s) {
				all = append(all, s)
			}
		}
	}
	return all
}

// deploysElsewhere is the line in which a workflow deploys otherwise than by the
// script of a step, as an action's input or in a container of Kamal's; 0 for none.
func deploysElsewhere(text string) int {
	for i, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") && deployedBy().MatchString(line) && !named().MatchString(line) {
			return i + 1
		}
	}
	return 0
}

var (
	deployedBy = lazy.Regexp(`(?:^|[\s/"'])kamal(?::\S+)?["']?\s(?:[^#\n]*\s)?(?:deploy|redeploy|setup)\b`)
	named      = lazy.Regexp(`^\s*(?:-\s+)?(?:run:\s*["']?)?(?:name|id|group|description|if|echo)\b`)
)
