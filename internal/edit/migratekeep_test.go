package edit

import (
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/check"
)

// What another step of the job needs stays, and is noted; what none needs goes.
func TestMigrate_keepsWhatOthersNeed(t *testing.T) {
	const (
		cli      = "      - uses: 1password/install-cli-action@v2\n"
		deploy   = "      - run: kamal deploy\n"
		jobToken = "    env:\n      OP_SERVICE_ACCOUNT_TOKEN: ${{ secrets.OP }}\n"
		loads    = "1password/load-secrets-action@"
		agents   = "webfactory/ssh-agent@"
		installs = "1password/install-cli-action@"
		gem      = "      - run: gem install kamal\n"
	)
	exported := strings.Replace(load, "export-env: false", "export-env: true", 1)
	for name, test := range map[string]struct {
		steps       string
		stay, gone  []string
		note        string
		withoutNote string
	}{
		"nothing else": {
			steps: cli + gem + exported + agent + deploy, gone: []string{loads, agents, installs, "gem install", "\n      OP_SERVICE"}, withoutNote: "stay",
		},
		"an output": {
			steps: load + agent + deploy + "      - uses: x/notify@v1\n        with:\n          hook: ${{ steps.op.outputs.REG }}\n",
			stay:  []string{loads, "\n      OP_SERVICE"}, gone: []string{agents}, note: "the step that loads secrets stays",
		},
		"an output, in the condition of the step itself": {
			steps: load + agent + deploy + "        if: steps.op.outputs.REG != ''\n", stay: []string{loads}, note: "loads secrets stays",
		},
		"no output, nothing exported": {
			steps: load + agent + deploy + "      - run: rake tidy\n", gone: []string{loads, agents, "\n      OP_SERVICE"}, note: "no agent runs any more",
		},
		"exported, a script behind it":  {steps: exported + agent + "      - run: rake db\n" + deploy, stay: []string{loads}, gone: []string{agents}, note: "loads secrets stays"},
		"exported, a script before it":  {steps: "      - run: rake test\n" + exported + agent + deploy, gone: []string{loads}, withoutNote: "loads secrets stays"},
		"exported, an action behind it": {steps: exported + agent + deploy + "      - uses: x/notify@v1\n", stay: []string{loads}},
		"exported, a harmless one":      {steps: exported + agent + "      - uses: actions/cache@v4\n" + deploy, gone: []string{loads}},
		"op is called": {
			steps: cli + load + agent + deploy + "      - run: |\n          X=$(op read op://V/I/X)\n",
			stay:  []string{installs, "\n      OP_SERVICE"}, gone: []string{loads, agents}, note: "the token stays",
		},
		"op is called by a step in braces": {
			steps: cli + load + agent + deploy + "      - {run: op whoami }\n", stay: []string{installs}, gone: []string{loads},
		},
		"ssh is called": {
			steps: load + agent + deploy + "      - run: ssh deploy@host uptime\n",
			stay:  []string{agents, loads}, note: "the agent stays",
		},
		"only its folder is named": {steps: load + agent + "      - run: mkdir -p ~/.ssh\n" + deploy, gone: []string{agents, loads}, note: "no agent runs any more"},
		"kamal is called":          {steps: cli + gem + load + agent + deploy + "      - run: bin/kamal app details\n", stay: []string{agents, loads, installs, "gem install"}},
	} {
		text := strings.Replace(before, "  deploy: # it\n    runs-on: x\n", "  deploy: # it\n    runs-on: x\n"+jobToken, 1) + test.steps
		dir := project(t, map[string]string{".github/workflows/d.yml": text})
		plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := plan.Changes[0].New
		for _, part := range test.stay {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %q is gone:\n%s", name, part, got)
			}
		}
		for _, part := range test.gone {
			if strings.Contains(got, part) {
				t.Errorf("%s: %q is there:\n%s", name, part, got)
			}
		}
		notes := strings.Join(plan.Notes, "\n")
		if !strings.Contains(notes, test.note) || test.withoutNote != "" && strings.Contains(notes, test.withoutNote) {
			t.Errorf("%s: notes %q", name, notes)
		}
		if !strings.Contains(got, one) {
			t.Errorf("%s: no step of kamal-op:\n%s", name, got)
		}
	}
}
