package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/history"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// historyCommand is `kamal-op history [diff A B]`.
type historyCommand struct {
	vaultFlags
	timeFlags
	destinationFlag
	configFileFlag
	hostsFlag `set:"hosts=Ask these hosts only, separated by commas."`
	rolesFlag `set:"roles=Ask for these roles only, separated by commas."`
	kamalFlag
	directoryFlag
	envFlag
	hostKeysFlag `set:"host_keys="`
	opScopeFlag  `set:"op_scope="`
	JSON         bool   `name:"json" help:"Print the history, or what differs, as JSON."`
	Last         int    `name:"last" default:"20" placeholder:"NUMBER" help:"How many deploys the table has."`
	Diff         string `arg:"" optional:"" name:"diff" help:"diff: say what differs between two deploys."`
	A            string `arg:"" optional:"" name:"a" help:"Version of the one, or its beginning."`
	B            string `arg:"" optional:"" name:"b" help:"Version of the other."`
}

// Run reads what the hosts have of deploys.
func (c historyCommand) Run(a *app) error {
	switch {
	case c.Diff != "" && (c.Diff != "diff" || c.B == ""):
		return problem.Usagef("such as kamal-op history, or kamal-op history diff v1 v2", "history takes nothing, or: diff A B").About(problem.History)
	case c.Last < 1:
		return problem.Usagef("such as --last 50", "--last %d shows nothing", c.Last).About(problem.History)
	}
	if err := a.show(logFlags{}, c.WorkingDirectory, false); err != nil {
		return err
	}
	j, err := c.job(a)
	if err != nil {
		return err
	}
	ctx, signals, stop := c.context(a)
	defer stop()
	j.Process = a.process(signals)
	j.Stdout = a.Stderr // standard output is the report's
	h, err := askHistory(ctx, j, kamal.ArgOptions{Destination: c.Destination, ConfigFile: c.ConfigFile, Hosts: commas(c.Hosts), Roles: commas(c.Roles)})
	if err != nil {
		return a.explainConnect(err)
	}
	var report any = h
	text := func() string { return gate.Cleaned(a.gate, h).Text(c.Last, columns(a.Stdout)) }
	if c.Diff != "" {
		d, err := c.differs(ctx, a, h)
		if err != nil {
			return err
		}
		report, text = d, func() string { return gate.Cleaned(a.gate, d).Text(a.colours(a.Stdout)) }
	}
	if c.JSON {
		encoder := json.NewEncoder(a.Stdout.JSON())
		encoder.SetIndent("", "  ")
		err = encoder.Encode(report)
	} else {
		err = a.report(text())
	}
	switch {
	case err != nil:
		return fmt.Errorf("writing the history: %w", err)
	case len(h.Unreached) > 0:
		return exitStatus(problem.Partial)
	}
	return nil
}

// job is what Kamal needs to ask the hosts.
func (c historyCommand) job(a *app) (deploy.Job, error) {
	return a.askJob(c.vaultFlags, c.Env, c.HostKeys, deploy.Job{
		Kamal: c.Kamal, AnyVault: c.OpScope == "any",
		Project: kamal.ProjectOptions{ConfigFile: c.ConfigFile, Destination: c.Destination},
	})
}

// askHistory has Kamal ask the hosts for the history.
func askHistory(ctx context.Context, j deploy.Job, o kamal.ArgOptions) (history.History, error) {
	out, err := j.Ask(ctx, deploy.Call{Title: "asking the hosts what was deployed", Preload: history.Preload(), Args: kamal.Args(history.Command, o)})
	if err != nil {
		return history.History{}, err
	}
	return history.Parse(out)
}

// differs is what differs between the two deploys that are meant.
func (c historyCommand) differs(ctx context.Context, a *app, h history.History) (history.Diff, error) {
	from, err := h.Find(c.A)
	if err != nil {
		return history.Diff{}, err
	}
	to, err := h.Find(c.B)
	if err != nil {
		return history.Diff{}, err
	}
	d := history.Between(from, to)
	d.Commits, d.CommitsUnknown = commitsBetween(ctx, checkout{dir: a.dir, env: a.Env}, from.Version, to.Version)
	return d, context.Cause(ctx) // of a run that was cancelled they are not known
}

// commitsBetween are the commits that the one version has not and the other has, the
// newest first, or why they are not known.
func commitsBetween(ctx context.Context, c checkout, from, to string) (commits []string, unknown string) {
	commit := regexp.MustCompile(`^[0-9a-f]{7,40}`)
	first, last := commit.FindString(from), commit.FindString(to)
	if first == "" || last == "" {
		return []string{}, "a version is no commit"
	}
	out, err := c.git(ctx, "log", "--no-show-signature", "--max-count=200", "--format=%h %s", first+".."+last)
	if err != nil {
		return []string{}, "git does not have both here"
	}
	commits = []string{}
	for line := range strings.Lines(string(out)) {
		commits = append(commits, strings.TrimRight(line, "\n"))
	}
	return commits, ""
}
