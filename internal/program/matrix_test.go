//go:build linux

package program

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/kamal-op/kamal-op/internal/github/githubtest"
	"github.com/kamal-op/kamal-op/internal/standin"
)

// A source is somebody whose text comes into the program. What each of them says is
// what would harm whoever reads it: the commands of every CI system, sequences for a
// terminal, Markdown; and, where anything may be said, the secret.
type source struct {
	name string
	tag  string // marks its text, and is nowhere else
	ours bool   // it stands in lines of ours; else a child prints it
	told bool   // a way out must show something of it, or the matrix is blind to it
}

// The sources. Where the text of a new one comes in, the test of the boundary's types
// below asks for it here.
var sources = []source{
	{"the title of a vault's item", "qtitleq", true, true},
	{"the name of a vault", "qvaultq", true, true},
	{"the label of a field", "qlabelq", true, true},
	{"a name in deploy.yml", "qnameq", true, true},
	{"a name in a secrets file", "qfileq", true, false},
	{"a host in deploy.yml", "qhostq", true, true},
	{"the subject of a commit", "qcommitq", false, true},
	{"the name of a branch", "qbranchq", true, false},
	{"the title of a pull request", "qpullq", true, false},
	{"the name of a user", "quserq", true, false},
	{"a label of a pull request", "qprlabelq", true, false},
	{"the message of a lock", "qlockq", false, true},
	{"the reason of a freeze", "qfrozenq", true, true},
	{"a line of the audit log", "qkeptq", true, true},
	{"the name of a container", "qcontainerq", true, true},
	{"docker's error on a host", "qdockerq", false, true},
	{"a hook's output", "qhookq", false, true},
	{"what the preload says went wrong", "qpreloadq", true, true},
	{"Connect's error", "qconnectq", true, true},
	{"the error of GitHub's API", "qapiq", true, true},
	{"a variable of the environment", "qenvq", true, false},
	{"the name of a workflow's step", "qstepq", true, false},
	{"an argument of the command line", "qargq", true, true},
}

// bad is what a source says.
func bad(tag string) string {
	return "x" + tag + "\n::warning::" + tag + "\n ##[error]" + tag + "\r##vso[task.complete]" + tag + " ##teamcity[" + tag + "]\x1b]0;" + tag +
		"\x07\x1b[2J\u202e<img src=//" + tag + "> @" + tag + "\nsection_start:1:" + tag + "\n--- " + tag + "\n"
}

// word is bad without what a name cannot hold.
func word(tag string) string {
	return strings.NewReplacer("/", "|", "?", "|", "%", "|").Replace(bad(tag))
}

// A way is one way out as one command has taken it.
type way struct {
	name string // the command, the system, the channel
	kind string // log, json, page, text, values
	text string
}

// the secrets of the matrix: what must be in no cell.
var matrixSecrets = []string{`c4nary "with" two' words`, "tok3n-of-the-matrix", "c4n\\ary\twith$signs`and`%2F"}

