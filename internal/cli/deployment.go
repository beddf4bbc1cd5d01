package cli

import (
	"context"

	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// gitHubEnvironmentFlag is the option of what deploys a version of the app.
type gitHubEnvironmentFlag struct {
	GitHubEnvironment string `name:"github-environment" placeholder:"NAME" help:"Tell GitHub of the deploy, as a deployment of this environment." note:"The token needs deployments: write; without it a notice says so, and the deploy is as without the option." file:"yes"`
}

// A version of Kamal's that is a commit: one that was deployed with changes that are not
// committed has the commit in it.
var commitVersion = lazy.Regexp(`^([0-9a-f]{40})(?:_uncommitted_[0-9a-f]+)?$`)

// deployment is how GitHub is told of a job, nil where it is not. version is what is
// deployed, "" what is checked out.
func (a *app) deployment(ctx context.Context, f gitHubEnvironmentFlag, j deploy.Job, version string) (*deploy.Deployment, error) {
	if f.GitHubEnvironment == "" {
		return nil, nil
	}
	client, err := a.githubClient("")
	if err != nil {
		return nil, err
	}
	if client == nil {
		a.system.Info("GitHub is told of no deployment: there is no token here, or no repository")
		return nil, nil
	}
	config, err := kamal.ReadConfig(j.Project)
	if err != nil {
		return nil, nil //nolint:nilerr // the job says what is wrong with it
	}
	run := workflowRun(a.env)
	service := config.Service.Text
	if !config.Service.Known {
		service = a.configPath(j.Project.ConfigFile) // ERB decides the name: each configuration is an app of its own
	}
	t := &deploy.Deployment{
		GitHub: client, Environment: f.GitHubEnvironment, App: service, SHA: a.deployed(ctx, version),
		URL: answersAt(config), RunURL: run.URL, Run: run.ID, Attempt: run.Attempt,
	}
	if d := j.Project.Destination; d != "" {
		t.App += "/" + d // which no service has in its name
	}
	return t, nil
}

// deployed is the commit of a version, "" where it is none.
func (a *app) deployed(ctx context.Context, version string) string {
	if version == "" {
		return checkout{dir: a.dir, env: a.Env}.head(ctx)
	}
	if m := commitVersion().FindStringSubmatch(version); m != nil {
		return m[1]
	}
	return ""
}

// answersAt is where an app answers, "" where deploy.yml does not say it.
func answersAt(config *kamal.Config) string {
	scheme := "http://"
	if config.Proxy.TLS {
		scheme = "https://"
	}
	for _, h := range config.Proxy.Hosts {
		if h.Known && h.Text != "" {
			return scheme + h.Text
		}
	}
	return ""
}

// endDeployment tells GitHub how deploys ended that it does not know the end of, by what
// their step has left; over says that it has ended in order. What cannot be told is a
// warning: the post step's status says nothing of the deploy.
func (a *app) endDeployment(state string, over bool) {
	ctx, cancel := context.WithTimeout(context.Background(), killedTime)
	defer cancel()
	client, err := a.githubClient("")
	if err == nil && client != nil {
		defer client.Close()
		run := workflowRun(a.env)
		err = deploy.Deployment{GitHub: client, RunURL: run.URL, Run: run.ID, Attempt: run.Attempt}.EndLeft(ctx, state, over)
	}
	for _, p := range problem.Of(err) {
		a.system.Warning(p)
	}
}
