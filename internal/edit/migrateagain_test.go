package edit

import (
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/check"
)

// What calls kamal-op already has nothing to change, in whatever way and file it does; who
// has nothing that runs Kamal is told where it was looked for.
func TestMigrate_Again(t *testing.T) {
	for name, test := range map[string]struct{ file, text, more, note, err string }{
		"a command":          {file: ".gitlab-ci.yml", text: "deploy:\n  script:\n    - kamal-op deploy\n", note: ".gitlab-ci.yml calls kamal-op already"},
		"another command":    {file: ".gitlab-ci.yml", text: "deploy:\n  script:\n    - kamal-op setup -d eu\n", note: ".gitlab-ci.yml calls kamal-op already"},
		"a command of Kamal": {file: ".gitlab-ci.yml", text: "deploy:\n  script:\n    - kamal-op kamal app boot\n", note: ".gitlab-ci.yml calls kamal-op already"},
		"an included file":   {file: "ci/deploy.yml", text: "deploy:\n  script:\n    - kamal-op redeploy\n", more: "include: {local: ci/deploy.yml}\ntest:\n  script: [rake]\n", note: "ci/deploy.yml calls kamal-op already"},
		"a component":        {file: ".gitlab-ci.yml", text: "include:\n  - component: gitlab.com/kamal-op/kamal-op/deploy@1\n", note: ".gitlab-ci.yml calls kamal-op already"},
		"an orb":             {file: ".circleci/config.yml", text: "version: 2.1\norbs:\n  kamal-op: kamal-op/kamal-op@1\nworkflows:\n  w:\n    jobs:\n      - kamal-op/deploy\n", note: ".circleci/config.yml calls kamal-op already"},
		"a job of CircleCI":  {file: ".circleci/config.yml", text: "version: 2.1\njobs:\n  d:\n    docker: [{image: x}]\n    steps:\n      - run: kamal-op rollback\n", note: ".circleci/config.yml calls kamal-op already"},
		"none":               {file: ".circleci/config.yml", text: "version: 2.1\n", more: "test:\n  script: [rake]\n", err: "no workflow in .github/workflows runs kamal, nor does .gitlab-ci.yml, .circleci/config.yml"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"config/deploy.yml": "service: a\n", test.file: test.text}
			if test.more != "" {
				files[gitlabFile] = test.more
			}
			plan, err := Migrate(check.Options{Dir: project(t, files)}, MigrateOptions{Share: true})
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("%v does not say %q", err, test.err)
				}
				return
			}
			if err != nil || len(plan.Changes) > 0 || !strings.Contains(strings.Join(plan.Notes, "\n"), test.note) {
				t.Errorf("%v, %v, %q", err, plan.Changes, plan.Notes)
			}
		})
	}
}