// A world is a project with a vault, a GitHub and a Kamal in which every source speaks.
type world struct {
	t       *testing.T
	dir     string
	env     []string
	secrets []string
	ways    []way
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), secrets: slices.Clone(matrixSecrets)}
	item := standin.ItemSpec{Title: "Production"}
	for i, value := range matrixSecrets {
		item.Fields = append(item.Fields, standin.FieldSpec{Label: "S" + fmt.Sprint(i), Value: value})
	}
	item.Fields = append(item.Fields, standin.FieldSpec{Label: word("qlabelq"), Value: matrixSecrets[0]})
	vault, err := standin.StartVault(t.Context(), standin.VaultOptions{Vaults: []standin.VaultSpec{
		{Name: "MyApp", Items: []standin.ItemSpec{item, {Title: word("qtitleq")}, {Title: word("qtitleq")}}},
		{Name: word("qvaultq")},
		{Name: word("qvaultq")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = vault.Close() })
	w.secrets = append(w.secrets, vault.Token())
	w.write("config/deploy.yml", fmt.Sprintf("service: shop\nimage: acme/shop\nservers: [192.0.2.1, %q]\nregistry: {username: me, password: [S0]}\nbuilder: {arch: amd64}\nenv:\n  secret:\n    - S1\n    - %q\n", word("qhostq"), bad("qnameq")))
	w.write("config/deploy.review.yml", "service: <%= ENV.fetch(\"REVIEW_SERVICE\") %>\nproxy:\n  host: <%= ENV.fetch(\"REVIEW_HOST\") %>\n")
	w.write(".kamal/secrets", "S0=$S0\nS1=$S1\n# "+strings.ReplaceAll(bad("qfileq"), "\n", "\r")+"\n")
	w.write(".github/workflows/deploy.yml", "on: push\njobs:\n  deploy:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v5\n      - name: "+quoteJSON(t, bad("qstepq"))+"\n        run: kamal deploy\n")
	w.write("bin/kamal", matrixKamal)
	w.write("buildkite-agent", "#!/bin/sh\n{ echo \"$*\"; case $1 in redactor) cat >/dev/null;; *) cat;; esac; } >>\"$AGENT.$1\"\n")
	w.write("speech", strings.Join([]string{bad("qlockq"), bad("qdockerq"), bad("qhookq"), matrixSecrets[0], url.QueryEscape(matrixSecrets[1])}, "\n"))
	// A status of GitHub's is cut within the value.
	w.write("trouble", marshal(t, map[string]any{"check": map[string]any{
		"dir": w.dir, "files": []string{".kamal/secrets"}, "command": "deploy", "used": []any{map[string]string{"name": "S0", "key": "env.secret"}},
		"secrets": []any{map[string]any{"name": "S0", "value": []byte(matrixSecrets[0]), "failed": []any{map[string]string{"how": "error", "detail": strings.Repeat("y", 125) + matrixSecrets[0] + bad("qpreloadq")}}}},
	}}))
	container := `[{"host":` + quoteJSON(t, "192.0.2.1 "+bad("qcontainerq")) + `,"role":` + quoteJSON(t, bad("qcontainerq")) + `,"container":"shop","created":"2026-01-01T00:00:00Z","secrets":[{"variable":"A","secret":"A","state":"stale"}]}]`
	w.write("running", "@kamal-op-running "+container+"\n")
	rotatable := `[{"host":` + quoteJSON(t, "192.0.2.1 "+bad("qcontainerq")) + `,"role":` + quoteJSON(t, bad("qcontainerq")) + `,"container":"shop","id":"0123456789ab","version":"v1","secrets":[{"variable":"A","secret":"A","state":"stale"}]}]`
	w.write("rotatable", "@kamal-op-running "+rotatable+"\n@kamal-op-rotate {\"lock\":\"h\",\"version\":"+quoteJSON(t, bad("qversionq"))+",\"unreached\":[{\"host\":"+quoteJSON(t, bad("qdownq"))+",\"why\":"+quoteJSON(t, bad("qdownq"))+"}]}\n")
	plain := quoteJSON(t, bad("qplanq"))
	w.write("observed", `@kamal-op-plan {"service":"shop","version":"v2","repository":`+plain+`,"image_unknown":`+plain+`,"versions":["v1"],"commits":{"v1":{"list":[`+quoteJSON(t, "v2\t"+bad("qsubjectq"))+`]}},"hosts":[`+
		`{"host":`+plain+`,"named":true,"containers":[{"role":`+plain+`,"prefix":"shop","want":{"options":[["env",`+quoteJSON(t, "A="+bad("qvariableq"))+`],[`+plain+`,null]],"secrets":[`+plain+`]},"has":{"name":"/shop-v1"}}]},`+
		`{"host":"192.0.2.1","error":`+quoteJSON(t, bad("qunreachedq"))+`}]}`+"\n")
	for stage, args := range map[string]string{"promotable": quoteJSON(t, bad("qargumentq")) + `:"1"`, "promotion": ""} {
		w.write(stage, `@kamal-op-promote {"service":`+plain+`,"repository":`+quoteJSON(t, bad(stage))+`,"version":`+plain+`,"build":{"args":{`+args+`}},"unreached":[{"host":`+plain+`,"why":`+plain+`}],`+
			`"containers":[{"host":`+plain+`,"role":`+plain+`,"container":`+plain+`,"version":"v2","image":"sha256:`+strings.Repeat("a", 64)+`","digests":["sha256:`+strings.Repeat("b", 64)+`"],"service":`+plain+`}]}`+"\n")
	}
	held := base64.StdEncoding.EncodeToString([]byte("kamal-op lock held:\nLocked by: " + bad("qfreezerq") + " at 2026-01-01T00:00:00Z\nMessage: frozen\n" +
		`kamal-op: {"nonce":"ABCDEFGHIJKLMNOPQRSTUVWXYZ","freeze":{"why":` + quoteJSON(t, bad("qfrozenq")) + "}}\n"))
	w.write("locks", `@kamal-op-locks {"dir":".kamal/lock-shop","places":[{"host":"192.0.2.1","output":"`+held+`"},{"host":`+quoteJSON(t, bad("qfrozenq"))+`,"why":`+quoteJSON(t, bad("qfrozenq"))+"}]}\n")
	kept := base64.StdEncoding.EncodeToString([]byte("[2026-01-01T00:00:00Z] [x] deploy of v1 done, kamal-op: " +
		`{"run":"R","command":"deploy","version":"v1","how":"done","ended":"2026-01-01T00:00:00Z","by":` + quoteJSON(t, bad("qkeptq")) + `,"items":[{"from":` + quoteJSON(t, bad("qkeptq")) + `,"secrets":[` + quoteJSON(t, bad("qkeptq")) + "]}]}\n" +
		"[2026-01-02T00:00:00Z] [x] Booted app version v2\n"))
	w.write("kept", `@kamal-op-history {"service":"shop","hosts":[{"host":"192.0.2.1","log":"`+kept+`","roles":[{"role":"web","runs":[`+quoteJSON(t, bad("qkeptq"))+`],"others":[]}]},{"host":`+quoteJSON(t, bad("qkeptq"))+`,"why":`+quoteJSON(t, bad("qkeptq"))+"}]}\n")
	sick := quoteJSON(t, bad("qdoctorq"))
	w.write("examined", `@kamal-op-doctor {"ruby":`+sick+`,"dotenv":`+sick+`,"aside":[{"part":`+sick+`,"why":`+sick+`}],"architectures":[`+sick+`],`+
		`"registries":[{"server":`+sick+`,"state":"refused","why":`+sick+`},{"server":"r.example","state":"unknown","why":`+sick+`}]}`+"\n")
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch", "topic-qbranchq"},
		{"add", "--all"},
		{"-c", "user.name=quserq", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", bad("qcommitq")},
	} {
		git := exec.CommandContext(t.Context(), "git", args...)
		git.Dir = w.dir
		if out, err := git.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	w.env = []string{
		"PATH=" + w.dir + ":" + os.Getenv("PATH"), "HOME=" + w.dir, "TMPDIR=" + t.TempDir(), "STAGE=" + w.dir, "AGENT=" + filepath.Join(w.dir, "agent"),
		"OP_CONNECT_HOST=" + vault.URL(), "OP_CONNECT_TOKEN=" + vault.Token(),
		"KAMAL_OP_SECRET=S0=op://MyApp/Production/S0\nS1=op://MyApp/Production/S1\nS2=op://MyApp/Production/S2", "GITHUB_ACTOR=" + bad("qenvq"),
	}
	return w
}

// matrixKamal says what servers, hooks and its own preload say.
const matrixKamal = `#!/bin/sh
case $1 in
version) echo 2.12.0; echo "$KAMAL_OP_PROBE"; exit ;;
kamal_op_running) cat "$STAGE/running"; exit ;;
kamal_op_plan) cat "$STAGE/observed"; exit ;;
kamal_op_doctor) cat "$STAGE/examined"; exit ;;
kamal_op_rotatable) cat "$STAGE/rotatable"; exit ;;
kamal_op_rotate) exit ;;
kamal_op_promotable) cat "$STAGE/promotable"; exit ;;
kamal_op_promotion) cat "$STAGE/observed" "$STAGE/promotion"; exit ;;
kamal_op_history) cat "$STAGE/kept"; exit ;;
kamal_op_locks|kamal_op_thaw) cat "$STAGE/locks"; exit ;;
config)
  s=$REVIEW_SERVICE d=review
  [ -n "$s" ] || { s=shop d=; }
  echo "@kamal-op-resolved {\"service\": \"$s\", \"destination\": \"$d\", \"image\": \"acme/shop\", \"version\": \"$REVIEW_VERSION\", \"hosts\": [\"192.0.2.1\"], \"roles\": {\"web\": {\"hosts\": [\"192.0.2.1\"], \"labels\": {\"service\": \"$s\", \"role\": \"web\", \"destination\": \"$d\"}, \"proxy\": {\"hosts\": [\"${REVIEW_HOST:-shop.example.com}\"]}}}}"
  exit ;;
server)
  mark=$(printf %s "$3" | sed -n 's/.*echo "@\([A-Z0-9]*\) end".*/\1/p')
  echo "@$mark c|shop-pr-12|/shop-pr-12-web-review-x|2020-01-01T00:00:00Z|true|"
  echo "@$mark end"
  exit ;;
esac
git log -1 --format=%B
cat "$STAGE/speech" >&2
cat "$STAGE/speech"
op read op://MyApp/Production/NOPE
op read op://Nowhere/x/y
op read op://MyApp/Twice/x
[ -z "$TROUBLE" ] || kamal-speaks "$STAGE/trouble"
echo "  INFO [0a1b2c3d] Running docker run x on 192.0.2.1"
tr '\n\r' '  ' <"$STAGE/speech" | sed 's/^/  ERROR (SSHKit::Command::Failed): /'
echo
exit 1
`

func (w *world) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		w.t.Fatal(err)
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func quoteJSON(t *testing.T, text string) string { return marshal(t, text) }

// ciFiles are the files that a system names.
var ciFiles = []string{"GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"}

// run runs a command on a system and keeps every way out that it has taken. kind is
// that of standard output.
func (w *world) run(system string, env []string, kind string, args ...string) {
	w.t.Helper()
	program, err := exec.LookPath("kamal-op")
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.CommandContext(w.t.Context(), program, args...)
	cmd.Dir, cmd.Env = w.dir, slices.Concat(w.env, env)
	files := w.t.TempDir()
	for _, name := range ciFiles {
		cmd.Env = append(cmd.Env, name+"="+filepath.Join(files, name))
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code < 0 || strings.Contains(errs.String(), "unknown flag") || strings.Contains(errs.String(), "panic:") {
		w.t.Errorf("%s on %s: %v\n%.2000s", args, system, err, &errs)
	}
	errors := "log"
	if kind == "person" { // what a child prints is theirs
		errors = kind
	}
	name := strings.Join(args, " ") + ", " + system
	w.ways = append(w.ways, way{name + ", output", kind, withoutMasks(out.String())}, way{name + ", errors", errors, withoutMasks(errs.String())})
	for _, file := range ciFiles {
		text, _ := os.ReadFile(filepath.Join(files, file)) // where it was written
		kind := "values"
		if file == "GITHUB_STEP_SUMMARY" {
			kind = "page"
		}
		w.ways = append(w.ways, way{name + ", " + file, kind, string(text)})
	}
	for sub, kind := range map[string]string{"annotate": "page", "meta-data": "text", "redactor": "text"} {
		path := filepath.Join(w.dir, "agent."+sub)
		if text, err := os.ReadFile(path); err == nil {
			w.ways = append(w.ways, way{name + ", the agent's " + sub, kind, string(text)})
			_ = os.Remove(path)
		}
	}
}

// onTerminal runs a command where a person sees it.
func (w *world) onTerminal(args ...string) {
	w.t.Helper()
	program, err := exec.LookPath("kamal-op")
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.CommandContext(w.t.Context(), program, args...)
	cmd.Dir, cmd.Env = w.dir, append(slices.Clone(w.env), "TERM=xterm")
	keys, err := pty.Start(cmd)
	if err != nil {
		w.t.Fatalf("no pty here: %v", err)
	}
	out, _ := io.ReadAll(keys) // EIO is the end of a terminal
	_ = keys.Close()
	_ = cmd.Wait()
	w.ways = append(w.ways, way{strings.Join(args, " ") + ", a terminal", "terminal", string(out)})
}

// withoutMasks is a log without the commands by which we tell a runner our values:
// they are meant for it. A line of a child's is none of them, since it does not begin
// so.
func withoutMasks(log string) string {
	var kept []string
	for _, line := range strings.Split(log, "\n") {
		if !strings.HasPrefix(line, "::add-mask::") && !strings.HasPrefix(line, "##vso[task.setsecret]") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

// forms are the encodings in which a value must not be anywhere.
func forms(value string) []string {
	text, _ := json.Marshal(value)
	list := []string{value, url.QueryEscape(value), url.PathEscape(value), hex.EncodeToString([]byte(value)), strings.Trim(string(text), `"`)}
	for shift := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + value))
		list = append(list, encoded[4:len(encoded)-4])
	}
	return list
}

var (
	codeBlock = regexp.MustCompile("(?ms)^(`{3,})[a-z]*\n.*?^`{3,}$")
	codeSpan  = regexp.MustCompile("`+[^`\n]+`+")
)

// harm is what a way out does to who reads it, "" for nothing.
func harm(w way, s source) string {
	lower := strings.ToLower(w.text)
	for _, mark := range []string{"##[error]", "##vso[task.complete]", "##teamcity["} {
		if (w.kind == "log" || w.kind == "table" || w.kind == "json") && strings.Contains(lower, mark+s.tag) {
			return mark
		}
	}
	if s.ours || w.kind != "log" && w.kind != "person" && w.kind != "terminal" {
		for _, sequence := range []string{"\x1b]0;", "\x1b[2J\u202e<img src=//"} {
			if strings.Contains(w.text, sequence+s.tag) {
				return "a sequence for the terminal"
			}
		}
	}
	switch w.kind {
	case "log", "table":
		for _, line := range strings.FieldsFunc(w.text, func(r rune) bool { return r == '\n' || r == '\r' }) {
			if strings.HasPrefix(strings.TrimSpace(line), "::warning::"+s.tag) {
				return "::warning::"
			}
			if strings.Contains(w.name, "GitLab") && strings.Contains(line, "section_start:1:"+s.tag) {
				return "a section"
			}
			if strings.Contains(w.name, "Buildkite") && strings.HasPrefix(line, "--- "+s.tag) {
				return "a headline"
			}
		}
	case "json":
		decoder := json.NewDecoder(strings.NewReader(w.text))
		for decoder.More() {
			var any any
			if err := decoder.Decode(&any); err != nil {
				return "it is no JSON: " + err.Error()
			}
		}
	case "page":
		plain := codeSpan.ReplaceAllString(codeBlock.ReplaceAllString(w.text, ""), "")
		for _, markup := range []string{"<img src=//" + s.tag, " @" + s.tag} {
			if at := strings.Index(plain, markup); at >= 0 && (at == 0 || plain[at-1] != '\\') {
				return "Markdown: " + markup
			}
		}
	case "values":
		names := regexp.MustCompile(`(?m)^([^\n]*)<<(end-[A-Z0-9]+)\n(?s:.*?)\n(end-[A-Z0-9]+)\n`)
		if rest := names.ReplaceAllString(w.text, ""); rest != "" {
			return "a value ends before its end"
		}
	}
	return ""
}

// TestMatrix holds every source of foreign text against every way out: no form of a
// secret is in any cell, and nothing that its reader would obey.
func TestMatrix(t *testing.T) {
	w := newWorld(t)
	for _, system := range []struct {
		name string
		env  []string
	}{
		{"GitHub", []string{"GITHUB_ACTIONS=true", "CI=true"}},
		{"Gitea", []string{"GITEA_ACTIONS=true", "GITHUB_ACTIONS=true", "CI=true"}},
		{"Forgejo", []string{"FORGEJO_ACTIONS=true", "GITEA_ACTIONS=true", "GITHUB_ACTIONS=true", "CI=true"}},
		{"GitLab", []string{"GITLAB_CI=true", "CI=true"}},
		{"Buildkite", []string{"BUILDKITE=true", "CI=true"}},
		{"CircleCI", []string{"CIRCLECI=true", "CI=true"}},
		{"Azure", []string{"TF_BUILD=True"}},
		{"TeamCity", []string{"TEAMCITY_VERSION=2026.1"}},
		{"another CI", []string{"CI=woodpecker"}},
	} {
		w.run(system.name, append(system.env, "TROUBLE=1"), "log", "deploy", "--check", "warn", "--check-hosts", "off", "--", "-P")
	}
	plain, gitHub := []string{"NO_COLOR=1"}, []string{"GITHUB_ACTIONS=true", "CI=true"}
	w.run("nobody", plain, "person", "deploy", "--check", "warn", "--check-hosts", "off", "--", "-P")
	w.run("events", gitHub, "json", "deploy", "--json", "--check", "warn", "--check-hosts", "off", "--", "-P")
	w.run("GitHub", gitHub, "log", "run", "--", "sh", "-c", `cat "$STAGE/speech"; printf %s "$S0" | base64 -w0`)
	w.run("nobody", plain, "log", "run", "--secret", bad("qargq"), "--", "true")
	w.run("nobody", plain, "log", "run", "--secret", "X=op://MyApp/Production/Sx", "--secret", "Y=op://MyApp/Productoin/x", "--secret", "Z=op://My/x/y", "--", "true")
	w.run("nobody", plain, "person", "kamal", "--", "lock", "status")
	promote := []string{"promote", "--from", "review", "--accept-build-of", "review", "--version", "v2", "--check", "warn", "--check-hosts", "off"}
	for _, env := range [][]string{plain, gitHub} {
		system := map[bool]string{true: "GitHub", false: "nobody"}[len(env) == 2]
		for _, args := range [][]string{{"check"}, {"check", "--offline"}, {"check", "--fix", "--dry-run"}} {
			w.run(system, env, "table", args...)
		}
		w.run(system, env, "table", "add", "NEW_NAME", "--item", "op://MyApp/Production", "--dry-run")
		w.run(system, env, "table", "rename", "S1", "S9", "--dry-run")
		w.run(system, env, "table", "remove", "S1", "--dry-run")
		w.run(system, env, "table", "migrate", "--dry-run")
		w.run(system, env, "table", "init", "--dry-run")
		w.run(system, env, "table", "verify")
		w.run(system, env, "table", "plan")
		w.run(system, env, "table", "doctor")
		w.run(system, env, "table", "watch")
		w.run(system, env, "table", "rotate", "--check", "warn")
		w.run(system, env, "table", append(promote, "--dry-run")...)
		w.run(system, env, "table", "freeze", "-m", "x")
		w.run(system, env, "table", "thaw")
		w.run(system, env, "table", "history")
		w.run(system, env, "table", "history", "diff", "v1", "v2")
		w.run(system, env, "log", "host-keys")
	}
	for _, format := range []string{"json", "sarif"} {
		w.run("nobody", plain, "json", "check", "--offline", "--format", format)
	}
	w.run("nobody", plain, "json", "verify", "--format", "json")
	w.run("nobody", plain, "json", "plan", "--json")
	w.run("nobody", plain, "json", "doctor", "--json")
	w.run("nobody", plain, "json", "watch", "--json")
	w.run("nobody", plain, "json", "rotate", "--check", "warn", "--json")
	w.run("nobody", plain, "json", append(promote, "--dry-run", "--json")...)
	w.run("nobody", plain, "person", promote...)
	w.run("GitHub", gitHub, "log", promote...)
	w.run("nobody", plain, "json", "thaw", "--json")
	w.run("nobody", plain, "json", "history", "--json")
	w.run("nobody", plain, "json", "remove", "S1", "--json", "--dry-run")
	w.onTerminal("deploy", "--check", "warn", "--check-hosts", "off", "--", "-P")
	w.onTerminal("check", "--offline")
	w.onTerminal("remove", "S1", "--dry-run")
	w.onTerminal("doctor")
	w.failing(gitHub)
	w.review(gitHub)
	w.judge()
}

// failing runs against a Connect server and an API that answer with errors.
func (w *world) failing(env []string) {
	server := func(body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			rw.WriteHeader(http.StatusForbidden)
			_, _ = rw.Write([]byte(body))
		}))
		w.t.Cleanup(s.Close)
		return s.URL
	}
	connect := server(`{"status":403,"message":` + quoteJSON(w.t, bad("qconnectq")+w.secrets[len(matrixSecrets)]) + `}`)
	w.run("GitHub", append(env, "OP_CONNECT_HOST="+connect), "log", "deploy", "--check", "warn")
	api := server(`{"message":` + quoteJSON(w.t, bad("qapiq")+"tok3n-of-the-matrix") + `}`)
	w.run("GitHub", append(env, "GITHUB_API_URL="+api, "GITHUB_TOKEN=tok3n-of-the-matrix", "GITHUB_REPOSITORY=acme/shop", "KAMAL_OP_REVIEW_HOST=review.example.com"),
		"log", "review", "deploy", "5")
}

