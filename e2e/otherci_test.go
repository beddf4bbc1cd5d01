package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// published is what the examples name as the image; the tests take the one that was
// built here.
var published = regexp.MustCompile(`ghcr\.io/kamal-op/kamal-op:\d[\w.@:-]*`)

// example reads an example for a CI system: the file that people copy, and the
// documentation shows.
func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "ci", name))
	if err != nil {
		t.Fatal(err)
	}
	return published.ReplaceAllLiteralString(string(text), os.Getenv(envAction))
}

// A node is a part of an example.
type node map[string]any

func parse(t *testing.T, text string) (n node) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// at is the part behind these keys and indexes.
func (n node) at(t *testing.T, path ...any) any {
	t.Helper()
	var here any = map[string]any(n)
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, ok := here.(map[string]any)
			if !ok || m[step] == nil {
				t.Fatalf("no %v in %v", path, n)
			}
			here = m[step]
		case int:
			list, ok := here.([]any)
			if !ok || len(list) <= step {
				t.Fatalf("no %v in %v", path, n)
			}
			here = list[step]
		}
	}
	return here
}

// texts are the members of a part, each as a text.
func (n node) texts(t *testing.T, path ...any) map[string]string {
	t.Helper()
	all := map[string]string{}
	for name, value := range n.at(t, path...).(map[string]any) {
		all[name] = fmt.Sprint(value)
	}
	return all
}

// lines are the entries of a list, one a line.
func (n node) lines(t *testing.T, path ...any) string {
	t.Helper()
	var all []string
	for _, entry := range n.at(t, path...).([]any) {
		all = append(all, fmt.Sprint(entry))
	}
	return strings.Join(all, "\n")
}

// job runs the action's image as a CI system runs a job's: in the project's
// directory, with Docker, with this environment and input.
func (c *scene) job(env map[string]string, stdin string, args ...string) result {
	c.t.Helper()
	run := []string{
		"run", "--rm", "--interactive", "--label", label(), "--network", "host",
		"--volume", "/var/run/docker.sock:/var/run/docker.sock", "--volume", c.project.Dir + ":" + c.project.Dir, "--workdir", c.project.Dir,
	}
	var own []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		run, own = append(run, "--env", name), append(own, name+"="+env[name])
	}
	return begin(c.t, own, stdin, append(run, args...)).wait()
}

// remote is the environment that names the vault to a container with a network of
// its own.
func (c *scene) remote() map[string]string {
	c.t.Helper()
	return map[string]string{
		"OP_CONNECT_HOST":  "http://" + forward(c.t, c.rig.gateway(c.t), strings.TrimPrefix(c.vault.URL(), "http://")),
		"OP_CONNECT_TOKEN": c.vault.Token(),
	}
}

// arrived fails the test where the example has not deployed, or its log does not
// have what the CI system reads.
func (c *scene) arrived(res result, marks ...string) {
	c.t.Helper()
	c.succeeded(res)
	c.deployed()
	c.unlocked()
	for _, mark := range marks {
		if !strings.Contains(res.Log, mark) {
			c.t.Errorf("%q is not in the log\n%s", mark, res.Log)
		}
	}
	if status := c.project.git("status", "--porcelain"); status != "" {
		c.t.Errorf("left behind in the workspace:\n%s", status)
	}
}

// gitlabJob runs a job of a .gitlab-ci.yml as GitLab's runner does.
func (c *scene) gitlabJob(job node) result {
	c.t.Helper()
	env := with(c.connect(), job.texts(c.t, "variables"), map[string]string{
		"CI": "true", "GITLAB_CI": "true", "CI_SERVER_URL": "https://gitlab.com", "CI_PROJECT_PATH": "example/myapp",
		"CI_JOB_ID": "50", "CI_JOB_URL": "https://gitlab.com/example/myapp/-/jobs/50", "CI_PROJECT_DIR": c.project.Dir,
	})
	// The service that builds is a Docker engine of its own on GitLab.
	for _, name := range []string{"DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"} {
		delete(env, name)
	}
	return c.job(env, "set -eo pipefail\n"+job.lines(c.t, "script")+"\n", append([]string{job.at(c.t, "image").(string)}, gitlabShell...)...)
}

