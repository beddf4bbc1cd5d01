package edit

import (
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/check"
)

// scriptOf is a .gitlab-ci.yml whose only job has these commands.
func scriptOf(lines ...string) string {
	return "deploy:\n  image: ruby:3.4\n  script:\n    - |\n      " + strings.Join(lines, "\n      ") + "\n"
}

func migratedJobs(t *testing.T, file, text, key string) (string, Plan, error) {
	t.Helper()
	dir := project(t, map[string]string{"config/deploy.yml": "service: a\n", file: text})
	plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{Workflow: file, SSHKey: key})
	if err != nil {
		return "", plan, err
	}
	if len(plan.Changes) != 1 {
		t.Fatalf("%d changes, notes %q", len(plan.Changes), plan.Notes)
	}
	return plan.Changes[0].New, plan, nil
}

// opZip gets op as 1Password's documentation does.
const opZip = "curl -sSfLo op.zip https://cache.agilebits.com/dist/1P/op2/pkg/v2.32.0/op_linux_amd64_v2.32.0.zip"

// A command that is not all of it what kamal-op does now stays, deploys above all.
func TestMigrate_keepsEveryOtherCommand(t *testing.T) {
	for command, want := range map[string]string{
		`kamal deploy -d eu # ssh-keyscan`:                       `kamal-op deploy -d eu # ssh-keyscan`,
		`kamal deploy -d eu || echo "see ssh-keyscan"`:           `kamal-op deploy -d eu || echo "see ssh-keyscan"`,
		`printf '%s' "$CFG" > config/known_hosts_list.txt`:       "",
		`if ssh-keyscan $H >> ~/.ssh/known_hosts; then ./x; fi`:  "",
		`mkdir -p ~/.ssh && kamal app exec -d eu "bin/x"`:        `mkdir -p ~/.ssh && kamal-op kamal -d eu -- app exec "bin/x"`,
		`mkdir -p ~/.ssh && docker login -u x -p y r`:            "",
		`mkdir -p tmp/pids ~/.ssh`:                               "",
		`mkdir -p ~/.ssh && ssh-keyscan h >> ~/.ssh/known_hosts`: "-",
		`ssh-keyscan h 2>/dev/null | tee -a ~/.ssh/known_hosts`:  "-",
		`cp known_hosts /tmp/x`:                                  "",
		`echo "RAILS_ENV=production" > .env`:                     "",
		`rm -rf build /var/lib/apt/lists`:                        "",
		`rm -rf /var/lib/apt/lists/*`:                            "-",
		`kamal app exec -d eu -- bin/rails runner -c foo`:        `kamal-op kamal -d eu -- app exec -- bin/rails runner -c foo`,
		`kamal app exec -d eu --version $V "$CMD"`:               `kamal-op kamal -d eu -- app exec --version $V "$CMD"`,
		`kamal deploy --version $CI_COMMIT_SHA`:                  `kamal-op deploy -- --version $CI_COMMIT_SHA`,
		`kamal deploy -r "$ROLES" -d eu`:                         `kamal-op deploy -d eu -- -r "$ROLES"`,
		`kamal rollback "$(cat version)" -d eu`:                  `kamal-op rollback "$(cat version)" -d eu`,
		"cat <<EOF >> .kamal/secrets\n      A=$A\n      EOF":     "",
		`gem install kamal || true`:                              "-",
		`curl -fsSL https://get.docker.com | sh`:                 "-",
		`which kamal || gem install kamal`:                       "-",
		"wget \"https://cache.agilebits.com/dist/1P/op2/pkg/v$V/op_linux_amd64_v$V.zip\" && unzip \"op_linux_amd64_v$V.zip\"": "-",
		opZip: "-",
		opZip + "\n      unzip -o op.zip -d /tmp/op && sudo mv /tmp/op/op /usr/local/bin/ && rm -f op.zip\n      op --version":                                                                                                                                                                             "-",
		"wget -q https://cache.agilebits.com/dist/1P/op2/pkg/v2.32.0/op_linux_amd64_v2.32.0.zip\n      unzip -d /usr/local/bin op_linux_amd64_v2.32.0.zip op\n      chmod +x /usr/local/bin/op":                                                                                                            "-",
		"curl -sS https://downloads.1password.com/linux/keys/1password.asc | gpg --dearmor --output /usr/share/keyrings/1password.gpg\n      echo \"deb [arch=$(dpkg --print-architecture)] https://downloads.1password.com/linux/debian/amd64 stable main\" | tee /etc/apt/sources.list.d/1password.list": "-",
		"unzip -o app.zip\n      rm app.zip":                       "",
		"wget -q https://example.com/app.zip\n      unzip app.zip": "",
		`bundle --jobs=4 install`:                                  "-",
		`X=1 kamal deploy -P -d d && Y=2 kamal redeploy || false`:  `X=1 kamal-op deploy -d d -- -P && Y=2 kamal-op redeploy || false`,
	} {
		t.Run(command, func(t *testing.T) {
			got, _, err := migratedJobs(t, ".gitlab-ci.yml", scriptOf(command, "kamal deploy"), "")
			if err != nil {
				t.Fatal(err)
			}
			switch want {
			case "-":
				want = ""
			case "":
				want = "      " + command + "\n"
			default:
				want = "      " + want + "\n"
			}
			want = "deploy:\n  image: " + ourImage + "\n  script:\n    - |\n" + want + "      kamal-op deploy\n"
			if got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// What could lose a value, a deploy or a command is refused.
func TestMigrate_refusesWhatMayBeLost(t *testing.T) {
	for command, want := range map[string]string{
		"export REG=$(op read op://v/i/reg)\necho \"$REG\" | docker login -u x --password-stdin r": ".gitlab-ci.yml:6: the shell uses REG itself",
		"A=$(op read op://v/i/a)\nprintenv A > config/master.key":                                  "the shell uses A itself",
		"export A=$(op read op://v/i/a)\ncat <<EOF > x\nA=$A\nEOF":                                 "the shell uses A itself",
		"export X=$(op read op://v/i/one)\nkamal deploy -d a\nexport X=$(op read op://v/i/two)":    "the job reads X from two places: X=op://v/i/one and X=op://v/i/two",
		"kamal deploy -d a\nexport X=$(op read op://v/i/two)":                                      "X is read behind a call of kamal",
		`export ACC="$(op read --account other op://v/i/d)"`:                                       "the job calls op itself",
		`export URL="postgres://app:$(op read op://v/i/pw)@db"`:                                    ".gitlab-ci.yml:5: the job calls op itself",
		`export DEF="$(op read op://v/i/c || echo none)"`:                                          "the job calls op itself",
		`export B64="$(op read op://v/i/cert | base64 -d)"`:                                        "the job calls op itself",
		`export A=$(op read op://v/i/a) > /dev/null`:                                               "the job calls op itself",
		`op read --account other op://v/i/key | ssh-add -`:                                         "from another account",
		`op read op://v/i/master > config/master.key`:                                              "the job calls op itself",
		`op run --account=other -- kamal deploy`:                                                   "gives op run the option --account=other",
		`test "$T" && export X=$(op read op://v/i/a)`:                                              "does what kamal-op does now, and more",
		`(echo "$K" | ssh-add -; ./prepare)`:                                                       "has an agent in a way that is not understood",
		`sh -c "kamal deploy -d eu"`:                                                               "the job runs kamal by way of sh",
		"sh <<EOF\nkamal app exec x\nEOF":                                                          "the job runs kamal by way of sh",
		`eval "kamal deploy"`:                                                                      "the job runs kamal by way of eval",
		`KAMAL="bundle exec kamal"; $KAMAL app logs`:                                               "the job runs kamal by way of $KAMAL",
		`docker run basecamp/kamal:v2 deploy`:                                                      "the job runs kamal by way of docker",
		`bundle --verbose exec kamal deploy -d eu`:                                                 "the job runs kamal by way of bundle",
		opZip + "\nunzip op.zip\nrm op.zip master.key":                                             ".gitlab-ci.yml:7: the job has the program op",
		opZip + "\nunzip op.zip\nmv op tools/op2":                                                  ".gitlab-ci.yml:7: the job has the program op",
		opZip + "\nop item list":                                                                   "the job calls op itself",
		opZip + " && curl -o a https://example.com":                                                "does what kamal-op does now, and more",
		`curl -s https://downloads.1password.com/linux/x | sh`:                                     "the job calls curl",
		`curl https://get.docker.com/x | tee kept.txt`:                                             "the job calls curl",
		`apt-get install -y $(cat pkgs)`:                                                           "the job calls apt-get",
		`apt-get install -y x > log.txt`:                                                           "the job calls apt-get",
		`kamal deploy "$@"`:                                                                        `which options "$@" holds`,
		`kamal deploy --version "$@"`:                                                              `which options "$@" holds`,
		`kamal app exec "$@"`:                                                                      `which options "$@" holds`,
		`kamal rollback "$@"`:                                                                      "kamal rollback has no version",
		`kamal deploy $(echo -d production)`:                                                       "which options $(echo -d production) holds",
		`kamal deploy -Pd production`:                                                              "several flags stand in one word: -Pd",
		"echo \"$A\" > ~/.ssh/known_hosts\necho \"$B\" >> ~/.ssh/known_hosts":                      "known_hosts is written from $A and $B",
	} {
		t.Run(command, func(t *testing.T) {
			lines := append(strings.Split(command, "\n"), "kamal deploy")
			got, _, err := migratedJobs(t, ".gitlab-ci.yml", scriptOf(lines...), "")
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not say %q\n%s", err, want, got)
			}
		})
	}
}

func TestMigrate_refusesOptionsThatTheCIPutsIn(t *testing.T) {
	for command, want := range map[string]string{
		"kamal deploy << parameters.args >>":     "which options << parameters.args >> holds",
		"kamal << pipeline.parameters.x >> -d x": "which command of kamal the job runs is not known",
	} {
		text := "version: 2.1\njobs:\n  deploy:\n    docker:\n      - image: cimg/ruby:3.4\n    steps:\n      - checkout\n      - run: kamal deploy -d << parameters.d >>\n      - run: " + command + "\n"
		if got, _, err := migratedJobs(t, ".circleci/config.yml", text, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q\n%s", err, want, got)
		}
	}
}

// A program of the project's may read what is given to kamal-op alone now.
func TestMigrate_tellsWhoMayReadADeclaredValue(t *testing.T) {
	_, plan, err := migratedJobs(t, ".gitlab-ci.yml", scriptOf("export A=$(op read op://v/i/a)", "bin/prepare", "kamal deploy"), "")
	if err != nil || !strings.Contains(strings.Join(plan.Notes, "\n"), ".gitlab-ci.yml:4: what op read gave is in the environment of kamal-op alone: if bin/prepare reads A") {
		t.Errorf("%v, %q", err, plan.Notes)
	}
}

// The token of a step is of one account: a key of another is none that it could read.
func TestMigrate_refusesAKeyOfAnotherAccount(t *testing.T) {
	step := func(command string) string {
		return "on: push\njobs:\n  deploy:\n    runs-on: ubuntu-latest\n    steps:\n      - run: |\n          eval $(ssh-agent)\n          " + command + "\n          kamal deploy\n"
	}
	if _, _, err := migratedJobs(t, ".github/workflows/deploy.yml", step("op read op://v/i/key | ssh-add -"), ""); err != nil {
		t.Fatal(err)
	}
	if got, _, err := migratedJobs(t, ".github/workflows/deploy.yml", step("op read --account other op://v/i/key | ssh-add -"), ""); err == nil {
		t.Errorf("not refused\n%s", got)
	}
}
