package review

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/kamal/resolved"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A Command is one Kamal command.
type Command struct {
	Title   string   // what it does, for the log
	Env     []string // REVIEW_*, beside the run's own environment
	Args    []string // of Kamal
	Capture bool     // what it writes to its standard output is given back, and not shown
	Preload string   // Ruby that is to be required before Kamal
}

// A Runner runs Kamal with the run's secrets, its agent and its masks. The error is
// a *problem.Problem that names what failed where Kamal says it: host, phase, last
// words, remedy. What a command wrote is given back with the error too.
type Runner interface {
	Run(ctx context.Context, c Command) ([]byte, error)
}

// A Task is a command of the project's own for a preview's database, with {number},
// {service} and {database} (the service with _ for -) filled in. It must bear being
// run again.
type Task struct {
	Accessory string // whose container it runs in; "" is the app's
	Command   string
}

// A Project is what a team says of its previews.
type Project struct {
	Service     string   // production's
	Repository  string   // OWNER/NAME; "" where it is not known, and then nothing can be deployed or removed
	Host        string   // template; see NewApp
	Destination string   // DefaultDestination if empty
	Production  string   // production's destination; "" is none
	Alone       bool     // there is no production to compare with
	Environment string   // GitHub's; DefaultEnvironment if empty
	DeployArgs  []string // added to kamal deploy and setup: --skip-push
	Create      []Task   // before the deploy; those of the app after it
	Drop        []Task   // before the removal, when the app has stopped

	Rules
	Safety
	Sweeping
	ReadyCheck
}

// A Review carries plans out.
type Review struct {
	Project Project
	Runner  Runner
	GitHub  *github.Client // nil: nothing is asked of GitHub, and nothing told
	Run     Run
	Say     func(line string) // the log; nil is silence
	Masked  func(error) error // an error with its texts masked, for pages of GitHub's; nil as it is
	Now     func() time.Time
	Sleep   func(context.Context, time.Duration) error
}

// A Run is the workflow run that this is, "" and 0 outside of one.
type Run struct {
	ID, Attempt int64
	URL         string // of the log
}

// An Outcome is what has come of a plan.
type Outcome struct {
	Plan     Plan          `json:"plan"`
	App      App           `json:"-"`
	URL      string        `json:"url,omitempty"`
	Took     time.Duration `json:"took"`
	Verdicts []Verdict     `json:"verdicts,omitempty"` // of a sweep
	Removed  []int         `json:"removed,omitempty"`
	NotOurs  []string      `json:"notOurs,omitempty"` // what has a preview's name and not our labels: it was left alone
	// Untold is what could not be told on GitHub: a permission that is missing. It
	// does not fail the run.
	Untold problem.List `json:"-"`
}

// Carry carries a plan out. What was done in part only (a removal, a sweep) is an
// error with the status problem.Partial.
func (r *Review) Carry(ctx context.Context, p Plan) (Outcome, error) {
	r.say("%s", p.Said())
	switch p.Do {
	case Deploy:
		return r.deploy(ctx, p)
	case Remove:
		return r.removeOne(ctx, p)
	case Sweep:
		return r.sweep(ctx, p, false)
	}
	t := r.teller(p, App{})
	t.react(ctx)
	return Outcome{Plan: p, Untold: t.untold}, nil
}

// DryRun is what a sweep would do.
func (r *Review) DryRun(ctx context.Context) (Outcome, error) {
	return r.sweep(ctx, Plan{Do: Sweep, Why: "dry run"}, true)
}

func (r *Review) say(format string, args ...any) {
	if r.Say != nil {
		r.Say(fmt.Sprintf(format, args...))
	}
}

func (r *Review) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

