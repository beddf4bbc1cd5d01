package cli

import (
	"context"
	"os"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// event is that of the workflow that this runs in. otherwise is what helps where there
// is none.
func (a *app) event(otherwise string) (github.Event, error) {
	name, path := a.env["GITHUB_EVENT_NAME"], a.env["GITHUB_EVENT_PATH"]
	if name == "" || path == "" {
		return github.Event{}, problem.Usagef(otherwise, "there is no event here: GITHUB_EVENT_NAME and GITHUB_EVENT_PATH are not set")
	}
	payload, err := os.ReadFile(path)
	if err != nil {
		return github.Event{}, problem.Newf("the event's payload cannot be read: %v", err).About(problem.GitHubRefuses)
	}
	return github.ParseEvent(name, payload)
}

// noGitHub is the problem of a run that needs GitHub, without a token for it.
func noGitHub() error {
	return problem.Usagef("run it in a workflow on GitHub, or set GITHUB_TOKEN and GITHUB_REPOSITORY", "no token for GitHub is given, or no repository")
}

// keepFromHead takes GITHUB_TOKEN out of the environment, since ERB and hooks of a pull
// request read it, unless the base commit's files have a use for it: what they name has
// been there before the pull request.
func (a *app) keepFromHead(ctx context.Context, c checkout, base string, client *github.Client, o kamal.ProjectOptions) {
	if a.env[usersGitHubToken] == "" {
		return
	}
	if base != "" {
		named, err := c.names(ctx, base, client, o, usersGitHubToken)
		if err != nil {
			a.system.Warning(problem.New("whether the base's files name GITHUB_TOKEN cannot be read: "+problem.Of(err)[0].Message, "check out with fetch-depth: 0, or let the token read (contents: read)"))
		}
		if named {
			return
		}
	}
	a.Env = withoutUsersGitHubToken(a.Env)
}