// review deploys a preview that fails, as GitHub hears of it.
func (w *world) review(env []string) {
	api := githubtest.New(w.t, githubtest.Options{})
	may := githubtest.Everything()
	may["issues"] = "write"
	api.AddToken("tok3n-of-the-matrix", githubtest.Token{Login: "github-actions[bot]", Workflow: true, Permissions: may})
	api.AddUser("alice", 7, "write")
	git := exec.CommandContext(w.t.Context(), "git", "rev-parse", "HEAD")
	git.Dir = w.dir
	head, err := git.Output()
	if err != nil {
		w.t.Fatal(err)
	}
	api.AddPull(githubtest.Pull{Number: 5, SHA: strings.TrimSpace(string(head)), Title: bad("qpullq"), Branch: "topic-qbranchq", Labels: []string{bad("qprlabelq")}})
	env = slices.Concat(env, []string{
		"GITHUB_API_URL=" + api.URL, "GITHUB_TOKEN=tok3n-of-the-matrix", "GITHUB_REPOSITORY=acme/shop", "GITHUB_RUN_ID=42", "GITHUB_RUN_ATTEMPT=1",
		"GITHUB_SERVER_URL=https://github.example.com", "KAMAL_OP_REVIEW_HOST=review.example.com", "KAMAL_OP_SKIP_PUSH=true", "KAMAL_OP_SHARED_SECRETS=true",
		"KAMAL_OP_CHECK=off", "KAMAL_OP_CHECK_HOSTS=off", "KAMAL_OP_READY_TIMEOUT=-1s", "TROUBLE=1",
	})
	w.run("GitHub", env, "log", "review", "deploy", "5")
	w.run("GitHub", env, "table", "review", "list")
	w.run("GitHub", env, "table", "review", "status", "12")
	w.run("GitHub", env, "json", "review", "list", "--format", "json")
	w.run("GitHub", env, "log", "watch", "--issue")
	for _, line := range []string{"/plan production", "/deploy production"} {
		event := filepath.Join(w.t.TempDir(), "event.json")
		text, err := json.Marshal(map[string]any{
			"action": "created", "repository": map[string]any{"default_branch": "main"}, "issue": map[string]any{"number": 5, "pull_request": map[string]any{}},
			"comment": map[string]any{"id": api.AddComment(5, "alice", line), "body": line + "\n" + bad("qpullq"), "created_at": time.Now(), "user": map[string]any{"login": "alice", "id": 7}},
		})
		if err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(event, text, 0o600); err != nil {
			w.t.Fatal(err)
		}
		w.run("GitHub", slices.Concat(env, []string{"GITHUB_EVENT_NAME=issue_comment", "GITHUB_EVENT_PATH=" + event, "GITHUB_SHA=" + strings.TrimSpace(string(head))}),
			"log", "comment", "--deploy-by-comment", "production=", "--github-environment", "production")
	}
	told := 0
	for _, i := range api.Issues() {
		told++
		w.ways = append(w.ways, way{"watch, an issue", "page", i.GetTitle() + "\n" + i.GetBody()})
	}
	for _, c := range api.Comments(5) {
		told++
		w.ways = append(w.ways, way{"review deploy, the comment", "page", c.GetBody()})
	}
	for _, d := range api.Deployments() {
		w.ways = append(w.ways, way{"review deploy, the deployment", "text", d.GetDescription()})
		for _, s := range d.Statuses {
			told++
			w.ways = append(w.ways, way{"review deploy, a status", "text", s.GetDescription()})
		}
	}
	if told < 9 {
		w.t.Errorf("GitHub was told %d things", told)
	}
}

