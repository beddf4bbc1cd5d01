package plan_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/plan"
)

var realKamal = flag.String("kamal", "", "path of a real Kamal to test with")

// A workshop is a folder in which the Ruby of a plan runs, beside real Kamal and git.
type workshop struct {
	t   *testing.T
	dir string
	env []string
}

func needKamal(t *testing.T) workshop {
	t.Helper()
	if *realKamal == "" {
		t.Skip("runs with -kamal PATH, in the Kamal image")
	}
	w := workshop{t: t, dir: t.TempDir(), env: append(os.Environ(), "HOME="+t.TempDir())}
	w.write("preload.rb", plan.Preload())
	return w
}

func (w workshop) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		w.t.Fatal(err)
	}
}

func (w workshop) has(name string) bool {
	_, err := os.Stat(filepath.Join(w.dir, name))
	return err == nil
}

// ruby runs an expression and gives its value.
func (w workshop) ruby(expression string) (value any) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), "/usr/bin/ruby", "-e", `require "kamal"; require "./preload.rb"; at_exit { $stdout.flush }; $stdout.puts JSON.generate([ begin; `+expression+`; end ])`)
	cmd.Dir, cmd.Env = w.dir, w.env
	out, err := cmd.Output()
	if err != nil {
		exit := &exec.ExitError{}
		errors.As(err, &exit)
		w.t.Fatalf("%v\n%s\n%s", err, out, exit.Stderr)
	}
	var one []any
	if err := json.Unmarshal(out, &one); err != nil {
		w.t.Fatalf("%v\n%s", err, out)
	}
	return one[0]
}

// git runs git, as a person with a repository of their own.
func (w workshop) git(args ...string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), "git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
	cmd.Dir, cmd.Env = w.dir, w.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// deployOf commits a deploy.yml with a host, whose ERB leaves a file where it has run.
func (w workshop) deployOf(host string) string {
	w.t.Helper()
	w.write("config/deploy.yml", "servers: [ "+host+" ]\nx: <% File.write('ran-"+host+"', '') %>\n")
	w.git("add", "config")
	w.git("commit", "-q", "-m", "Deploy to "+host)
	return w.git("rev-parse", "HEAD")
}

// The Ruby in a deploy.yml runs where what is checked out has come from it, and where it
// is of another branch it does not.
func TestKamal_runsNoDeployYMLOfAnotherBranch(t *testing.T) {
	w := needKamal(t)
	w.git("init", "-q", "-b", "main")
	first := w.deployOf("first")
	w.git("checkout", "-q", "-b", "other")
	other := w.deployOf("other")
	w.git("checkout", "-q", "main")
	second := w.deployOf("second")
	// A branch can be called as the commit of a version that runs.
	w.git("branch", "abcdef0", first)
	former := func(version string) any {
		return w.ruby(`KamalOpPlan.former_hosts("` + version + `", Pathname.new("config/deploy.yml"), nil)`)
	}
	for _, test := range []struct{ version, ran, host, why string }{
		{first, "first", "first", ""},
		{first[:9], "first", "first", ""},
		{second, "second", "second", ""},
		{other, "", "", "of another branch"},
		{"abcdef0", "", "", "no commit"},
		{strings.Repeat("0", 40), "", "", "not in this clone"},
		{"latest", "", "", "no commit"},
	} {
		for _, host := range []string{"first", "second", "other"} {
			_ = os.Remove(filepath.Join(w.dir, "ran-"+host)) // from the case before, if at all
		}
		got := former(test.version).([]any)
		if hosts, _ := got[0].([]any); len(hosts) != 0 && hosts[0] != test.host || len(hosts) == 0 && test.host != "" {
			t.Errorf("%s: %v", test.version, got)
		}
		if why, _ := got[1].(string); !strings.Contains(why, test.why) || test.why == "" && why != "" {
			t.Errorf("%s: %v", test.version, got)
		}
		for _, host := range []string{"first", "second", "other"} {
			if ran := w.has("ran-" + host); ran != (host == test.ran) {
				t.Errorf("%s: the Ruby of %s ran: %v", test.version, host, ran)
			}
		}
	}
}

