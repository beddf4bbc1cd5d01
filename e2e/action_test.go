package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A step is one run of the action as GitHub's runner starts a docker action:
// its arguments of docker run, its environment and its mounts
// (actions/runner, ContainerActionHandler and DockerCommandManager).
type step struct {
	scene *scene
	id    string // of the container
	temp  string // where the runner keeps what it mounts
	env   map[string]string
	files string // how the names of its files end
}

// fileCommands are the files by which a step speaks to the runner.
var fileCommands = map[string]string{
	"GITHUB_OUTPUT": "set_output", "GITHUB_ENV": "set_env", "GITHUB_PATH": "add_path",
	"GITHUB_STATE": "save_state", "GITHUB_STEP_SUMMARY": "step_summary",
}

// inputNames are the inputs of action.yml: the runner sets each, the ones that
// the workflow does not name to their default or to nothing.
func inputNames(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	inputs, name, within := map[string]string{}, "", false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case !strings.HasPrefix(line, " ") && line != "":
			within = line == "inputs:"
		case within && strings.HasPrefix(line, "  ") && line[2] != ' ':
			name = strings.TrimSuffix(strings.TrimSpace(line), ":")
			inputs[name] = ""
		case within && strings.HasPrefix(line, "    default: "):
			if value := strings.TrimPrefix(line, "    default: "); !strings.HasPrefix(value, "${{") {
				inputs[name] = value
			}
		}
	}
	return inputs
}

// action runs the action with these inputs to its end.
func (c *scene) action(inputs map[string]string) (*step, result) {
	c.t.Helper()
	s := c.newStep(inputs)
	return s, s.start().wait()
}

// newStep is a step with these inputs, not begun.
func (c *scene) newStep(inputs map[string]string) *step {
	c.t.Helper()
	s := &step{scene: c, temp: c.t.TempDir(), env: map[string]string{}, files: "_e2e"}
	all := inputNames(c.t)
	for name, value := range inputs {
		if _, known := all[name]; !known {
			c.t.Fatalf("action.yml has no input %q", name)
		}
		all[name] = value
	}
	for name, value := range all {
		s.env["INPUT_"+strings.ToUpper(strings.ReplaceAll(name, " ", "_"))] = value
	}
	for name, file := range fileCommands {
		path := filepath.Join(s.temp, "_runner_file_commands", file+"_e2e")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			c.t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			c.t.Fatal(err)
		}
		s.env[name] = "/github/file_commands/" + file + "_e2e"
	}
	for _, dir := range []string{"_github_home", "_github_workflow"} {
		if err := os.MkdirAll(filepath.Join(s.temp, dir), 0o755); err != nil {
			c.t.Fatal(err)
		}
	}
	event := filepath.Join(s.temp, "_github_workflow", "event.json")
	if err := os.WriteFile(event, []byte("{}\n"), 0o644); err != nil {
		c.t.Fatal(err)
	}
	maps.Copy(s.env, map[string]string{
		"HOME": "/github/home", "CI": "true", "GITHUB_ACTIONS": "true",
		"GITHUB_WORKSPACE": "/github/workspace", "GITHUB_EVENT_PATH": "/github/workflow/event.json",
		"GITHUB_REPOSITORY": "example/myapp", "GITHUB_REPOSITORY_OWNER": "example", "GITHUB_ACTOR": "someone",
		"GITHUB_TRIGGERING_ACTOR": "someone", "GITHUB_EVENT_NAME": "push", "GITHUB_JOB": "deploy",
		"GITHUB_REF": "refs/heads/main", "GITHUB_REF_NAME": "main", "GITHUB_REF_TYPE": "branch",
		"GITHUB_SHA": c.project.git("rev-parse", "HEAD"), "GITHUB_RUN_ID": "1234567890", "GITHUB_RUN_NUMBER": "12",
		"GITHUB_RUN_ATTEMPT": "1", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_API_URL": "https://api.github.com",
		"GITHUB_GRAPHQL_URL": "https://api.github.com/graphql", "GITHUB_WORKFLOW": "Deploy",
		"GITHUB_ACTION": "__kamal-op_kamal-op", "GITHUB_ACTION_REPOSITORY": "kamal-op/kamal-op", "GITHUB_ACTION_REF": "v1",
		"GITHUB_RETENTION_DAYS": "90", "RUNNER_OS": "Linux", "RUNNER_ARCH": "X64", "RUNNER_NAME": "e2e",
		"RUNNER_ENVIRONMENT": "github-hosted", "RUNNER_TEMP": "/github/runner_temp", "RUNNER_TOOL_CACHE": "/opt/hostedtoolcache",
		"RUNNER_WORKSPACE": "/home/runner/work/myapp", "ACTIONS_RUNTIME_URL": "https://example.com/",
		"ACTIONS_RUNTIME_TOKEN": randomText(16), "ACTIONS_CACHE_URL": "https://example.com/",
	})

	c.t.Cleanup(func() {
		if os.Getuid() == 0 {
			return
		}
		// All that a container made as root can be removed by whoever runs this.
		mustDocker(c.t, "run", "--rm", "--label", label(), "--entrypoint", "chown", "-v", s.temp+":/temp", "-v", c.project.Dir+":/project",
			os.Getenv(envKamal), "-R", fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()), "/temp", "/project")
	})
	return s
}

