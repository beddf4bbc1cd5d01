package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// Jobs are jobs of several services of one project, each with its name. They ask the
// same of 1Password, beside what their own secrets files name.
type Jobs []Job

// Run does the jobs in their order: one sign-in and one batch for all, each with a deploy
// lock of its own. Everything is known of all of them before the first begins. Where one
// fails, those before it stay, and those behind it are not begun.
func (t Jobs) Run(ctx context.Context) (status int, err error) {
	t.shareDeployments()
	end, err := t.openVault(ctx)
	defer func() { err = errors.Join(err, end()) }()
	var all []*runner
	defer func() {
		for _, r := range all {
			err = errors.Join(err, r.close()) // of one that was run, nothing is left
		}
	}()
	if err == nil {
		all, err = t.prepare(ctx)
	}
	if err != nil {
		if late := outOfTime(ctx, beforeChild); late != nil {
			return problem.TimedOut, late
		}
		return exitStatus(ctx, problem.Status(err)), outputProblem(err)
	}
	for n, r := range all {
		status, err = r.main(ctx, "", supervise.Command{Args: r.job.Args, Env: r.env, Stdin: r.job.Stdin}, 0)
		r.uses.log(r.System)
		err = errors.Join(err, r.close())
		if err != nil && status == problem.Done {
			status = problem.Partial
		}
		if status != problem.Done {
			after, left := t.failure(ctx, n, status)
			return after, errors.Join(err, left)
		}
	}
	return status, nil
}

// openVault opens the vault for all of them, and asks it once for what all of them need.
func (t Jobs) openVault(ctx context.Context) (end func() error, err error) {
	end = func() error { return nil }
	first := t[0]
	wanted := first.Wanted.references()
	var problems problem.List
	for _, j := range t {
		project, err := kamal.OpenProject(j.Project)
		problems = append(problems, problem.Of(err)...)
		wanted = append(wanted, broker.References(project)...)
	}
	if len(problems) > 0 || first.Vault.Open == nil {
		return end, unique(problems).Err()
	}
	first.Vault.prepare()
	first.Gate.Mask(first.Vault.Credentials...)
	if err := first.System.Mask(first.Vault.Credentials...); err != nil {
		return end, err
	}
	backend, err := first.Vault.Open()
	if err != nil {
		return end, err
	}
	resolver := onepassword.NewResolver(backend, onepassword.Options{AllowEmpty: first.Wanted.AllowEmpty})
	for n := range t {
		t[n].Vault.Resolver = resolver
	}
	first.System.Info("asking 1Password for what " + strings.Join(t.titles(), ", ") + " need")
	if first.Vault.Op == "" {
		first.System.Status("asking 1Password")
		defer first.System.Status("")
	}
	return backend.Close, resolver.Prefetch(ctx, wanted...)
}

// prepare does for each job all that comes before Kamal. Problems of all of them are
// reported together.
func (t Jobs) prepare(ctx context.Context) (all []*runner, err error) {
	var problems problem.List
	for _, j := range t {
		j.System.Group(j.Title + ": before the deploy")
		r, err := j.prepare(ctx, "")
		j.System.EndGroup()
		all = append(all, r)
		if ctx.Err() != nil {
			return all, errors.Join(problems.Err(), err)
		}
		problems = append(problems, problem.Of(err)...)
	}
	if len(problems) == 0 {
		problems = t.logIn(ctx, all)
	}
	return all, unique(problems).Err()
}

// logIn logs in to the hosts of all services before the first is deployed: a host that the
// last of them cannot reach would leave the deploy done in part. Each has its own checked
// once more when its turn comes, by the names that Kamal gives then.
func (t Jobs) logIn(ctx context.Context, all []*runner) (problems problem.List) {
	seen := map[string]bool{}
	for _, r := range all {
		var asked []broker.Host
		for _, a := range r.foreseen(ctx) {
			if at := fmt.Sprintf("%+v", a); !seen[at] {
				seen[at] = true
				asked = append(asked, a)
			}
		}
		if len(asked) == 0 {
			continue
		}
		r.System.Status("logging in to the hosts of " + r.job.Title)
		h := r.hostCheck(r.job, r.bin, r.project)
		h.warned, h.own = true, true // which are told when its turn comes
		problems = append(problems, h.check(ctx, asked, true)...)
		r.System.Status("")
	}
	return problems
}

// foreseen are the hosts that a job will log in to, as its configuration names them. Where
// its arguments or ERB choose among them, where Kamal logs in with keys of its own, or a
// hook may open the way to them first, there are none: that is seen when its turn comes.
func (r *runner) foreseen(ctx context.Context) (asked []broker.Host) {
	c := r.project.Config
	chosen := slices.ContainsFunc(kamal.Options(r.job.Args), func(o kamal.Option) bool {
		return slices.Contains([]string{"--hosts", "--roles", "--primary"}, o.Name)
	})
	if chosen || c == nil || c.SSH.KeysOnly.Known || len(c.Unknown) > 0 || !r.hostCheck(r.job, r.bin, r.project).logIn {
		return nil
	}
	if _, err := os.Stat(filepath.Join(c.HooksDir(r.project.Dir), "pre-connect")); err == nil {
		return nil
	}
	for _, h := range c.Hosts {
		if !h.Accessory || r.job.Args[0] != "redeploy" {
			asked = append(asked, askedOf(ctx, c, h, r.sshEnv().List))
		}
	}
	return asked
}

// failure reports a job that failed: which services stay deployed, which were not begun,
// and the status of the whole run. The job's own status, that nothing was changed or
// Kamal's, holds for all only where none was deployed before it.
func (t Jobs) failure(ctx context.Context, failed, status int) (int, error) {
	titles := t.titles()
	parts, hint := []string{titles[failed] + " has failed"}, "when it is mended, go on with"
	switch {
	case status == problem.Partial:
		parts[0] = titles[failed] + " is done in part"
	case Cancelled(ctx, status):
		parts[0], hint = titles[failed]+" was cancelled", "go on with"
	case status == problem.TimedOut:
		parts[0] = titles[failed] + " did not end in time"
	case failed > 0:
		status = problem.Partial
	}
	if before := titles[:failed]; len(before) > 0 {
		parts = append(parts, "deployed before it, and stays: "+strings.Join(before, ", "))
	}
	p := &problem.Problem{Hint: hint + " --service " + strings.Join(titles[failed:], " --service "), Status: status}
	if behind := titles[failed+1:]; len(behind) > 0 {
		parts = append(parts, "not begun: "+strings.Join(behind, ", "))
	}
	p.Message = strings.Join(parts, "; ")
	return status, p.About(problem.Monorepos)
}

// titles are the names of all.
func (t Jobs) titles() (titles []string) {
	for _, j := range t {
		titles = append(titles, j.Title)
	}
	return titles
}

// unique drops problems that are in the list already: a secret that all jobs need fails
// in each of them.
func unique(problems problem.List) (list problem.List) {
	for _, p := range problems {
		if !slices.ContainsFunc(list, func(q *problem.Problem) bool { return q.Message == p.Message && q.Place == p.Place }) {
			list = append(list, p)
		}
	}
	return list
}
