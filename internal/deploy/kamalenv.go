package deploy

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// kamalEnv is the environment that Kamal gets. The declared secrets are not in
// it, where every hook and every build would inherit them: the preload answers
// for them. Only where it is not part of Kamal (a bin/kamal that starts a container)
// do they come through the environment after all.
func (s *resources) kamalEnv(j Job, project *kamal.Project, b *broker.Broker, found kamal.Binary) ([]string, error) {
	env := newChildEnv(s.Env)
	s.addAgent(env)
	if !found.Preload {
		if err := s.addSecrets(env); err != nil {
			return nil, err
		}
		s.System.Warning(noPreloadProblem(found, "that every secret arrives as it is in the vault is not checked"))
	}
	docker := filepath.Join(s.dir.path, dockerDir)
	if s.docker == nil {
		var err error
		if docker, err = s.dir.sub(dockerDir); err != nil {
			return nil, err
		}
		if s.docker, err = dockerConfig(docker, environ.List(j.Env).Map()); err != nil {
			return nil, err
		}
	}
	var err error
	if server, known := ownRegistry(project); known && !found.Preload {
		err = keepLogin(docker, server)
	} else if !found.Preload {
		s.System.Notice(problem.New("which registry Kamal logs in to is not known here: its password goes to where docker's configuration keeps logins",
			"write registry.server in deploy.yml without ERB"))
	}
	if err != nil {
		return nil, err
	}
	env.SetAll(s.docker)
	if j.Foreign {
		// The workspace belongs to the runner's user and we are root: git would
		// call that dubious, and Kamal would then build without a clean clone.
		env.addGitConfig("safe.directory", "*")
	}
	env.SetAll(b.Environment(env.List))
	return env.List, nil
}

// ownRegistry is the registry that the run logs in to, as far as deploy.yml says.
func ownRegistry(project *kamal.Project) (server string, known bool) {
	if project == nil {
		return "", false
	}
	value := project.Config.Registry.Server
	return value.Or(""), !value.ERB && len(project.Config.Unknown) == 0
}

// addAgent points a child at the agent, where there is one.
func (s *resources) addAgent(env *childEnv) {
	if s.agent != nil {
		env.Set("SSH_AUTH_SOCK", s.agent.Socket())
	}
}

// childEnv is the environment of a command that is not Kamal: the caller's less
// what is ours, the declared secrets, the agent.
func (s *resources) childEnv() (*childEnv, error) {
	env := newChildEnv(s.Env)
	s.addAgent(env)
	return env, s.addSecrets(env)
}

// addSecrets puts the declared secrets into an environment.
func (s *resources) addSecrets(env *childEnv) error {
	var problems problem.List
	ours := map[string]int{}
	for _, secret := range s.secrets {
		value := secret.Reveal()
		if n := len(secret.Name()) + len("=") + len(value); runtime.GOOS == "linux" && n > kamal.MaxArgument {
			problems = append(problems, problem.New(
				fmt.Sprintf("%s is too long for an environment variable: %d bytes with its name, the system takes %d", secret.Name(), n, kamal.MaxArgument),
				"have the command read it from a file, or through op read").About(problem.LongValue))
		}
		if strings.IndexByte(value, 0) >= 0 {
			problems = append(problems, problem.New(
				secret.Name()+" has a NUL byte, which no environment variable can hold",
				"keep it base64-encoded in 1Password and have the app decode it").About(problem.AsItIs))
		}
		env.Set(secret.Name(), value)
		ours[secret.Name()] = len(value)
	}
	if len(problems) == 0 {
		all := map[string]int{}
		for _, entry := range env.List {
			name, value, _ := strings.Cut(entry, "=")
			all[name] = len(value)
		}
		if p := kamal.TooLongTogether(all, ours, kamal.MaxArguments(), "a program"); p != nil {
			p.Hint = "have the command read what is long from a file, or through op read"
			problems = append(problems, p)
		}
	}
	return problems.Err()
}
