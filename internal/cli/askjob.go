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

// complete gives a job that deploys what its options say: secrets and where they are,
// host keys, values that are exact, and locks.
func (a *app) complete(j *deploy.Job, v vaultFlags, keys hostKeysFlag, exact exactFlag, locks lockFlags) (err error) {
	if j.Wanted, j.Vault, err = a.wanted(v, true); err != nil {
		return err
	}
	if j.Wanted.Pins, j.Wanted.PinRefs, err = hostKeys(keys.HostKeys, a.loaded); err != nil {
		return err
	}
	if j.ExactValues, err = exact.exact(); err != nil {
		return err
	}
	j.Locks, err = locks.locks(a)
	return err
}
