package edit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/check"
)

// everything is all that a plan is told as: to a person, and to a program.
func everything(t *testing.T, p Plan) string {
	t.Helper()
	var b bytes.Buffer
	if err := WritePlan(&b, p, true, false, func(text string) string { return text }); err != nil {
		t.Fatal(err)
	}
	if err := WritePlanJSON(&b, p, true); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func freshKey(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// A key that stands in the workflow is told by nothing: no error, no diff.
func TestMigrate_keyInTheWorkflow(t *testing.T) {
	key := freshKey(t)
	body := strings.Split(key, "\n")[1]
	indented := "            " + strings.ReplaceAll(strings.TrimSpace(key), "\n", "\n            ") + "\n"
	for form, value := range map[string]string{
		"block":   "|\n" + indented,
		"folded":  "\"" + strings.ReplaceAll(key, "\n", `\n`) + "\"\n",
		"plain":   body + "\n",
		"partly":  "${{ secrets.A }}" + body + "\n",
		"literal": "${{ '" + body + "' }}\n",
	} {
		for _, eol := range []string{"\n", "\r\n"} {
			text := before + "      - uses: webfactory/ssh-agent@v0.9.0\n        with:\n          ssh-private-key: " + value +
				"      - run: kamal deploy\n        env:\n          API_TOKEN: hunter2\n          REGION: eu-central-1\n"
			dir := project(t, map[string]string{".github/workflows/d.yml": strings.ReplaceAll(text, "\n", eol)})
			_, err := Migrate(check.Options{Dir: dir}, MigrateOptions{})
			if err == nil || strings.Contains(err.Error(), body) || strings.Contains(err.Error(), "BEGIN") ||
				!strings.Contains(err.Error(), "is written in the workflow") {
				t.Errorf("%s: an error that tells the key, or none", form)
			}
			plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{SSHKey: "op://V/Server"})
			if err != nil {
				t.Fatal(err)
			}
			shown := everything(t, plan)
			if strings.Contains(shown, body) || strings.Contains(shown, "PRIVATE KEY") || strings.Contains(shown, "hunter2") {
				t.Errorf("%s: the diff shows a value", form)
			}
			for _, want := range []string{"-          ssh-private-key: ", "+          ssh-key: op://V/Server", "REGION: eu-central-1", "***"} {
				if !strings.Contains(shown, want) {
					t.Errorf("%s: no %q in\n%s", form, want, shown)
				}
			}
			if !strings.Contains(plan.Changes[0].New, "API_TOKEN: hunter2") {
				t.Errorf("%s: the file itself has lost a value", form)
			}
		}
	}
}

func TestShownWorkflow(t *testing.T) {
	text := "env:\n  A_KEY: VALUE\n  B_KEY: ${{ 'VALUE' }}\n  C_KEY: x${{ secrets.C }}\n  D_KEY: ${{ secrets.D }}\n  E: eu-central-1\njobs:\n  a:\n    steps:\n      - uses: a/b@v1\n        with:\n          persist-credentials: false\n          secrets: |\n            A=op://V/I/A\n      - run: curl -H https://u:VALUE@host | x\n"
	want := "env:\n  A_KEY: ***\n  B_KEY: ***\n  C_KEY: ***\n  D_KEY: ${{ secrets.D }}\n  E: eu-central-1\njobs:\n  a:\n    steps:\n      - uses: a/b@v1\n        with:\n          persist-credentials: false\n          secrets: |\n            A=op://V/I/A\n      - run: curl -H *** | x\n"
	if diff := cmp.Diff(want, shownWorkflow(text)); diff != "" {
		t.Error(diff)
	}
}

// What stands in the clear in deploy.yml, however it is written, is not in a diff.
func TestChange_Diff_valuesInTheClear(t *testing.T) {
	for name, test := range map[string]struct{ config, want string }{
		"block": {
			"service: a\nimage: org/a\nservers: [10.0.0.1]\nregistry:\n  server: ghcr.io\n  username: VALUE1\n  password:\n    - P\nenv:\n  clear:\n    HOST: VALUE2 # why\n    \"Q\": 'VALUE3 # x'\n    TEXT: |\n      VALUE4\n\n      VALUE5\n    FOLD: VALUE6\n      VALUE7\n    E: <%= ENV[\"VALUE8\"] %>\n    HOST: VALUE9\n  secret:\n    - A\n",
			"service: a\nimage: org/a\nservers: [10.0.0.1]\nregistry:\n  server: ghcr.io\n  username: ***\n  password:\n    - P\nenv:\n  clear:\n    HOST: *** # why\n    \"Q\": ***\n    TEXT: ***\n    FOLD: ***\n    E: ***\n    HOST: ***\n  secret:\n    - A\n",
		},
		"flow": {
			"service: a\nservers: [a]\nregistry: {username: VALUE1, password: \"VALUE2\"}\nenv: {clear: {N: VALUE3, M: 'VALUE4, x'}, secret: [A, \"B:C\"]}\n",
			"service: a\nservers: [a]\nregistry: {username: ***, password: ***}\nenv: {clear: {N: ***, M: ***}, secret: [A, \"B:C\"]}\n",
		},
		"an anchor, a role, an accessory, a tag, no clear": {
			"x: &common\n  N: VALUE1ghijklm9n\nservers:\n  web:\n    hosts: [a]\n    env: {clear: *common}\naccessories:\n  db:\n    env:\n      clear:\n        PW: &pw !!str VALUE2\n    registry: {username: [VALUE-3]}\nenv:\n  tags:\n    t:\n      N: VALUE4\n",
			"x: &common\n  N: ***\nservers:\n  web:\n    hosts: [a]\n    env: {clear: *common}\naccessories:\n  db:\n    env:\n      clear:\n        PW: ***\n    registry: {username: [***]}\nenv:\n  tags:\n    t:\n      N: ***\n",
		},
		"not YAML": {
			"service: VALUE1\nenv: {clear: {A: VALUE2}\n  - VALUE3\nVALUE4\n",
			"service: ***\nenv: ***\n  - ***\n***\n",
		},
	} {
		for _, eol := range []string{"\n", "\r\n"} {
			got := shownConfig(strings.ReplaceAll(test.config, "\n", eol))
			if diff := cmp.Diff(strings.ReplaceAll(test.want, "\n", eol), got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}

	config := "service: a\nservers: [a]\nregistry:\n  username: VALUE1\n  password: [P]\nenv:\n  clear:\n    HOST: VALUE2\n  secret:\n    - P\n"
	dir := project(t, map[string]string{"config/deploy.yml": config, ".kamal/secrets": "P=$(op read op://V/I/P)\n# OLD=VALUE3\n"})
	plan, err := Add(context.Background(), check.Options{Dir: dir}, Addition{Name: "N"})
	if err != nil {
		t.Fatal(err)
	}
	shown := everything(t, plan)
	if strings.Contains(shown, "VALUE") || !strings.Contains(shown, "+    - N\n") || !strings.Contains(shown, "HOST: ***") {
		t.Errorf("%s", shown)
	}
	if got := plan.Changes[0].New; got != config+"    - N\n" {
		t.Errorf("the file itself: %q", got)
	}
}

// A comment is shown as far as it holds no value: what is switched off there is one
// that was in use.
func TestShown_comments(t *testing.T) {
	for text, want := range map[string]string{
		"# PASSWORD: VALUE":                                  "# PASSWORD: ***",
		"#API_TOKEN=VALUE":                                   "#API_TOKEN=***",
		"a: 1 # password: VALUE":                             "a: 1 # password: ***",
		"#   - 'DB_URL' : VALUE # why":                       "#   - 'DB_URL' : ***",
		"# the old password was VALUE, before":               "# the old password was ***",
		"# token -> VALUE":                                   "# token -> ***",
		"# {\"username\": x, \"registry-key\": VALUE}":       "# {\"username\": x, \"registry-key\": ***",
		"# DB=op://V/I/DB":                                   "# DB=op://V/I/DB",
		"# DB=env://DB":                                      "# DB=env://DB",
		"# DB: ${{ secrets.DB }}":                            "# DB: ${{ secrets.DB }}",
		"# DB: ${{ secrets.DB }}VALUE":                       "# DB: ***",
		"# secrets: |":                                       "# secrets: |",
		"# password: [REGISTRY_PASSWORD]":                    "# password: [REGISTRY_PASSWORD]",
		"# the SSH key of all servers":                       "# the SSH key of all servers",
		"# x9Kq2mVb7Lw4Zr8T":                                 "# ***",
		"# password:\n#   - VALUE\n#   - REG_PASSWORD\nx: 1": "# password:\n#   - ***\n#   - REG_PASSWORD\nx: 1",
		"# KEY: |\n#   VALUE\n#   VALUE\n# NAME: x\n# y":     "# KEY: |\n#   ***\n#   ***\n# NAME: ***\n# y",
		"# the keys:\n# one, two and three\n# four":          "# the keys:\n# one, two and three\n# four",
		"# TODO: a host of its own":                          "# TODO: a host of its own",
		"# see https://kamal-deploy.org/docs/commands/":      "# see https://kamal-deploy.org/docs/commands/",
		"- uses: a/b@v1 # v1.2.3":                            "- uses: a/b@v1 # v1.2.3",
		"run: |\n  # was API_KEY=VALUE\n  kamal deploy":      "run: |\n  # was API_KEY=***\n  kamal deploy",
		"# OLD_KEY: |\r\n# x9Kq2mVb7Lw4Zr8T\r\nservice: a":   "# OLD_KEY: |\r\n# ***\r\nservice: a",
		"secrets: |\n  # A=VALUE\n  B=op://V/I/B":            "secrets: |\n  # A=***\n  B=op://V/I/B",
	} {
		for kind, shown := range map[string]func(string) string{"workflow": shownWorkflow, "project file": shownProjectFile, "configuration": shownConfig} {
			if got := shown(text + "\n"); got != want+"\n" {
				t.Errorf("%s: %q, want %q", kind, got, want)
			}
		}
	}
	if got, want := shownSecrets(".kamal/secrets", "A=$A # secret is VALUE\n# the key: VALUE\n"), "A=$A # secret is ***\n# the key: ***\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
