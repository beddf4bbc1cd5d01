package cli

import (
	"strings"

	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// locks is what the options say about the deploy lock. GitHub's token has no flag:
// it is an input of the action, which the workflow's own token is put into, or in
// the environment. Another CI system's is in the environment alone.
func (f lockFlags) locks(a *app) (deploy.LockOptions, error) {
	if f.LockWait < 0 {
		return deploy.LockOptions{}, problem.Usagef("such as --lock-wait 15m", "--lock-wait is less than nothing")
	}
	token, _ := a.githubToken()
	ci := mask.NewSecret("KAMAL_OP_CI_TOKEN", strings.TrimSpace(a.env["KAMAL_OP_CI_TOKEN"]))
	if ci.Reveal() != "" {
		a.gate.Mask(ci)
		if err := a.system.Mask(ci); err != nil {
			return deploy.LockOptions{}, err
		}
	}
	return deploy.LockOptions{
		Wait: f.LockWait, KeepStale: f.StaleLock == "fail", JobID: f.JobID,
		GitHubToken: mask.NewSecret("GITHUB_TOKEN", token), CIToken: ci,
	}, nil
}
