package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// servicesCommand is a command of the main job that may be for several services of a
// project, one after the other.
type servicesCommand struct {
	mainCommand
	Service lines `name:"service" placeholder:"NAME" help:"Service to deploy, where config/ has a configuration for each of several; they are deployed in the order given. Repeatable." note:"See docs/monorepos.md." complete:"service"`
}

// main is the command for the services that are named, or for the project's one.
func (c servicesCommand) main(a *app, command string) error {
	if len(c.Service) == 0 {
		return c.mainCommand.main(a, command)
	}
	if c.ConfigFile != "" {
		return problem.Usagef("leave one of the two away: --service finds the configuration by the name of its service", "--service and --config-file are given both").About(problem.Monorepos)
	}
	more, err := c.begin(a)
	if err != nil {
		return err
	}
	services, err := chosen(c.Service.names(), kamal.Services(a.dir))
	if err != nil {
		return err
	}
	var jobs deploy.Jobs
	for n, s := range services {
		c.ConfigFile = s.ConfigFile
		j := deploy.Job{Args: c.args(a, command, more), Builds: !skipsPush(a.rest), Title: s.Name}
		if n == 0 {
			if j, err = c.fill(a, j, true); err != nil {
				return err
			}
		} else {
			first := jobs[0] // the options are the same: what is not their own is asked for once
			first.Args, first.Title, first.Project.ConfigFile = j.Args, j.Title, s.ConfigFile
			j = first
		}
		jobs = append(jobs, j)
	}
	ctx, signals, stop := c.context(a)
	defer stop()
	for n := range jobs {
		if jobs[n].Deployment, err = a.deployment(ctx, c.gitHubEnvironmentFlag, jobs[n], kamal.DeclaredVersion(jobs[n].Args, a.env)); err != nil {
			return err
		}
		defer jobs[n].Deployment.Close()
		jobs[n].Process = a.process(signals)
		if !c.JSON && !c.Quiet {
			jobs[n].Terminal = a.terminal()
		}
	}
	return c.together(ctx, a, jobs)
}

// together runs the jobs, and tells how that ended.
func (c servicesCommand) together(ctx context.Context, a *app, jobs deploy.Jobs) error {
	if len(jobs) == 1 {
		jobs[0].Title = ""
		return c.run(ctx, a, jobs[0])
	}
	begun := time.Now()
	status, err := jobs.Run(ctx)
	if a.lookup.form != inputs { // the action does so by itself, whatever it has run
		a.returnFiles(begun)
	}
	return a.ended(status, a.explainConnect(err), "")
}

// chosen are the services that are named, each with its configuration. All that is wrong
// with the names is told.
func chosen(names []string, known []kamal.Service) (services []kamal.Service, err error) {
	var problems problem.List
	var others []string
	for _, s := range known {
		others = append(others, s.Name)
	}
	slices.Sort(others)
	others = slices.Compact(others)
	for n, name := range names {
		var of []kamal.Service
		for _, s := range known {
			if s.Name == name {
				of = append(of, s)
			}
		}
		switch {
		case slices.Contains(names[:n], name):
			problems = append(problems, problem.Usagef("name it once", "--service: %s is named twice", name))
		case len(of) == 0:
			problems = append(problems, noService(name, others))
		case len(of) > 1:
			problems = append(problems, problem.Usagef("give one of them with --config-file, or another service's name",
				"--service: %s is the service of %s and of %s", name, of[0].ConfigFile, of[1].ConfigFile))
		default:
			services = append(services, of[0])
		}
	}
	for _, p := range problems {
		p.Help = problem.Monorepos
	}
	return services, problems.Err()
}

// noService says that no configuration has this name.
func noService(name string, known []string) *problem.Problem {
	hint := "config/ has none at all: the service is what a configuration there has under `service`"
	if len(known) > 0 {
		hint = "config/ has " + strings.Join(known, ", ")
	}
	if near := nearOption(name, known); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	return problem.Usagef(hint, "--service: no configuration in config/ has the service %q", name)
}