func TestGitLab(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.project.commit()
	file := parse(t, example(t, "gitlab/plain.gitlab-ci.yml"))
	res := c.gitlabJob(file.at(t, "deploy").(map[string]any))
	c.arrived(res, "\x1b[0Ksection_start:")
}

// The component, with the inputs that its example gives.
func TestGitLabComponent(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.project.commit()
	header, body, _ := strings.Cut(example(t, "gitlab/templates/deploy.yml"), "\n---\n")
	declared := parse(t, header).at(t, "spec", "inputs").(map[string]any)
	given := parse(t, example(t, "gitlab/component.gitlab-ci.yml")).at(t, "include", 0, "inputs").(map[string]any)
	for name := range given {
		if declared[name] == nil {
			t.Errorf("the component has no input %s", name)
		}
	}
	for name, input := range declared {
		value, ok := given[name]
		if !ok {
			value = input.(map[string]any)["default"]
		}
		text, isText := value.(string)
		if !isText {
			list, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			text = string(list)
		}
		body = strings.ReplaceAll(body, "$[[ inputs."+name+" ]]", text)
	}
	if strings.Contains(body, "$[[") {
		t.Fatalf("an input is not declared\n%s", body)
	}
	c.arrived(c.gitlabJob(parse(t, body).at(t, "deploy").(map[string]any)), "\x1b[0Ksection_start:")
}

// parameters fills in what a part of a CircleCI configuration is called with.
func parameters(t *testing.T, part node, values map[string]any) node {
	t.Helper()
	filled := map[string]any{}
	for name, value := range part {
		filled[name] = fill(value, values)
	}
	return filled
}

func fill(part any, values map[string]any) any {
	switch part := part.(type) {
	case string:
		for name, value := range values {
			part = strings.ReplaceAll(part, "<< parameters."+name+" >>", fmt.Sprint(value))
		}
		return part
	case []any:
		var all []any
		for _, entry := range part {
			all = append(all, fill(entry, values))
		}
		return all
	case map[string]any:
		all := map[string]any{}
		for name, value := range part {
			all[name] = fill(value, values)
		}
		return all
	}
	return part
}

// called are the values of the parameters of a part that is called with some.
func called(t *testing.T, part node, given map[string]any) map[string]any {
	t.Helper()
	values := map[string]any{}
	declared := part.at(t, "parameters").(map[string]any)
	for name, p := range declared {
		values[name] = p.(map[string]any)["default"]
		if v, ok := given[name]; ok {
			values[name] = v
		}
	}
	for name := range given {
		if declared[name] == nil && !slices.Contains([]string{"context", "serial-group", "filters"}, name) {
			t.Errorf("there is no parameter %s", name)
		}
	}
	return values
}

// The orb, and the one that stands in the configuration itself: CircleCI starts the
// image without its entrypoint, and each step with the shell that it names.
func TestCircleCI(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"config", "inline"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := newScene(t, 1)
			c.project.commit()
			config := parse(t, example(t, "circleci/"+kind+".yml"))
			given := config.at(t, "workflows", "deploy", "jobs", 0, "kamal-op/deploy").(map[string]any)
			var run node
			if kind == "inline" {
				job := node(config.at(t, "orbs", "kamal-op", "jobs", "deploy").(map[string]any))
				run = parameters(t, job, called(t, job, given)).at(t, "steps", 2, "run").(map[string]any)
			} else {
				orb := parse(t, example(t, "circleci/orb.yml"))
				job := node(orb.at(t, "jobs", "deploy").(map[string]any))
				execute := parameters(t, job, called(t, job, given)).at(t, "steps", 2, "execute").(map[string]any)
				command := node(orb.at(t, "commands", "execute").(map[string]any))
				run = parameters(t, command, called(t, command, execute)).at(t, "steps", 0, "run").(map[string]any)
			}
			shell := strings.Fields(run.at(t, "shell").(string))
			env := with(c.connect(), run.texts(t, "environment"), map[string]string{"CI": "true", "CIRCLECI": "true", "CIRCLE_BUILD_NUM": "173", "CIRCLE_JOB": "deploy"})
			args := append([]string{"--entrypoint", shell[0], os.Getenv(envAction)}, shell[1:]...)
			c.arrived(c.job(env, "", append(args, "-c", run.at(t, "command").(string))...), "== boot")
		})
	}
}

