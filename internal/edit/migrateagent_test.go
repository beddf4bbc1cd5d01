package edit

import (
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/check"
)

// A script that starts an agent with keys of 1Password's becomes the input ssh-key,
// however it hands them over; where one is from elsewhere, that is told.
func TestMigrate_agentOfAScript(t *testing.T) {
	const (
		server   = "          ssh-key: op://MyApp/Server/SSH_KEY\n"
		start    = "eval $(ssh-agent -s)\n"
		read     = "op read op://MyApp/Server/SSH_KEY"
		cli      = "      - uses: 1password/install-cli-action@v2\n"
		deploy   = "      - run: kamal deploy\n"
		elsewise = "put the key into 1Password, and migrate with --ssh-key op://Vault/Server"
	)
	script := func(text string) string {
		return "      - name: Agent\n        run: |\n          " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n          ") + "\n"
	}
	action := func(key string) string {
		return "      - uses: webfactory/ssh-agent@v0.9.0\n        with:\n          ssh-private-key: ${{ " + key + " }}\n"
	}
	for name, test := range map[string]struct {
		steps string
		key   string // that the command line names
		want  string // of the inputs
		stays bool   // the step that starts the agent
		notes []string
	}{
		"a pipe":                                 {steps: script(start + read + " | ssh-add -"), want: server},
		"with a file for others":                 {steps: script("set -euo pipefail\nssh-agent -a /tmp/agent.sock > /dev/null\necho \"SSH_AUTH_SOCK=/tmp/agent.sock\" >> \"$GITHUB_ENV\"\nexport SSH_AUTH_SOCK=/tmp/agent.sock\n" + read + " | tr -d '\\r' | ssh-add -q - 2>/dev/null\nssh-add -l"), want: server},
		"what echo prints":                       {steps: script(start + "echo \"$(" + read + ")\" | ssh-add -"), want: server},
		"a word as the input":                    {steps: script("eval \"$(ssh-agent -s)\" && ssh-add - <<< \"$(" + read + ")\""), want: server},
		"a document as the input":                {steps: script(start + "ssh-add - <<END\n$(" + read + ")\nEND"), want: server},
		"a command as the file":                  {steps: script(start + "ssh-add <(" + read + ")"), want: server},
		"a command as the input":                 {steps: script(start + "ssh-add - < <(" + read + ")"), want: server},
		"a variable":                             {steps: script(start + "KEY=\"$(" + read + ")\"\nprintf '%s\\n' \"$KEY\" | ssh-add -"), want: server},
		"a file":                                 {steps: script("mkdir -p ~/.ssh\n" + start + read + " > ~/.ssh/key\nchmod 600 ~/.ssh/key\nssh-add ~/.ssh/key\nrm ~/.ssh/key"), want: server},
		"two keys":                               {steps: script(start + read + " | ssh-add -\nop read 'op://MyApp/Proxy/private key' | ssh-add -"), want: "          ssh-key: |\n            op://MyApp/Server/SSH_KEY\n            op://MyApp/Proxy/private key\n"},
		"two steps":                              {steps: script(start) + strings.Replace(script(read+" | ssh-add -"), "Agent", "Agent 2", 1), want: server},
		"a vault that is given":                  {steps: strings.Replace(script(start+"op read \"op://$VAULT/Server/SSH_KEY\" | ssh-add -"), "        run", "        env:\n          VAULT: MyApp\n        run", 1), want: server},
		"an output":                              {steps: load + strings.Replace(script(start+"echo \"$KEY\" | ssh-add -"), "        run", "        env:\n          KEY: ${{ steps.op.outputs.KEY }}\n        run", 1), want: "          ssh-key: op://V/Server/key\n"},
		"an output, as it is":                    {steps: load + script(start+"echo \"${{ steps.op.outputs.KEY }}\" | ssh-add -"), want: "          ssh-key: op://V/Server/key\n"},
		"more in the step":                       {steps: script(start + read + " | ssh-add -\nbin/tidy"), want: server, stays: true, notes: []string{"the agent of this step stays"}},
		"work in what it prints":                 {steps: script(start + read + " | ssh-add -\necho \"$(bin/build)\""), want: server, stays: true, notes: []string{"the agent of this step stays"}},
		"a word to the runner":                   {steps: script(start + read + " | ssh-add -\necho \"::add-mask::$FOO\""), want: server, stays: true, notes: []string{"the agent of this step stays"}},
		"work at its end":                        {steps: script("trap \"kill $SSH_AGENT_PID; bin/upload\" EXIT\n" + start + read + " | ssh-add -"), want: server, stays: true, notes: []string{"the agent of this step stays"}},
		"an agent that ends":                     {steps: script("trap \"kill $SSH_AGENT_PID\" EXIT\n" + start + read + " | ssh-add -\nkill $SSH_AGENT_PID"), want: server},
		"an outcome that is read":                {steps: strings.Replace(script(start+read+" | ssh-add -"), "        run", "        id: agent\n        run", 1) + "      - run: rake\n        if: steps.agent.outcome == 'success'\n", want: server, stays: true, notes: []string{"the agent of this step stays"}},
		"ssh in another":                         {steps: script(start+read+" | ssh-add -") + "      - run: ssh deploy@host uptime\n", want: server, stays: true, notes: []string{"the agent of this step stays"}},
		"a script in another":                    {steps: script(start+read+" | ssh-add -") + "      - run: bin/tidy\n", want: server, notes: []string{"no agent runs any more"}},
		"GitHub's secret":                        {steps: script(start + "echo \"${{ secrets.SSH_KEY }}\" | ssh-add -"), stays: true, notes: []string{"starts an agent with a key that comes from GitHub's secrets (${{ secrets.SSH_KEY }})", elsewise}},
		"GitHub's secret, by env":                {steps: strings.Replace(script(start+"ssh-add - <<< \"$K\""), "        run", "        env:\n          K: ${{ secrets.SSH_KEY }}\n        run", 1), stays: true, notes: []string{"comes from GitHub's secrets (${{ secrets.SSH_KEY }})", elsewise}},
		"GitHub's secret, now given":             {steps: script(start + "echo \"${{ secrets.SSH_KEY }}\" | ssh-add -"), key: "op://MyApp/Server/SSH_KEY", want: server},
		"one of each":                            {steps: script(start + read + " | ssh-add -\necho \"${{ secrets.SSH_KEY }}\" | ssh-add -"), stays: true, notes: []string{"comes from GitHub's secrets"}},
		"the action's, and a script's":           {steps: load + action("steps.op.outputs.KEY") + script(start+read+" | ssh-add -"), want: "          ssh-key: |\n            op://V/Server/key\n            op://MyApp/Server/SSH_KEY\n"},
		"the action's, twice the same":           {steps: load + action("steps.op.outputs.KEY") + action("steps.op.outputs.KEY"), want: "          ssh-key: op://V/Server/key\n"},
		"the action's, in place of another's":    {steps: load + action("secrets.GIT") + action("steps.op.outputs.KEY"), want: "          ssh-key: op://V/Server/key\n", notes: []string{"is not taken along: the agent of line"}},
		"the action's, behind a script's":        {steps: load + script(start+read+" | ssh-add -") + action("steps.op.outputs.KEY"), want: "          ssh-key: |\n            op://MyApp/Server/SSH_KEY\n            op://V/Server/key\n"},
		"the action's, and GitHub's secret":      {steps: load + action("steps.op.outputs.KEY") + script("echo \"${{ secrets.K }}\" | ssh-add -"), want: "          ssh-key: op://V/Server/key\n", stays: true, notes: []string{"starts an agent with a key that comes from GitHub's secrets (${{ secrets.K }})", elsewise}},
		"one given for the action's, a script's": {steps: action("secrets.K") + script(start+read+" | ssh-add -"), key: "op://V/Other", want: "          ssh-key: |\n            op://V/Other\n            op://MyApp/Server/SSH_KEY\n"},
		"one given for all":                      {steps: load + action("steps.op.outputs.KEY"), key: "op://V/Other", want: "          ssh-key: op://V/Other\n"},
		"in a condition":                         {steps: script("if true; then\n  " + start + "  " + read + " | ssh-add -\nfi"), stays: true, notes: []string{"a key that cannot be read here", elsewise}},
		"a file of somewhere":                    {steps: script(start + "ssh-add deploy_key"), stays: true, notes: []string{"a key that cannot be read here", elsewise}},
		"no key":                                 {steps: script(start), stays: true, notes: []string{"starts an agent with keys that are not known here"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := project(t, map[string]string{".github/workflows/d.yml": before + cli + test.steps + deploy})
			plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{SSHKey: test.key})
			if err != nil {
				t.Fatal(err)
			}
			got := plan.Changes[0].New
			if test.want == "" && strings.Contains(got, "ssh-key:") || !strings.Contains(got, "secrets.OP") || !strings.Contains(got, test.want) {
				t.Errorf("no %q in\n%s", test.want, got)
			}
			if test.stays != strings.Contains(got, "- name: Agent") {
				t.Errorf("the step stays: %v\n%s", !test.stays, got)
			}
			notes := strings.Join(plan.Notes, "\n")
			for _, note := range append(test.notes, "") {
				if !strings.Contains(notes, note) {
					t.Errorf("no %q in %q", note, notes)
				}
			}
			if strings.Contains(notes, "starts no agent") || len(test.notes) == 0 && slices.ContainsFunc(plan.Notes, func(n string) bool { return strings.Contains(n, "agent") }) {
				t.Errorf("notes: %q", notes)
			}
			if gone := !test.stays && !strings.Contains(got, "op read"); gone && strings.Contains(got, "install-cli-action") {
				t.Errorf("op is installed for nothing:\n%s", got)
			}
		})
	}
}

