package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// The variables of a token for GitHub's API. The first is ours and goes to no child; the
// second is the user's, who may have it for Kamal, and is asked with where the first
// is not given.
const (
	ourGitHubToken   = "KAMAL_OP_GITHUB_TOKEN"
	usersGitHubToken = "GITHUB_TOKEN"
)

// githubToken is the token for GitHub's API, from the input or the environment.
func (a *app) githubToken() (token, origin string) {
	if token, origin = a.token("github-token", ourGitHubToken); token != "" {
		return token, origin
	}
	return strings.TrimSpace(a.env[usersGitHubToken]), usersGitHubToken
}

// withoutUsersGitHubToken is the environment of what a pull request's files may run.
func withoutUsersGitHubToken(env []string) []string {
	return environ.List(env).Without(func(name string) bool { return name == usersGitHubToken })
}

// secretToken is the token as something to be masked.
func secretToken(token string) mask.Secret { return mask.NewSecret("the GitHub token", token) }

// githubClient speaks to the API that the environment names, about this
// repository; nil without a token or a repository. Nothing is asked yet.
func (a *app) githubClient(repository string) (*github.Client, error) {
	token, origin := a.githubToken()
	if token == "" {
		return nil, nil
	}
	a.gate.Mask(secretToken(token))
	if err := a.system.Mask(secretToken(token)); err != nil {
		return nil, err
	}
	if repository = a.repository(repository); repository == "" {
		return nil, nil
	}
	return github.New(github.Options{
		BaseURL: a.env["GITHUB_API_URL"], Token: token, Origin: origin, Repository: repository, UserAgent: "kamal-op/" + releaseVersion(),
		Transport: a.gate.Transport(nil),
		Waiting: func(why string, wait time.Duration) {
			a.system.Info(fmt.Sprintf("waiting %s for GitHub: %s", wait.Round(time.Second), why))
		},
	})
}

// repository is that on GitHub, given or the workflow's; "" where it is not known.
func (a *app) repository(given string) string {
	if given == "" {
		return a.env["GITHUB_REPOSITORY"]
	}
	return given
}

// needGitHub is the problem of a run without a token.
func (r *reviewing) needGitHub() error {
	if r.github != nil {
		return nil
	}
	if token, _ := r.githubToken(); token != "" {
		return problem.Usagef("give it with --repository OWNER/NAME", "which repository on GitHub this is about is not known")
	}
	return problem.Usagef("set KAMAL_OP_GITHUB_TOKEN or GITHUB_TOKEN (in the action: github-token, which is ${{ github.token }} if not given)",
		"no token for GitHub is given: it says which pull requests are open, and whether they are a fork's")
}
