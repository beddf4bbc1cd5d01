package edit

import (
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A workflow that is called takes no secret in braces: the problem names the key and its
// line.
func TestMigrate_CalledInBraces(t *testing.T) {
	for on, line := range map[string]int{
		"on: {workflow_call: }\n":                                        1,
		"on: {workflow_call: {}}\n":                                      1,
		"on: {push: {}, workflow_call: {inputs: {a: {type: string}}}}\n": 1,
		"on:\n  push:\n  workflow_call: {inputs: {a: {type: string}}}\n": 3,
		"on:\n  workflow_call:\n    secrets: {A: {required: true}}\n":    2,
	} {
		text := on + strings.TrimPrefix(before, "on: push\n") + load + agent + "      - run: kamal deploy\n"
		dir := project(t, map[string]string{".github/workflows/d.yml": text, "config/deploy.yml": "service: a\n"})
		_, err := Migrate(check.Options{Dir: dir}, MigrateOptions{})
		problems := problem.Of(err)
		if len(problems) != 1 || problems[0].Place.Line != line || !strings.Contains(problems[0].Message, "on.workflow_call") {
			t.Errorf("%q: %+v", on, problems)
		}
	}
}