// What git says is told, and nothing of it is taken for a commit. A workspace that is
// somebody else's is read where the run says so, as a deploy's is.
func TestKamal_tellsWhatGitSays(t *testing.T) {
	w := needKamal(t)
	w.git("init", "-q", "-b", "main")
	first, second := w.deployOf("first"), w.deployOf("second")
	commits := func(from string) []any {
		return w.ruby(`KamalOpPlan.commits("` + from + `", "` + second + `")`).([]any)
	}
	want := []any{[]any{second + "\tDeploy to second"}, nil}
	if d := cmp.Diff(want, commits(first)); d != "" {
		t.Error(d)
	}
	if got := commits(strings.Repeat("0", 40)); got[0] != nil || got[1] != "not in this clone" {
		t.Errorf("%v", got)
	}
	w.env = append(w.env, "GIT_TEST_ASSUME_DIFFERENT_OWNER=1")
	if got, _ := commits(first)[1].(string); !strings.Contains(got, "git says fatal: detected dubious ownership") {
		t.Errorf("%q", got)
	}
	w.env = append(w.env, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
	if d := cmp.Diff(want, commits(first)); d != "" {
		t.Error(d)
	}
}

// A file of the project's is neither git nor docker, whatever PATH leads to it from
// where we are.
func TestKamal_runsNoGitOrDockerOfTheProject(t *testing.T) {
	w := needKamal(t)
	for _, name := range []string{"git", "docker"} {
		w.write(name, "#!/bin/sh\ntouch \"$0\"-ran\n")
		w.write("sub/"+name, "#!/bin/sh\ntouch \"$0\"-ran\n")
	}
	w.env = append(w.env, "PATH=:.:sub:./sub")
	got := w.ruby(`[ KamalOpPlan.commits("a" * 40, "b" * 40), KamalOpPlan.image(` + registryConfig("registry.example.com") + `) ]`)
	if d := cmp.Diff([]any{[]any{nil, "no git"}, []any{nil, "docker is not here to ask the registry"}}, got); d != "" {
		t.Error(d)
	}
	for _, ran := range []string{"git-ran", "docker-ran", "sub/git-ran", "sub/docker-ran"} {
		if w.has(ran) {
			t.Error(ran)
		}
	}
}

// registryConfig is as much of Kamal's configuration as an image's question takes.
func registryConfig(server string) string {
	return `Struct.new(:registry, :absolute_image).new(Struct.new(:server) { def local? = false }.new("` + server + `"), "` + server + `/app:v1")`
}

// The registry is trusted without TLS where Docker's engine trusts it so, and nowhere
// else.
func TestKamal_trustsARegistryAsDockersEngineDoes(t *testing.T) {
	w := needKamal(t)
	w.write("bin/docker", `#!/bin/sh
case "$1" in
info) [ -n "$INFO" ] && echo "$INFO" ;;
manifest) echo "$*" >asked; [ -z "$ANSWER" ] || { echo "$ANSWER" >&2; exit 1; } ;;
esac
`)
	const (
		usual  = `{"IndexConfigs":{"docker.io":{"Secure":true},"insecure.example.com:5000":{"Secure":false},"mirror.example.com":{"Secure":true}},"InsecureRegistryCIDRs":["::1/128","127.0.0.0/8"]}`
		ranges = `{"IndexConfigs":{},"InsecureRegistryCIDRs":["192.0.2.0/24"]}`
	)
	env := append(w.env, "PATH="+w.dir+"/bin:"+os.Getenv("PATH"))
	for _, test := range []struct {
		server, info, answer string
		insecure             bool
		want                 []any
	}{
		{"registry.invalid", usual, "", false, []any{true, nil}},
		{"", usual, "", false, []any{true, nil}},
		{"127.0.0.1:5000", usual, "", true, []any{true, nil}},
		{"127.0.0.1:5000", ranges, "", false, []any{true, nil}},
		{"[::1]:5000", usual, "", true, []any{true, nil}},
		{"192.0.2.7", ranges, "", true, []any{true, nil}},
		{"192.0.3.7", ranges, "", false, []any{true, nil}},
		{"insecure.example.com:5000", usual, "", true, []any{true, nil}},
		{"mirror.example.com", usual, "", false, []any{true, nil}},
		{"127.0.0.1:5000", usual, "no such manifest: x", true, []any{false, nil}},
		{"127.0.0.1:5000", usual, "denied", true, []any{nil, "the registry does not say"}},
		{"127.0.0.1:5000", "", "no such manifest: x", false, []any{nil, "docker's engine does not say whether it trusts the registry without TLS"}},
		{"127.0.0.1:5000", "", "", false, []any{true, nil}},
		{"127.0.0.1:5000", "no JSON", "", false, []any{true, nil}},
	} {
		w.env = append(env[:len(env):len(env)], "INFO="+test.info, "ANSWER="+test.answer)
		if d := cmp.Diff(test.want, w.ruby(`KamalOpPlan.image(`+registryConfig(test.server)+`)`)); d != "" {
			t.Errorf("%+v: %s", test, d)
		}
		asked, err := os.ReadFile(filepath.Join(w.dir, "asked"))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(asked), "--insecure"); got != test.insecure {
			t.Errorf("%+v: asked %s", test, asked)
		}
	}
}