// start starts the step's container, with further arguments of docker run.
func (s *step) start(more ...string) *running {
	c := s.scene
	c.t.Helper()
	// Without --rm, so that what is left in the container can be seen.
	name := "e2e-" + randomText(6)
	args := append([]string{"run", "--name", name, "--label", label(), "--workdir", "/github/workspace"}, more...)
	var own []string
	for _, variable := range slices.Sorted(maps.Keys(s.env)) {
		args = append(args, "-e", variable)
		own = append(own, variable+"="+s.env[variable])
	}
	for from, to := range map[string]string{
		"/var/run/docker.sock":                "/var/run/docker.sock",
		s.temp:                                "/github/runner_temp",
		filepath.Join(s.temp, "_github_home"): "/github/home",
		filepath.Join(s.temp, "_github_workflow"):      "/github/workflow",
		filepath.Join(s.temp, "_runner_file_commands"): "/github/file_commands",
		c.project.Dir: "/github/workspace",
	} {
		args = append(args, "-v", from+":"+to)
	}
	s.id = name
	c.t.Cleanup(func() { mustDocker(c.t, "rm", "-fv", name) })
	return begin(c.t, own, "", append(args, os.Getenv(envAction), "action")) // as action.yml has it, for every step
}

// post runs the step's post-entrypoint as the runner does: with the same inputs,
// the states that it has read, and new files, the old ones gone.
func (s *step) post() (*step, result) {
	t := s.scene.t
	t.Helper()
	states := values(s.file("GITHUB_STATE"))
	p := s.scene.newStep(nil)
	p.temp = s.temp
	p.env = maps.Clone(s.env)
	for name, value := range states {
		p.env["STATE_"+name] = value
	}
	for name, file := range fileCommands {
		if err := os.Remove(filepath.Join(s.temp, "_runner_file_commands", file+s.files)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(s.temp, "_runner_file_commands", file+s.files+"_post")
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		p.env[name] = "/github/file_commands/" + file + s.files + "_post"
	}
	p.files = s.files + "_post"
	return p, p.start("--entrypoint", "kamal-op-post").wait()
}

// values reads a file of names and values as the runner does.
func values(text string) map[string]string {
	all := map[string]string{}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		if name, end, ok := strings.Cut(lines[i], "<<"); ok {
			var value []string
			for i++; i < len(lines) && lines[i] != end; i++ {
				value = append(value, lines[i])
			}
			all[name] = strings.Join(value, "\n")
		}
	}
	return all
}

// connectInputs are the inputs that name the vault, by the address that a
// container has for it, the key and all secrets.
func (c *scene) connectInputs() map[string]string {
	c.t.Helper()
	return map[string]string{
		"connect-host":  "http://" + forward(c.t, c.rig.gateway(c.t), strings.TrimPrefix(c.vault.URL(), "http://")),
		"connect-token": c.vault.Token(),
		"ssh-key":       "op://MyApp/Server",
		"secrets":       "# all of them\n" + strings.Join(c.declared(), "\n") + "\n",
	}
}

// gateway is the address that containers have for this machine.
func (r *rig) gateway(t *testing.T) string {
	t.Helper()
	id := r.server(t, 0).id
	return mustDocker(t, "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}", id)
}

// shown is what GitHub's log shows of a step's output: the runner takes the
// masks out of it. It fails where a mask comes after something else of the step.
func (s *step) shown(res result) result {
	s.scene.t.Helper()
	var shown strings.Builder
	for line := range strings.Lines(res.Log) {
		if !strings.HasPrefix(line, "::add-mask::") {
			shown.WriteString(line)
		}
	}
	for name, value := range s.scene.secrets() {
		for part := range strings.Lines(value) {
			part = strings.TrimSpace(part)
			if len(part) < 4 || strings.HasPrefix(part, "-----") || strings.HasPrefix(name, "the token's part") {
				continue
			}
			if !strings.Contains(res.Log, "::add-mask::"+strings.ReplaceAll(part, "%", "%25")+"\n") {
				s.scene.t.Errorf("GitHub is not told to mask a line of %s", name)
			}
		}
	}
	res.Log = shown.String()
	return res
}

