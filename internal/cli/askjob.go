package cli

import "github.com/kamal-op/kamal-op/internal/deploy"

// askJob is the job j of a command that has Kamal ask the hosts and deploys nothing,
// with what the options of every such command say: secrets, variables, host keys.
func (a *app) askJob(v vaultFlags, env, keys lines, j deploy.Job) (deploy.Job, error) {
	if err := a.withEnv(env); err != nil {
		return j, err
	}
	j.Check, j.Project.Dir, j.Project.Env = deploy.CheckOff, a.dir, a.Env
	var err error
	if j.Wanted, j.Vault, err = a.wanted(v, true); err != nil {
		return j, err
	}
	j.Wanted.Pins, j.Wanted.PinRefs, err = hostKeys(keys, a.loaded)
	return j, err
}