func hexed(text string) string { return hex.EncodeToString([]byte(text)) }

// What was a secret when a container was started, its own env file says. Where Kamal has
// written another one since, no value of the container is read.
func TestKamal_readsNoValueBesideAnotherEnvFile(t *testing.T) {
	w := needKamal(t)
	// It was started with OLD as a secret, and LEVEL as a clear variable.
	w.write("bin/docker", `#!/bin/sh
case "$*" in
*'printf "%x"'*) echo "`+hexed("OLD")+` `+hexed("OLD=was-secret")+`"; echo "`+hexed("LEVEL")+` `+hexed("LEVEL=info")+`" ;;
*'{{json .Name}}'*) echo '{"name":"/app-web-v1","created":"2026-11-22T01:02:03.5Z"}' ;;
*) echo '{}' ;;
esac
`)
	w.env = append(w.env, "PATH="+w.dir+"/bin:"+os.Getenv("PATH"))
	for _, test := range []struct {
		written, names string
		known          bool
	}{
		{"2026-11-22T01:02:03Z", "OLD=was-secret\n", true},
		{"2026-11-22T00:52:04Z", "OLD=was-secret\n", true},
		{"2026-11-22T00:52:00Z", "OLD=was-secret\n", false}, // a container of no deploy that wrote it
		{"2026-11-22T01:02:04Z", "\n", false},               // a deploy since has written another
		{"", "", false},
	} {
		_ = os.Remove(filepath.Join(w.dir, "web.env")) // from the case before, if at all
		if test.written != "" {
			w.write("web.env", test.names)
			if out, err := exec.CommandContext(t.Context(), "touch", "-d", test.written, filepath.Join(w.dir, "web.env")).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
		got := w.ruby(`
			backend = Object.new
			def backend.capture(*words, **) = IO.popen([ "sh", "-c", words.join(" ") ], &:read)
			env = Struct.new(:secret_keys, :secrets, :clear).new([], {}, { "OLD" => "1", "LEVEL" => "debug" })
			KamalOpPlan::Host.new(backend, "h", "salt").send(:container, [ "echo", "a" * 12 ], env, "web.env")`).(map[string]any)["has"].(map[string]any)
		want := map[string]any{"env_file": test.known, "clear": map[string]any{}, "others": []any{"OLD", "LEVEL"}}
		if test.known {
			want["clear"], want["others"] = map[string]any{"LEVEL": "aW5mbw=="}, []any{"OLD"}
		}
		for name, value := range want {
			if d := cmp.Diff(value, got[name]); d != "" {
				t.Errorf("%+v: %s: %s", test, name, d)
			}
		}
	}
}
