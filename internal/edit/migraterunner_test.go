package edit

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/kamal"
)

// What the runner has and the action's container has not is told, each with its
// place; known hosts that the workflow itself has are taken along.
func TestMigrate_tellsWhatTheRunnerHad(t *testing.T) {
	deploy := func(steps string) string {
		return "on: push\njobs:\n  d:\n    runs-on: ubuntu-latest\n    env:\n      HOSTS: ${{ vars.HOSTS }}\n    steps:\n" + steps + "      - run: kamal deploy\n"
	}
	config := map[string]string{"config/deploy.yml": "service: a\n"}
	tests := map[string]struct {
		steps       string
		files       map[string]string
		told        []string
		with        string
		nothingTold bool
	}{
		"programs of a secrets file": {
			files: map[string]string{".kamal/secrets": "A=$(kamal secrets fetch --adapter bitwarden-sm all)\nB=$(aws secretsmanager get | jq -r .B)\nC=$(op read op://V/I/F)\nD=$(bin/secret | tr -d x)\n"},
			told:  []string{".kamal/secrets:1:3 calls bws,", ".kamal/secrets:2:3 calls aws,", ".kamal/secrets:2:3 calls jq,"},
		},
		"programs of a hook": {
			files: map[string]string{".kamal/hooks/pre-deploy": "#!/usr/bin/env bash\nsay() { echo; }\nsay\nif curl -f x; then git fetch; fi\n", ".kamal/hooks/post-deploy.sample": "#!/bin/zsh\n"},
			told:  []string{".kamal/hooks/pre-deploy:1 calls bash,", ".kamal/hooks/pre-deploy calls curl,"},
		},
		"programs of ERB": {
			files: map[string]string{"config/deploy.yml": "service: <%= `gh repo view`.strip %>\nx: <%= %x(git rev-parse HEAD) %>\n"},
			told:  []string{"config/deploy.yml calls gh,"},
		},
		"programs of a script of the project": {
			files: map[string]string{".kamal/secrets": "A=$(bin/secret A)\n", "bin/secret": "#!/usr/bin/env bash\n./bin/other $1 | jq .\n", "bin/other": "#!/usr/bin/env node\nbin/secret\n"},
			told:  []string{"bin/secret:1 calls bash,", "bin/secret calls jq,", "bin/other:1 calls node,"},
		},
		"gems of the project": {
			files: map[string]string{
				".kamal/secrets": "A=$(bin/rails runner 'puts 1')\nB=$(bundle exec rake b)\nC=$(rails credentials:fetch c)\n", "bin/rails": "#!/usr/bin/env ruby\nrequire_relative \"../config/boot\"\n",
				"config/deploy.yml": "<% require 'json'; require \"active_support/all\"; require 'aws-sdk-ssm' %>\nservice: a\n", "config/deploy.eu.yml": "<% require_relative \"environment\"; require_relative '../config/environment' %>\nx: <%= Rails.application.credentials.x %>\n",
			},
			told: []string{".kamal/secrets:1:3 calls the project's gems (bin/rails),", ".kamal/secrets:2:3 calls the project's gems (bundle),", ".kamal/secrets:3:3 calls the project's gems (rails),", "config/deploy.yml calls the project's gems (aws-sdk-ssm),", "deploy.eu.yml calls the project's gems (config/environment),", "deploy.eu.yml calls the project's gems (Rails),"},
		},
		"programs that deploy.yml names": {
			files: map[string]string{"config/deploy.yml": "service: a\nssh:\n  proxy_command: 'cloudflared access ssh --hostname %h'\nbuilder:\n  pack:\n    builder: heroku/builder:24\n"},
			told:  []string{"config/deploy.yml calls cloudflared,", "config/deploy.yml calls pack,"},
		},
		"a proxy command of ssh's":                {files: map[string]string{"config/deploy.yml": "service: a\nssh:\n  proxy_command: \"ssh -W %h:%p jump\"\n"}, nothingTold: true},
		"a login of an action's":                  {steps: "      - uses: docker/login-action@v3\n        with: {registry: ghcr.io}\n", told: []string{"d.yml:8: the login of this step"}},
		"a login of a script's":                   {steps: "      - run: echo $P | docker login -u x --password-stdin\n", told: []string{"d.yml:8: the login of this step"}},
		"a hook that a shell of any kind can run": {files: map[string]string{".kamal/hooks/pre-deploy": "#!/bin/sh\ngit fetch && docker info | grep x\n"}, nothingTold: true},
		"the Kamal of a Gemfile": {
			files: map[string]string{"Gemfile.lock": "GEM\n  specs:\n    kamal (2.8.1)\n"}, told: []string{"Gemfile.lock has Kamal 2.8.1"},
		},
		"the Kamal that was installed": {steps: "      - run: gem install kamal -v 2.5.3\n", told: []string{"d.yml:8: Kamal 2.5.3 was installed here"}},
		"known hosts of a secret": {
			steps: "      - run: |\n          mkdir -p ~/.ssh\n          echo \"${{ secrets.KNOWN }}\" >> ~/.ssh/known_hosts\n          echo \"$HOSTS\" >> ~/.ssh/known_hosts\n",
			told:  []string{"d.yml:8: the known hosts that this step writes"}, with: "          host-keys: |\n            ${{ secrets.KNOWN }}\n            ${{ vars.HOSTS }}\n",
		},
		"known hosts of an action": {
			steps: "      - uses: shimataro/ssh-key-action@v2\n        with:\n          key: ${{ secrets.KEY }}\n          known_hosts: ${{ secrets.KNOWN }}\n",
			told:  []string{"d.yml:8: the known hosts", "d.yml:8: the SSH key that this step puts in place"}, with: "          host-keys: ${{ secrets.KNOWN }}\n",
		},
		"known hosts from elsewhere":    {steps: "      - run: cp hosts ~/.ssh/known_hosts\n", told: []string{"give it the input host-keys"}},
		"whatever key answers":          {steps: "      - run: ssh-keyscan h >> ~/.ssh/known_hosts\n", told: []string{"ssh-keyscan takes whatever key answers"}},
		"a configuration of SSH":        {steps: "      - run: printf 'Host a' > ~/.ssh/config\n", told: []string{"the SSH configuration that this step writes"}},
		"a key in a file":               {steps: "      - run: |\n          echo \"${{ secrets.KEY }}\" > ~/.ssh/id_ed25519\n", told: []string{"the SSH key that this step puts in place"}},
		"an agent of a script's":        {steps: "      - run: eval $(ssh-agent) && ssh-add - <<< \"${{ secrets.KEY }}\"\n", nothingTold: true}, // its step is gone
		"names of hosts":                {steps: "      - run: echo \"10.0.0.1 db\" | sudo tee -a /etc/hosts\n", told: []string{"the names of hosts that this step adds"}},
		"nothing that is on the runner": {steps: "      - run: echo done\n", nothingTold: true},
	}
	results := t.TempDir()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{".github/workflows/d.yml": deploy(test.steps)}
			for _, more := range []map[string]string{config, test.files} {
				for file, text := range more {
					files[file] = text
				}
			}
			plan, err := Migrate(check.Options{Dir: project(t, files)}, MigrateOptions{SSHKey: "op://V/S"})
			if err != nil {
				t.Fatal(err)
			}
			told := strings.Join(plan.Notes, "\n")
			for _, todo := range plan.Todo {
				if todo.Do == "set-token" {
					continue
				}
				told += "\n" + todo.Text
			}
			for _, want := range test.told {
				if !strings.Contains(told, want) {
					t.Errorf("%q is not told in\n%s", want, told)
				}
			}
			if test.nothingTold && strings.TrimSpace(told) != "" {
				t.Errorf("told: %s", told)
			}
			if calls := strings.Count(told, " calls "); calls != strings.Count(strings.Join(test.told, "\n"), " calls ") {
				t.Errorf("%d programs are told:\n%s", calls, told)
			}
			if !strings.Contains(plan.Changes[0].New, test.with) {
				t.Error(plan.Changes[0].New)
			}
			if err := os.WriteFile(filepath.Join(results, strings.ReplaceAll(name, " ", "-")+".yml"), []byte(plan.Changes[0].New), 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
	lint(t, results)
}

// The version that notes name is the one of the action's image.
func TestImageKamal(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^ARG KAMAL_IMAGE=\S+:v([\w.]+)`).FindSubmatch(text)
	if m == nil || string(m[1]) != kamal.TestedVersion {
		t.Errorf("the image has %q, and notes say %s", m, kamal.TestedVersion)
	}
}

// A workflow that others call declares the secret with the token, and those of the
// repository that call it hand it over, however many steps away.
func TestMigrate_declaresWhatCallersHandOver(t *testing.T) {
	const called = "on:\n  workflow_call:\n    secrets:\n      SSH_KEY:\n        required: true # yes\n\n    inputs:\n      to: {type: string}\njobs:\n  d:\n    runs-on: ubuntu-latest\n    steps:\n      - run: kamal deploy\n"
	caller := func(on, secrets string) string {
		return "on:" + on + "\njobs:\n  ship:\n    uses: ./.github/workflows/d.yml\n" + secrets + "  rest:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo\n"
	}
	const token = "      OP_SERVICE_ACCOUNT_TOKEN: ${{ secrets.OP_SERVICE_ACCOUNT_TOKEN }}\n"
	files := map[string]string{
		".github/workflows/d.yml":       called,
		".github/workflows/named.yml":   caller(" push", "    secrets:\n      SSH_KEY: ${{ secrets.SSH_KEY }}\n"),
		".github/workflows/none.yml":    caller("\n  workflow_call:", ""),
		".github/workflows/inherit.yml": caller(" push", "    secrets: inherit\n"),
		".github/workflows/second.yml":  "on: push\njobs:\n  a:\n    uses: ./.github/workflows/none.yml\n",
		".github/workflows/other.yml":   "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo\n",
	}
	declared := "      OP_SERVICE_ACCOUNT_TOKEN:\n        required: true\n"
	want := map[string]string{
		".github/workflows/d.yml": strings.Replace(strings.Replace(called, "# yes\n", "# yes\n"+declared, 1), "      - run: kamal deploy\n",
			"      - uses: kamal-op/kamal-op@v1\n        with:\n          service-account-token: ${{ secrets.OP_SERVICE_ACCOUNT_TOKEN }}\n          ssh-key: op://V/S\n", 1),
		".github/workflows/named.yml":  caller(" push", "    secrets:\n      SSH_KEY: ${{ secrets.SSH_KEY }}\n"+token),
		".github/workflows/none.yml":   caller("\n  workflow_call:\n    secrets:\n"+strings.TrimSuffix(declared, "\n"), "    secrets:\n"+token),
		".github/workflows/second.yml": files[".github/workflows/second.yml"] + "    secrets:\n" + token,
	}
	for _, eol := range []string{"\n", "\r\n"} {
		written := map[string]string{}
		for file, text := range files {
			written[file] = strings.ReplaceAll(text, "\n", eol)
		}
		dir := project(t, written)
		plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{SSHKey: "op://V/S"})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, c := range plan.Changes {
			got[c.File] = strings.ReplaceAll(c.New, "\r\n", "\n")
			if strings.Count(c.New, "\n") != strings.Count(c.New, eol) {
				t.Errorf("%s has lines that end otherwise", c.File)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if err := plan.Write(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, workflowDir, "inherit.yml")); err != nil { // actionlint asks nothing of it
			t.Fatal(err)
		}
		lint(t, filepath.Join(dir, workflowDir))
	}
}
