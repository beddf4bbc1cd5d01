package program

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/standin"
)

// ranHere are command lines of the documentation that the test below runs, as they stand
// there, in a project like that of the page.
var ranHere = []string{
	"kamal-op deploy --ssh-key op://MyApp/Server --secret op://MyApp/Production",
	"kamal-op deploy --service api --service worker",
	"kamal-op deploy --service api --service worker -d staging",
	"kamal-op deploy --working-directory services/api",
	"kamal-op deploy --working-directory services/worker",
}

// ranElsewhere are those that another test runs: the file, and what stands there of the
// line, "" for all of it.
var ranElsewhere = map[string][2]string{
	"kamal-op doctor":  {"e2e/doctor_test.go", `"doctor"`},
	"kamal-op history": {"e2e/history_test.go", `"history"`},
	"kamal-op history diff db2c9f8122 8ecbcd9c94": {"e2e/history_test.go", `"history", "diff", first[:10], second[:10]`},
	"kamal-op plan": {"e2e/plan_test.go", `"plan"`},
	"kamal-op promote --from staging --to production":                     {"e2e/promote_test.go", `"--from", "staging", "--to", "production"`},
	"kamal-op promote --from staging --to production --copy-image":        {"e2e/promotecopy_test.go", `"--from", "staging", "--to", "production"`},
	"kamal-op freeze -m \"the database moves\" --until 2026-12-24T18:00Z": {"e2e/freeze_test.go", `"freeze"`},
	"kamal-op thaw":                                     {"e2e/freeze_test.go", `"thaw"`},
	"kamal-op rotate":                                   {"e2e/rotate_test.go", `"rotate"`},
	"kamal-op watch":                                    {"e2e/watch_test.go", `"watch"`},
	"kamal-op rehearse --project .":                     {"e2e/rehearseoptions_test.go", ""},
	"source <(kamal-op completion bash)":                {"internal/program/testdata/script/completion.txtar", ""},
	"source <(kamal-op completion zsh)":                 {"internal/program/testdata/script/completion.txtar", ""},
	"kamal-op completion fish | source":                 {"internal/program/testdata/script/completion.txtar", ""},
	"kamal-op man | man -l -":                           {"internal/program/testdata/script/completion.txtar", "kamal-op man"},
	"make build":                                        {"Makefile", "e2e: build "},
	"make rehearse":                                     {"e2e/rehearse_test.go", `"rehearse"`},
	"build/pin.sh \"$version\" \"$commit\" \"$digest\"": {"build/release/pin_test.go", `"build/pin.sh"`},
}

// pagesRunWhole are pages whose blocks another test runs from the page itself.
var pagesRunWhole = map[string]string{
	"docs/first-deploy.md": "e2e/guide_test.go",
}

// notRun are lines that no test runs, and pages without any that one could, with why not.
var notRun = map[string]string{
	"docs/releasing.md":                  "they publish: a release, its tags and its images",
	"docs/verify.md":                     "they ask what has been published, and there is no release yet",
	"docs/ci/shell.md":                   "it is a script for a runner, which the tests of ci/ read; the image that it names is published with the first release",
	"docs/hooks.md":                      "it is a hook, which a Kamal of the end-to-end tests runs in a form of their own",
	"docs/performance.md":                "they measure, for minutes",
	"export OP_SERVICE_ACCOUNT_TOKEN=…":  "a token of a person's own",
	"version=1.0.0 platform=linux_amd64": "of a release, and there is none yet",
	"base=https://github.com/kamal-op/kamal-op/releases/download/v$version":                 "of a release, and there is none yet",
	"curl -fsSLO \"$base/kamal-op_${version}_$platform.tar.gz\" -O \"$base/checksums.txt\"": "of a release, and there is none yet",
	"sha256sum --check --ignore-missing checksums.txt":                                      "of a release, and there is none yet",
	"tar -xzf \"kamal-op_${version}_$platform.tar.gz\"":                                     "of a release, and there is none yet; make install-test unpacks a snapshot's",
	"sudo install \"kamal-op_${version}_$platform/kamal-op\" /usr/local/bin/":               "of a release, and there is none yet; make install-test installs a snapshot's",
	"git clone https://github.com/kamal-op/kamal-op":                                        "it asks GitHub",
	"cd kamal-op":                                                    "it goes where the clone is",
	"sudo install kamal-op /usr/local/bin/":                          "it installs on the machine of the test",
	"sudo dpkg -i dist/kamal-op_*_linux_amd64.deb":                   "make install-test does, in an empty container",
	"sudo rpm -i dist/kamal-op_*_linux_amd64.rpm":                    "it needs a machine with rpm; make release-snapshot builds it",
	"sudo apk add --allow-untrusted dist/kamal-op_*_linux_amd64.apk": "it needs a machine with apk; make release-snapshot builds it",
	"go install github.com/kamal-op/kamal-op@v1.2.3":                 "of a release, and there is none yet; make install-test does with a snapshot",
	"make test": "it runs this test",
}

// shellLines are the command lines of a page: those of its blocks of shell, and of its
// blocks that show a prompt, without remarks.
func shellLines(page string) (lines []string) {
	remark := regexp.MustCompile(`\s+#.*$`)
	for _, m := range blockPattern.FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(strings.ReplaceAll(m[2], "\\\n", " ")) {
			line = strings.TrimSpace(line)
			command, prompt := strings.CutPrefix(line, "$ ")
			if command == "" || strings.HasPrefix(command, "#") || m[1] != "sh" && m[1] != "bash" && !prompt {
				continue
			}
			lines = append(lines, remark.ReplaceAllString(command, ""))
		}
	}
	return lines
}

