package edit

import (
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/check"
)

// What one job is given no other takes, and what is there already is not lost.
func TestMigrate_refusesToMixJobs(t *testing.T) {
	deploy := ".deploy:\n  image: ruby:3.4\n  script:\n    - op run -- kamal deploy -d $TARGET\n"
	for name, test := range map[string]struct{ text, err string }{
		"secrets of each heir's before_script": {
			deploy + "staging:\n  extends: .deploy\n  before_script:\n    - export P=$(op read op://v/staging/p)\nproduction:\n  extends: .deploy\n  before_script:\n    - export P=$(op read op://v/production/p)\n",
			".gitlab-ci.yml:9: the job production has its script from .deploy, as others have, and another before_script",
		},
		"references of each heir's variables": {
			deploy + "staging:\n  extends: .deploy\n  variables:\n    P: op://v/staging/p\nproduction:\n  extends: .deploy\n  variables:\n    P: op://v/production/p\n",
			"the jobs staging and production have a script in common, and other secret references as variables",
		},
		"secrets that an heir has of its own": {
			strings.Replace(deploy, "    - op run", "    - export B=$(op read op://v/i/b)\n    - op run", 1) + "staging:\n  extends: .deploy\nproduction:\n  extends: .deploy\n  variables:\n    KAMAL_OP_SECRETS: A=op://v/i/a\n",
			".gitlab-ci.yml:11: KAMAL_OP_SECRETS is there already for the job production",
		},
		"secrets that are there": {
			"variables:\n  KAMAL_OP_SECRETS: A=op://v/i/a\ndeploy:\n  image: ruby\n  script:\n    - export B=$(op read op://v/i/b)\n    - kamal deploy\n",
			".gitlab-ci.yml:2: KAMAL_OP_SECRETS is there already, and lacks what the job is given beside it: B=op://v/i/b",
		},
		"host keys that are there": {
			"variables:\n  KAMAL_OP_HOST_KEYS: old\ndeploy:\n  image: ruby\n  script:\n    - echo \"$KNOWN\" >> ~/.ssh/known_hosts\n    - kamal deploy\n",
			".gitlab-ci.yml:2: KAMAL_OP_HOST_KEYS is there already, and lacks what the job is given beside it: env://KNOWN",
		},
		"a job in braces":           {"deploy: {image: \"ruby:3.4\", script: [\"kamal deploy\"]}\n", ".gitlab-ci.yml:1: the job deploy is written in braces"},
		"a job in braces, in lines": {"deploy: {\n  image: ruby,\n  script: [kamal deploy]\n  }\n", ".gitlab-ci.yml:1: the job deploy is written in braces"},
		"before_script in braces": {
			".base: {before_script: [gem install kamal], tags: [docker]}\ndeploy:\n  extends: .base\n  image: ruby\n  script:\n    - kamal deploy\n",
			".gitlab-ci.yml:1: the job .base is written in braces",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _, err := migratedJobs(t, ".gitlab-ci.yml", test.text, ""); err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%v does not say %q\n%s", err, test.err, got)
			}
		})
	}
}

// A job of another file that runs the same script is not left with kamal-op where there is
// none, and is told where it may go on.
func TestMigrate_heirsInOtherFiles(t *testing.T) {
	const hidden = ".deploy:\n  image: ruby:3.4\n  script:\n    - kamal deploy -d $TARGET\n"
	for name, test := range map[string]struct{ heir, want string }{
		"an image of its own":    {"  image: ruby:3.3\n", "ci/deploy.yml:1: the job production of another file runs this script too, with image of its own"},
		"commands of its own":    {"  before_script: [gem install kamal]\n", "ci/deploy.yml:1: the job production of another file runs this script too, with before_script of its own"},
		"a reference of its own": {"  variables:\n    P: op://v/production/p\n", "ci/deploy.yml:1: the job production of another file runs this script too, with a secret reference of its own: P"},
		"nothing of its own":     {"  variables:\n    TARGET: production\n", ""},
		"another script":         {"  image: ruby:3.3\n  script: [rake]\n", "-"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := project(t, map[string]string{
				"config/deploy.yml": "service: a\n", "ci/deploy.yml": hidden,
				".gitlab-ci.yml": "include: [{local: ci/deploy.yml}]\nproduction:\n  extends: .deploy\n" + test.heir,
			})
			plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{Workflow: "ci/deploy.yml"})
			told := strings.Contains(strings.Join(plan.Notes, "\n"), "ci/deploy.yml:1: the job production of another file runs this script too, and calls kamal-op now")
			switch {
			case strings.HasPrefix(test.want, "ci/"):
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%v does not say %q", err, test.want)
				}
			case err != nil || told != (test.want == ""):
				t.Errorf("%v, told: %v: %q", err, told, plan.Notes)
			}
		})
	}
}