func (r *Review) sleep(ctx context.Context, d time.Duration) error {
	if r.Sleep != nil {
		return r.Sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// app is a preview of the project.
func (r *Review) app(number int, sha string) (App, error) {
	a, err := NewApp(r.Project.Service, r.Project.Host, r.Project.Destination, number, sha)
	a.Repository = strings.ToLower(r.Project.Repository) // GitHub takes it as the same
	if err == nil && a.Repository != "" && !repositoryName().MatchString(a.Repository) {
		err = problem.Usagef("give OWNER/NAME", "%q is no repository", short(r.Project.Repository))
	}
	return a, err
}

var repositoryName = lazy.Regexp(`^[a-z0-9_.-]+/[a-z0-9_.-]+$`)

// labelled is the problem of a run that does not know the labels of its previews.
func (r *Review) labelled() error {
	if r.Project.Repository == "" {
		return problem.Usagef("give it with --repository OWNER/NAME", "the repository is not known, by which previews are told from what is another's")
	}
	return nil
}

// nobody is a preview that no pull request has: what is asked of all hosts is asked
// in its name.
func (r *Review) nobody() (App, error) { return r.app(0, "") }

// kamal runs a Kamal command of a preview.
func (r *Review) kamal(ctx context.Context, a App, title string, args ...string) error {
	_, err := r.Runner.Run(ctx, Command{Title: title, Env: a.Env(), Args: append(args, a.Args()...), Preload: LabelsPreload})
	return err
}

// resolve is the configuration that Kamal makes for a preview.
func (r *Review) resolve(ctx context.Context, a App) (resolved.Configuration, error) {
	out, err := r.Runner.Run(ctx, Command{
		Title: "Read back the configuration of " + a.Service, Env: a.Env(),
		Args: append([]string{"config"}, a.Args()...), Capture: true, Preload: LabelsPreload + resolved.Preload,
	})
	if err != nil {
		return resolved.Configuration{}, err
	}
	return resolved.Parse(out)
}

// production is the configuration that Kamal makes for production; nil where there
// is none.
func (r *Review) production(ctx context.Context) (*resolved.Configuration, error) {
	if r.Project.Alone {
		return nil, nil
	}
	args := []string{"config", "--version", "production"}
	if r.Project.Production != "" {
		args = append(args, "-d", r.Project.Production)
	}
	out, err := r.Runner.Run(ctx, Command{Title: "Read production's configuration", Args: args, Capture: true, Preload: resolved.Preload})
	if err != nil {
		return nil, err
	}
	p, err := resolved.Parse(out)
	return &p, err
}

// protected is what is production's by name, whatever the name looks like.
func protected(production *resolved.Configuration) map[string]bool {
	all := map[string]bool{}
	if production != nil {
		all[production.Service] = true
		for _, a := range production.Accessories {
			all[a.Service] = true
		}
	}
	return all
}

// remote runs a script in the login shell's home on one host and gives back what it
// wrote. Nothing of anybody else's may be in the script; it must not hold a ' or a
// line feed.
func (r *Review) remote(ctx context.Context, a App, host, title, script string) ([]byte, error) {
	if strings.ContainsAny(script, "'\n") {
		return nil, fmt.Errorf("%s: the script holds a quote", title)
	}
	// Kamal notes the command in a file that it names after the service.
	script += fmt.Sprintf(`; s=$?; rm -f .kamal/%s-%s-audit.log; exit $s`, a.Service, a.Destination)
	return r.Runner.Run(ctx, Command{
		Title: title, Env: a.Env(), Capture: true,
		Args: append([]string{"server", "exec", "sh -c '" + script + "'", "--hosts", host}, a.Args()...),
	})
}

// inventory asks every host what of the project's previews is there. A host that
// does not answer is noted, not an error.
func (r *Review) inventory(ctx context.Context, hosts []string, production *resolved.Configuration) (Inventory, error) {
	nobody, err := r.nobody()
	if err != nil {
		return Inventory{}, err
	}
	i := Inventory{Silent: map[string]error{}}
	for _, host := range hosts {
		if !hostAddress(host) {
			return i, problem.Newf("%q is no host", short(host))
		}
		if slices.Contains(i.Asked, host) {
			continue
		}
		i.Asked = append(i.Asked, host)
		mark := rand.Text()
		out, err := r.remote(ctx, nobody, host, "Look at the previews on "+host, inventoryScript(nobody.Base, mark))
		if ctx.Err() != nil {
			return i, ctx.Err()
		}
		if err == nil {
			var l map[int]Leftovers
			if l, err = parseInventory(host, nobody, mark, out, protected(production)); err == nil {
				i.add(nobody.Base, l)
				continue
			}
		}
		i.Silent[host] = err
	}
	return i, nil
}

// hostAddress says whether a host may be an argument of Kamal's.
func hostAddress(h string) bool {
	return h != "" && h[0] != '-' && strings.Trim(strings.ToLower(h), "abcdefghijklmnopqrstuvwxyz0123456789.-_:[]") == ""
}

// inAccessory is a task of an accessory: its name, a colon and a blank before the
// command.
var inAccessory = lazy.Regexp(`^([a-z0-9][a-z0-9_-]*):(?:[ \t]+(.*))?$`)

// ParseTask reads a task as it is declared: "ACCESSORY: COMMAND", or a command
// alone, which is the app's.
func ParseTask(text string) (Task, error) {
	t := Task{Command: strings.TrimSpace(text)}
	if m := inAccessory().FindStringSubmatch(t.Command); m != nil {
		t.Accessory, t.Command = m[1], strings.TrimSpace(m[2])
	}
	if t.Command == "" {
		return t, errors.New("it has no command")
	}
	return t, nil
}