// Each command line of the documentation is run by a test, or stands in a list with why
// not; and the lists have nothing that the documentation has not.
func TestDocs_EachCommandLineIsRun(t *testing.T) {
	var unused []string
	for line := range ranElsewhere {
		unused = append(unused, line)
	}
	for line := range notRun {
		unused = append(unused, line)
	}
	for page := range pagesRunWhole {
		unused = append(unused, page)
	}
	unused = append(unused, ranHere...)
	used := func(entry string) { unused = slices.DeleteFunc(unused, func(u string) bool { return u == entry }) }
	seen := 0
	for name, page := range pages(t) {
		if name == "CONTRIBUTING.md" || name == "CHANGELOG.md" {
			continue
		}
		for _, line := range shellLines(page) {
			seen++
			_, whole := pagesRunWhole[name]
			_, page := notRun[name]
			place, elsewhere := ranElsewhere[line]
			switch {
			case slices.Contains(ranHere, line), notRun[line] != "":
				used(line)
			case elsewhere:
				used(line)
				text, err := os.ReadFile(place[0])
				if want := orWhole(place[1], line); err != nil || !strings.Contains(string(text), want) {
					t.Errorf("%s: %q: %s has no %q (%v)", name, line, place[0], want, err)
				}
			case whole || page:
				used(name)
			default:
				t.Errorf("%s: no test runs %q: see ranHere, ranElsewhere and notRun", name, line)
			}
		}
	}
	for page, test := range pagesRunWhole {
		if text, err := os.ReadFile(test); err != nil || !strings.Contains(string(text), page) {
			t.Errorf("%s does not read %s (%v)", test, page, err)
		}
	}
	if len(unused) > 0 {
		t.Errorf("no page has any more: %q", unused)
	}
	if seen < 80 {
		t.Errorf("only %d lines were seen", seen)
	}
}

func orWhole(text, line string) string {
	if text == "" {
		return line
	}
	return text
}

// The lines of ranHere do what their pages say, in a project like theirs.
func TestDocs_CommandLinesDoWhatTheySay(t *testing.T) {
	private, public := newKey(t)
	vault, err := standin.StartVault(t.Context(), standin.VaultOptions{Vaults: []standin.VaultSpec{{Name: "MyApp", Items: []standin.ItemSpec{
		{Title: "Production", Fields: []standin.FieldSpec{{Label: "KAMAL_REGISTRY_PASSWORD", Value: newValue(), Type: "CONCEALED"}}},
		{Title: "Server", Fields: []standin.FieldSpec{{Label: "SSH_KEY", Value: private, Type: "CONCEALED"}}},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = vault.Close() })
	authorized, _, _, _, err := ssh.ParseAuthorizedKey([]byte(public))
	if err != nil {
		t.Fatal(err)
	}
	host, err := standin.StartSSHHost(t.Context(), standin.SSHHostOptions{AuthorizedKey: authorized, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	dir := t.TempDir()
	config := func(service string) string {
		return fmt.Sprintf("service: %s\nimage: example/%[1]s\nservers: [127.0.0.1]\nregistry: {username: example, password: [KAMAL_REGISTRY_PASSWORD]}\nbuilder: {arch: amd64}\nssh: {port: %d}\n", service, host.Port())
	}
	kamal := "#!/bin/sh\n[ \"$1\" = version ] && { echo 2.12.0; exit 0; }\necho \"$PWD $*\" >>" + dir + "/record\n"
	secrets := "KAMAL_REGISTRY_PASSWORD=$(op read op://MyApp/Production/KAMAL_REGISTRY_PASSWORD)\n"
	files := map[string]string{
		"config/deploy.yml": config("web"), "config/api.yml": config("api"), "config/worker.yml": config("worker"),
		"config/api.staging.yml": "env: {clear: {A: b}}\n", "config/worker.staging.yml": "env: {clear: {A: b}}\n",
		".kamal/secrets": secrets, ".kamal/secrets.staging": secrets, "bin/kamal": kamal,
	}
	for _, service := range []string{"api", "worker"} {
		files["services/"+service+"/config/deploy.yml"] = config(service)
		files["services/"+service+"/.kamal/secrets"] = secrets
		files["services/"+service+"/bin/kamal"] = kamal
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// What Kamal is to get of each, where.
	want := map[string]string{
		ranHere[0]: " deploy\n",
		ranHere[1]: " deploy --config-file=config/api.yml\n" + dir + " deploy --config-file=config/worker.yml\n",
		ranHere[2]: " deploy --destination=staging --config-file=config/api.yml\n" + dir + " deploy --destination=staging --config-file=config/worker.yml\n",
		ranHere[3]: "/services/api deploy\n",
		ranHere[4]: "/services/worker deploy\n",
	}
	for _, line := range ranHere {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + t.TempDir(), "OP_CONNECT_HOST=" + vault.URL(), "OP_CONNECT_TOKEN=" + vault.Token()}
		out, err := cmd.CombinedOutput()
		record, _ := os.ReadFile(filepath.Join(dir, "record")) // "" where Kamal was not called
		if err != nil || string(record) != dir+want[line] {
			t.Errorf("%s: %v\n%s\nKamal got %q, not %q", line, err, out, record, dir+want[line])
		}
		_ = os.Remove(filepath.Join(dir, "record"))
	}
}