// judge looks at every cell.
func (w *world) judge() {
	cells := 0
	for _, s := range sources {
		told := false
		for _, out := range w.ways {
			cells++
			told = told || strings.Contains(out.text, s.tag)
			if what := harm(out, s); what != "" {
				w.t.Errorf("%s: %s, from %s", out.name, what, s.name)
			}
		}
		if s.told && !told {
			w.t.Errorf("no way out shows anything of %s: the matrix does not look at it", s.name)
		}
	}
	for i, value := range append(w.secrets, "c4nary", "tok3n-of") {
		for _, out := range w.ways {
			cells++
			for _, form := range forms(value) {
				if len(form) >= 6 && strings.Contains(out.text, form) {
					w.t.Errorf("%s: secret %d is in it", out.name, i)
				}
			}
		}
	}
	for typ, methods := range ways {
		for _, method := range methods {
			name, channel, _ := strings.Cut(method, " ")
			if channel != "none" && !slices.ContainsFunc(w.ways, func(out way) bool {
				return out.text != "" && (out.kind == channel || strings.HasSuffix(out.name, channel))
			}) {
				w.t.Errorf("nothing has left by %s.%s: the matrix has no %q", typ, name, channel)
			}
		}
	}
	w.t.Logf("%d cells: %d sources and %d secrets, %d ways out", cells, len(sources), len(w.secrets), len(w.ways))
}
