package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// logFlags say how a run shows itself.
type logFlags struct {
	JSON  bool `name:"json" help:"Write events to standard output, one a line as JSON, Kamal's output among them."`
	Plain bool `name:"plain" help:"Write plain lines on a terminal: no colours, no status line."`
}

// noiseFlags say how much a run of Kamal shows.
type noiseFlags struct {
	Quiet   bool `name:"quiet" short:"q" help:"Show what is wrong and nothing else: of Kamal's output its last words, where it fails. The command kamal shows its output all the same."`
	Verbose bool `name:"verbose" short:"v" help:"Show all that Kamal can say of what it does: its own --verbose."`
}

// hush has the run be as quiet as the flags say, and gives the arguments that make Kamal
// say more. Its own --quiet is not among them: what it does not say cannot be followed.
func (a *app) hush(f noiseFlags, output bool) (kamal []string, err error) {
	switch {
	case f.Quiet && f.Verbose:
		return nil, problem.Usagef("leave one of the two away", "--quiet and --verbose are given both")
	case f.Quiet && a.shown.JSON:
		return nil, problem.Usagef("leave one of the two away: who reads the events takes what it wants", "--quiet and --json are given both")
	case f.Verbose:
		return []string{"--verbose"}, nil
	case f.Quiet && output:
		a.system = ci.Quiet(a.system, nil)
	case f.Quiet:
		a.system = ci.Quiet(a.system, a.gate.Nowhere())
	}
	return nil, nil
}

// show has the log as the flags say, with the places of problems relative to the
// project's directory. With one, our own lines go where Kamal's do: in CI, since
// GitHub's runner lets lines of standard error overtake those of standard output,
// and the log would not read in the order in which things happened; and as events,
// which have one stream.
func (a *app) show(f logFlags, dir string, one bool) error {
	dir, err := a.directory("--working-directory", dir)
	if err != nil {
		return err
	}
	a.shown, a.dir = f, dir
	out := a.Stderr
	if f.JSON || one && a.inCI() {
		out = a.Stdout
	}
	a.system = a.detect(out)
	a.getReady()
	return nil
}

// getReady says on a terminal that something is going on: what comes first, Kamal's
// start or an answer of 1Password's, is seconds away.
func (a *app) getReady() { a.system.Status("getting ready") }

// asking says on a terminal that 1Password is asked, unless a person's op is, which may
// ask there itself.
func (a *app) asking(v deploy.Vault) {
	if v.Open != nil && v.Op == "" {
		a.system.Status("asking 1Password")
	}
}

// inCI tells whether a CI system runs us, as far as its variables say so. Azure
// Pipelines does not set CI.
func (a *app) inCI() bool {
	return a.env["CI"] != "" || a.env["GITHUB_ACTIONS"] != "" || a.env["TF_BUILD"] != ""
}

// runnerReorders tells whether the system is GitHub or one that takes its actions,
// whose runners let one stream of a step overtake the other.
func (a *app) runnerReorders() bool {
	return slices.Contains([]string{"GitHub", "Gitea", "Forgejo"}, a.system.Name())
}

// helperTime is how long a helper program of a CI system may take: it asks a
// server of that system's.
const helperTime = 15 * time.Second

// helpers are the programs of the CI system, such as buildkite-agent. Each gets the
// environment that it needs: ours, less our own credentials.
type helpers struct {
	env []string
	dir string
}

// run runs one. The gate alone calls it.
func (h *helpers) run(stdin io.Reader, name string, args ...string) error {
	path, err := environ.List(h.env).LookTool(name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), helperTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin, cmd.Env, cmd.Dir = stdin, h.env, h.dir
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		words, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
		return fmt.Errorf("%s %s: %w: %s", name, args[0], err, words)
	}
	return nil
}
