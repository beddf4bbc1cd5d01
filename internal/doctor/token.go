package doctor

import (
	"context"
	"errors"

	"github.com/kamal-op/kamal-op/internal/github"
)

// CheckToken looks whether the workflow's token may do what a deploy asks GitHub for:
// whether a run is over, which it asks of its own. client is nil without a token.
func CheckToken(client *github.Client, run github.Run) Check {
	c := Check{Area: areaGitHub, Name: "token"}
	c.Look = func(ctx context.Context) []Finding {
		f := Finding{Area: areaGitHub, Check: "token", State: Notice, Text: "the token may not read this repository's runs: a deploy lock that a dead run has left is not released"}
		f.Hint = "add actions: read to the permissions of the job"
		if client == nil {
			f.Text = "no token for GitHub is given: a deploy lock that a dead run has left is not released"
			f.Hint = "give github-token, or GITHUB_TOKEN in the environment"
			return []Finding{f}
		}
		over, why, err := client.RunOver(ctx, run)
		var denied *github.DeniedError
		switch {
		case github.IsStale(err):
			return problems(Finding{Area: areaGitHub, Check: "token", State: Wrong}, err)
		case errors.As(err, &denied):
			return []Finding{f}
		case err != nil:
			return problems(Finding{Area: areaGitHub, Check: "token", State: Unseen}, err)
		case over == github.Unknown:
			f.Details = []string{why}
			return []Finding{f}
		}
		return []Finding{{Area: areaGitHub, Check: "token", State: Well, Text: "the token may read this repository's runs (actions: read): a deploy lock that a dead run has left is released"}}
	}
	return c
}