// A command that a parameter decides is told, alone and beside one that is migrated; what a
// step has for itself is not declared for a deploy in another one.
func TestMigrate_whatCircleDecides(t *testing.T) {
	const decided = "jobs:\n  any:\n    docker: [{image: ruby}]\n    parameters: {cmd: {type: string}}\n    steps:\n      - run: bundle exec kamal << parameters.cmd >>\n"
	if _, _, err := migratedJobs(t, ".circleci/config.yml", decided, ""); err == nil || !strings.Contains(err.Error(), "config.yml:6: which command of kamal this line runs is not known") {
		t.Errorf("alone: %v", err)
	}
	deploys := decided + "  deploy:\n    docker:\n      - image: ruby\n    steps:\n      - run:\n          command: bin/seed\n          environment:\n            SEED: op://v/i/SEED\n" +
		"      - run:\n          command: kamal deploy\n          environment:\n            P: op://v/i/P\n" +
		"commands:\n  ship:\n    parameters: {cmd: {type: string}}\n    steps:\n      - run: kamal << parameters.cmd >>\n"
	got, plan, err := migratedJobs(t, ".circleci/config.yml", deploys, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, note := range []string{"config.yml:6: which command of kamal this line runs is not known", "which command of kamal ship runs is not known"} {
		if !strings.Contains(strings.Join(plan.Notes, "\n"), note) {
			t.Errorf("not told: %s\n%q", note, plan.Notes)
		}
	}
	if !strings.Contains(got, "        P=op://v/i/P\n") || strings.Contains(got, "SEED=op") {
		t.Errorf("got\n%s", got)
	}
	if _, _, err := migratedJobs(t, ".gitlab-ci.yml", "any:\n  script:\n    - kamal $[[ inputs.cmd ]]\n", ""); err == nil || !strings.Contains(err.Error(), ".gitlab-ci.yml:3: which command of kamal this line runs is not known") {
		t.Errorf("GitLab's: %v", err)
	}
}

// What is there already and has all of it stays as it is.
func TestMigrate_takesSecretsThatAreThere(t *testing.T) {
	got, _, err := migratedJobs(t, ".gitlab-ci.yml", "deploy:\n  image: ruby\n  variables:\n    KAMAL_OP_SECRETS: B=op://v/i/b\n  script:\n    - export B=$(op read op://v/i/b)\n    - kamal deploy\n", "")
	want := "deploy:\n  image: " + ourImage + "\n  variables:\n    KAMAL_OP_SECRETS: B=op://v/i/b\n  script:\n    - kamal-op deploy\n"
	if err != nil || got != want {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestMigrate_tellsWhatGoesWithAnImage(t *testing.T) {
	_, plan, err := migratedJobs(t, ".gitlab-ci.yml", "deploy:\n  image:\n    name: ruby\n    docker: {user: app}\n  script:\n    - kamal deploy\n", "")
	if err != nil || !strings.Contains(strings.Join(plan.Notes, "\n"), ".gitlab-ci.yml:4: docker is of the image that the job had") {
		t.Errorf("%v, %q", err, plan.Notes)
	}
}

// A job of CircleCI's has more than its steps.
func TestMigrate_refusesWhatACircleJobWouldLose(t *testing.T) {
	job := func(head, steps string) string {
		return "version: 2.1\njobs:\n  deploy:\n" + head + "    steps:\n      - checkout\n" + steps
	}
	docker := "    docker:\n      - image: cimg/ruby:3.4\n"
	run := "      - run: kamal deploy\n"
	executors := func(of string) string { return job("    executor: r\n", run) + "executors:\n  r:\n" + of }
	for name, test := range map[string]struct{ text, err string }{
		"secrets beside the orb's": {
			job(docker+"    environment:\n      KAMAL_OP_SECRETS: Z=op://v/i/z\n", "      - 1password/export:\n          var-name: TOKEN\n          secret-reference: op://v/i/token\n"+run),
			"config.yml:7: KAMAL_OP_SECRETS is there already, and lacks what the job is given beside it: TOKEN=op://v/i/token",
		},
		"an executor's second container": {executors("    docker:\n      - image: a\n      - image: postgres\n"), "config.yml:4: the executor r gives the job more than one container"},
		"an executor's environment":      {executors("    docker:\n      - image: a\n    environment:\n      A: b\n"), "the executor r gives the job more than an image: environment in line 12"},
		"an executor's container's":      {executors("    docker:\n      - image: a\n        environment: {A: b}\n"), "the executor r gives the job more than an image: environment in line 12"},
		"an executor on a machine":       {executors("    machine: true\n"), "the executor r gives the job more than an image: machine"},
		"an executor of an orb's":        {job("    executor: ruby/default\n", run), "what the executor ruby/default gives the job is not known here"},
		"auth of the image":              {job(docker+"        auth: {username: a, password: $P}\n", run), "config.yml:6: auth is of the image that the job has now"},
		"an entrypoint of the image":     {job(docker+"        entrypoint: /e.sh\n", run), "config.yml:6: entrypoint is of the image that the job has now"},
		"two values of a reference": {
			job(docker, "      - run:\n          environment: {Q: \"op://v/i/a\"}\n          command: op run -- kamal deploy -d a\n      - run:\n          environment: {Q: \"op://v/i/b\"}\n          command: op run -- kamal deploy -d b\n"),
			"config.yml:12: Q has two values in the job, one of them a secret reference",
		},
		"secrets of one step": {job(docker, "      - run:\n          environment: {KAMAL_OP_SECRETS: \"A=op://v/i/a\"}\n          command: kamal deploy\n"), "config.yml:9: KAMAL_OP_SECRETS stands in one step"},
		"a deploy within a second job": {
			job(docker, run) + "  other:\n    docker: [{image: x}]\n    steps:\n      - when:\n          condition: true\n          steps:\n            - run: kamal deploy -d y\n",
			"config.yml:15: the deploy of the job other stands within another step",
		},
		"a deploy in a command of a second job": {
			job(docker, run) + "  other:\n    docker: [{image: x}]\n    steps:\n      - ship\ncommands:\n  ship:\n    steps:\n      - run: kamal deploy\n",
			"the deploy stands in ship, under commands",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _, err := migratedJobs(t, ".circleci/config.yml", test.text, ""); err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%v does not say %q\n%s", err, test.err, got)
			}
		})
	}
}

// References of the container and of a step are declared, as those of the job are.
func TestMigrate_declaresReferencesOfAContainer(t *testing.T) {
	got, _, err := migratedJobs(t, ".circleci/config.yml", "version: 2.1\njobs:\n  deploy:\n    docker:\n      - image: cimg/ruby:3.4\n        environment: {K: \"op://v/i/k\"}\n    steps:\n      - run:\n          environment: {Q: \"op://v/i/q\"}\n          command: op run -- kamal deploy\n", "")
	if want := "    environment:\n      KAMAL_OP_SECRETS: |\n        K=op://v/i/k\n        Q=op://v/i/q\n"; err != nil || !strings.Contains(got, want) {
		t.Errorf("%v\n%s", err, got)
	}
}