// file is what the step wrote for the runner.
func (s *step) file(name string) string {
	s.scene.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.temp, "_runner_file_commands", fileCommands[name]+s.files))
	if err != nil {
		s.scene.t.Fatal(err)
	}
	return string(text)
}

// clean fails the test where the step left anything behind: in its container,
// in the runner's directories, in the workspace.
func (s *step) clean() {
	t := s.scene.t
	t.Helper()
	for line := range strings.Lines(mustDocker(t, "diff", s.id)) {
		name := strings.TrimSpace(line)[2:]
		// What docker makes for the mounts.
		if ofKamal(name) || name == "/github" || strings.HasPrefix(name, "/github/") || name == "/var/run" || name == "/run/docker.sock" {
			continue
		}
		t.Errorf("left behind in the container: %s", name)
	}
	for _, dir := range []string{s.temp, s.scene.project.Dir} {
		err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() && entry.Name() == ".git" {
				return filepath.SkipDir
			}
			if entry.Type().IsRegular() {
				text, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				if found := leaks(string(text), s.scene.secrets()); len(found) > 0 {
					t.Errorf("%s holds %q", path, found)
				}
				if strings.Contains(string(text), `"auths"`) {
					t.Errorf("left behind: a login in %s", path)
				}
			} else if !entry.IsDir() {
				t.Errorf("left behind: %s, %s", path, entry.Type())
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if status := s.scene.project.git("status", "--porcelain"); status != "" {
		t.Errorf("left behind in the workspace:\n%s", status)
	}
	for _, name := range []string{"GITHUB_ENV", "GITHUB_PATH"} {
		if text := s.file(name); text != "" {
			t.Errorf("%s has %q", name, text)
		}
	}
}

// The workflow of the README: one action, on an unmodified project.
func TestAction(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	version := c.project.commit()
	step, res := c.action(c.connectInputs())
	res = step.shown(res)
	c.succeeded(res)
	c.deployed()
	c.loggedIn(2)
	c.unlocked()
	step.clean()
	if text := strings.TrimSpace(withoutMasks(res.Stderr)); text != "" {
		// The runner shows lines of standard error before those of standard
		// output that came first: that is where masks belong, and nothing else.
		t.Errorf("the step writes to standard error too\n%s", text)
	}
	if out := step.file("GITHUB_OUTPUT"); !strings.Contains(out, version) {
		t.Errorf("the outputs do not have the version %s: %q", version, out)
	}
	// The summary has what only the real parts say: the boot of each host, each secret
	// with its item, the logins with their processes.
	summary := step.file("GITHUB_STEP_SUMMARY")
	want := []string{"| boot web | `" + c.servers[0].Address + "` |", "| login | docker login " + c.rig.registry.Address + " |", "| signature | a login with SHA256:"}
	for _, name := range append([]string{"KAMAL_REGISTRY_PASSWORD"}, c.project.Secrets...) {
		want = append(want, "| `"+name+"` | MyApp | Production | ")
	}
	for _, row := range want {
		if !strings.Contains(summary, row) {
			t.Errorf("%q is not in the summary\n%s", row, summary)
		}
	}
}

func TestActionThatFails(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.project.edit("config/deploy.yml", "APP_ENV: production", "APP_IS_ILL: \"true\"")
	c.project.commit()
	step, res := c.action(c.connectInputs())
	c.ended(step.shown(res), 1)
	c.unlocked()
	step.clean()
}

// In the action's container localhost is the container, which is told where it
// is the reason.
func TestActionWithConnectOnLocalhost(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.project.commit()
	inputs := c.connectInputs()
	inputs["connect-host"] = c.vault.URL()
	step, res := c.action(inputs)
	res.Log = withoutMasks(res.Log)
	c.ended(res, 4)
	if !strings.Contains(res.Log, "container") {
		t.Errorf("the log does not say why\n%s", res.Log)
	}
	c.loggedIn(0)
	step.clean()
}

// A command that is not Kamal's, as a step of a workflow.
func TestActionRun(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.project.commit()
	inputs := c.connectInputs()
	inputs["command"] = "run"
	inputs["args"] = `sh -c "echo $RAILS_MASTER_KEY; echo ::set-output name=x::y; ssh-add -l"`
	step, res := c.action(inputs)
	res = step.shown(res)
	c.succeeded(res)
	for line := range strings.Lines(res.Log) {
		if strings.HasPrefix(strings.TrimSpace(line), "::set-output") {
			t.Error("a command's output is taken for a command to the runner")
		}
	}
	if !strings.Contains(res.Log, "SHA256:") {
		t.Errorf("the agent does not have the key\n%s", res.Log)
	}
	step.clean()
}

func withoutMasks(log string) string {
	var kept strings.Builder
	for line := range strings.Lines(log) {
		if !strings.HasPrefix(line, "::add-mask::") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