// The plugin's hook, with the environment that Buildkite's agent makes of the
// pipeline: by the image, and by a kamal-op on the agent's PATH.
func TestBuildkite(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"image", "installed"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := newScene(t, 1)
			c.project.commit()
			m := c.rig.machine(t, c.project)
			mustDocker(t, "cp", filepath.Join("..", "ci", "buildkite", "hooks", "command"), m.id+":/hook")
			env := map[string]string{
				"CI": "true", "BUILDKITE": "true", "BUILDKITE_BUILD_URL": "https://buildkite.com/example/myapp/builds/12",
				"BUILDKITE_BUILD_NUMBER": "12", "BUILDKITE_JOB_ID": "e44f9784-e20e-4b93-a21d-f41fd5869db9",
				"BUILDKITE_PLUGIN_KAMAL_OP_IMAGE": os.Getenv(envAction),
			}
			plugin := parse(t, example(t, "buildkite/pipeline.yml")).at(t, "steps", 0, "plugins", 0, "kamal-op/kamal-op#v1").(map[string]any)
			for name, value := range plugin {
				name = "BUILDKITE_PLUGIN_KAMAL_OP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
				if list, ok := value.([]any); ok {
					for i, entry := range list {
						env[fmt.Sprintf("%s_%d", name, i)] = fmt.Sprint(entry)
					}
				} else {
					env[name] = fmt.Sprint(value)
				}
			}
			vault := c.connect()
			if kind == "image" {
				vault, env["PATH"] = c.remote(), "/usr/bin:/bin"
			}
			c.arrived(m.run(with(vault, env), "bash", "/hook"), "--- boot")
		})
	}
}

// The hook takes no command that could be anything.
func TestBuildkiteTakesNoOtherCommand(t *testing.T) {
	t.Parallel()
	c := newScene(t, 0)
	c.project.commit()
	m := c.rig.machine(t, c.project)
	mustDocker(t, "cp", filepath.Join("..", "ci", "buildkite", "hooks", "command"), m.id+":/hook")
	for _, command := range []string{"", "run", "deploy --json"} {
		res := m.run(map[string]string{"BUILDKITE_PLUGIN_KAMAL_OP_COMMAND": command}, "bash", "/hook")
		if res.Status != 2 || !strings.Contains(res.Log, "deploy, setup, redeploy, check or verify") {
			t.Errorf("%q: status %d\n%s", command, res.Status, res.Log)
		}
	}
}

// A step of Woodpecker's or Drone's with settings: the image without arguments, a
// list joined by commas.
func TestPlugin(t *testing.T) {
	t.Parallel()
	for file, system := range map[string]map[string]string{
		"woodpecker": {"CI": "woodpecker", "CI_REPO": "example/myapp"},
		"drone":      {"CI": "true", "DRONE": "true", "DRONE_REPO": "example/myapp"},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			c := newScene(t, 1)
			c.project.commit()
			step := node(parse(t, example(t, "woodpecker/"+file+".yml")).at(t, "steps", 0).(map[string]any))
			env := map[string]string{"PLUGIN_CONNECT_HOST": c.vault.URL(), "PLUGIN_CONNECT_TOKEN": c.vault.Token()}
			for name, value := range step.at(t, "settings").(map[string]any) {
				variable := "PLUGIN_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
				switch value := value.(type) {
				case string:
					env[variable] = value
				case []any:
					env[variable] = strings.ReplaceAll(step.lines(t, "settings", name), "\n", ",")
				case map[string]any:
					if name != "service-account-token" || value["from_secret"] == nil {
						t.Errorf("the setting %s is %v", name, value)
					}
				}
			}
			c.arrived(c.job(with(env, system), "", step.at(t, "image").(string)), "== boot")
		})
	}
}