// The agent and the deploy in one script: the agent's lines go.
func TestMigrate_agentAndDeployInOneScript(t *testing.T) {
	text := before + "      - name: Deploy\n        run: |\n          eval $(ssh-agent -s)\n          op read op://MyApp/Server/SSH_KEY | ssh-add -\n          kamal deploy -d eu\n"
	dir := project(t, map[string]string{".github/workflows/d.yml": text})
	plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := before + "      - name: Deploy\n        uses: kamal-op/kamal-op@v1\n        with:\n          service-account-token: ${{ secrets.OP_SERVICE_ACCOUNT_TOKEN }}\n          ssh-key: op://MyApp/Server/SSH_KEY\n          destination: eu\n"
	if got := plan.Changes[0].New; got != want {
		t.Error(got)
	}
}

// What has the token from nowhere yet is to be given one, which may read no more
// than it has to.
func TestMigrate_saysThatTheTokenIsToBeSet(t *testing.T) {
	for name, test := range map[string]struct{ steps, secrets, want string }{
		"a key":           {steps: "      - run: op read op://MyApp/Server/SSH_KEY | ssh-add -\n", want: "may read the vault MyApp and nothing else"},
		"another vault":   {steps: "      - run: op read op://MyApp/Server/SSH_KEY | ssh-add -\n", secrets: "A=$(op read op://Shared/I/A)\n", want: "may read the vaults MyApp, Shared and nothing else"},
		"none":            {want: "may read the vaults of the project and nothing else"},
		"it is there":     {steps: "      - run: op whoami\n        env:\n          OP_SERVICE_ACCOUNT_TOKEN: ${{ secrets.OP_SERVICE_ACCOUNT_TOKEN }}\n"},
		"by another name": {steps: load},
	} {
		dir := project(t, map[string]string{".github/workflows/d.yml": before + test.steps + "      - run: kamal deploy\n", ".kamal/secrets": test.secrets})
		plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(plan.Todo, func(todo Todo) bool { return todo.Do == "set-token" })
		if i >= 0 != (test.want != "") || i >= 0 && !strings.Contains(plan.Todo[i].Text, "set the repository's secret OP_SERVICE_ACCOUNT_TOKEN: the token of a service account that "+test.want) {
			t.Errorf("%s: left to do: %v", name, plan.Todo)
		}
	}
}

// The steps of another job, which has contexts of its own, keep no step of this one.
func TestMigrate_jobsOfTheSameSteps(t *testing.T) {
	job := func(name, destination string) string {
		return "  " + name + ":\n    runs-on: ubuntu-latest\n    steps:\n" + load + agent + "      - run: kamal deploy -d " + destination + "\n"
	}
	dir := project(t, map[string]string{".github/workflows/d.yml": "on: push\njobs:\n" + job("a", "staging") + job("b", "production")})
	plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := plan.Changes[0].New; strings.Contains(got, "load-secrets-action") || strings.Count(got, "ssh-key: op://V/Server/key") != 2 {
		t.Error(got)
	}
	if len(plan.Notes) > 0 {
		t.Errorf("notes %q", plan.Notes)
	}
}