// withVault is a script of an example with the stand-in's credentials, in place of a
// service account's.
func withVault(t *testing.T, script string) string {
	t.Helper()
	const own, vault = "--env OP_SERVICE_ACCOUNT_TOKEN", "--env OP_CONNECT_HOST --env OP_CONNECT_TOKEN"
	if !strings.Contains(script, own) {
		t.Fatalf("no %s in\n%s", own, script)
	}
	return strings.Replace(script, own, vault, 1)
}

// Azure's agent runs the script with bash; it takes the commands out of the log.
func TestAzure(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.project.commit()
	step := node(parse(t, example(t, "azure/azure-pipelines.yml")).at(t, "stages", 0, "jobs", 0, "steps", 1).(map[string]any))
	env := with(step.texts(t, "env"), c.remote(), map[string]string{
		"TF_BUILD": "True", "BUILD_BUILDID": "2031", "SYSTEM_COLLECTIONURI": "https://dev.azure.com/example/", "SYSTEM_TEAMPROJECT": "myapp",
	})
	delete(env, "OP_SERVICE_ACCOUNT_TOKEN")
	res := c.rig.machine(t, c.project).run(env, "bash", "--noprofile", "--norc", "-c", withVault(t, step.at(t, "script").(string)))
	var shown strings.Builder
	masks := 0
	for line := range strings.Lines(res.Log) {
		if strings.HasPrefix(line, "##vso[task.setsecret]") {
			masks++
		} else {
			shown.WriteString(line)
		}
	}
	if masks < len(c.values) {
		t.Errorf("the agent is told of %d values", masks)
	}
	res.Log = shown.String()
	c.arrived(res, "##[group]boot", "##[endgroup]")
}

// The script, in a workspace that belongs to another user than the container's.
func TestShell(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.project.commit()
	m := c.rig.machine(t, c.project)
	mustDocker(t, "exec", m.id, "chown", "-R", "4711:4711", c.project.Dir)
	t.Cleanup(func() {
		mustDocker(t, "exec", m.id, "chown", "-R", fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()), c.project.Dir)
	})
	env := with(c.remote(), map[string]string{"CI": "true", "OP_SERVICE_ACCOUNT_TOKEN": "not handed on here"})
	c.arrived(m.run(env, "sh", "-c", withVault(t, example(t, "shell/deploy.sh"))), "== boot")
	if others := mustDocker(t, "exec", m.id, "find", c.project.Dir, "!", "-user", "4711"); others != "" {
		t.Errorf("these belong to another user than the workspace:\n%s", others)
	}
}

// The workflows for Gitea and Forgejo: the action, with the environment of their
// runners.
func TestGiteaAndForgejo(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"gitea", "forgejo"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newScene(t, 1)
			c.project.commit()
			inputs := parse(t, example(t, name+"/deploy.yml")).texts(t, "jobs", "deploy", "steps", 1, "with")
			if inputs["service-account-token"] == "" {
				t.Error("the workflow hands over no token")
			}
			delete(inputs, "service-account-token")
			vault := c.connectInputs()
			inputs["connect-host"], inputs["connect-token"] = vault["connect-host"], vault["connect-token"]
			step := c.newStep(inputs)
			step.env["GITEA_ACTIONS"] = "true"
			if name == "forgejo" {
				step.env["FORGEJO_ACTIONS"] = "true"
			}
			res := step.start().wait()
			c.arrived(step.shown(res), "::group::boot")
		})
	}
}
