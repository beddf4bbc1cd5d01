package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/review"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// Run lists every preview.
func (c reviewListCommand) Run(a *app) error { return c.list(a, 0, c.Format) }

// Run shows one preview.
func (c reviewStatusCommand) Run(a *app) error {
	if c.Number <= 0 {
		return problem.Usagef("give a pull request's number", "%d is no pull request's number", c.Number)
	}
	return c.list(a, c.Number, c.Format)
}

// list shows what is on the hosts. Standard output is the list's alone: what else
// is to be said goes to standard error. A host that does not answer is a problem,
// and what the others say is shown all the same.
func (c reviewFlags) list(a *app, number int, format string) error {
	if c.JSON {
		return problem.Usagef("give --format json for the list as JSON", "--json is not for what is a list itself")
	}
	if err := a.show(c.logFlags, c.WorkingDirectory, false); err != nil {
		return err
	}
	ctx, signals, stop := c.context(a)
	defer stop()
	r, err := c.begin(a)
	if err != nil {
		return err
	}
	defer r.close()
	process := a.process(signals)
	process.Stdout = a.Stderr
	series, err := r.open(ctx, process, review.Plan{})
	if err != nil {
		return a.explainConnect(err)
	}
	r.review.Runner = runner{series}
	list, err := r.review.List(ctx, number)
	err = errors.Join(err, series.Close())
	var signalled supervise.Signalled
	if errors.As(context.Cause(ctx), &signalled) {
		return exitStatus(signalled.Status())
	}
	if len(list) > 0 || err == nil {
		if format == "json" {
			err = errors.Join(err, listJSON(a.Stdout.JSON(), list))
		} else {
			err = errors.Join(err, listText(a.Stdout, list, number, time.Now()))
		}
	}
	return err
}

func listJSON(w io.Writer, list []review.Listed) error {
	if list == nil {
		list = []review.Listed{}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(list)
}

func listText(w io.Writer, list []review.Listed, number int, now time.Time) error {
	if len(list) == 0 {
		what := "there are no previews on the hosts"
		if number != 0 {
			what = fmt.Sprintf("nothing is on the hosts of pull request %d", number)
		}
		_, err := fmt.Fprintln(w, what)
		return err
	}
	var b strings.Builder // a value is masked in what is written at once
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PULL\tSTATE\tDEPLOYED\tURL\tHOSTS")
	for _, l := range list {
		if !l.Ours() {
			continue
		}
		state := "stopped"
		if l.Running {
			state = "running"
		}
		if l.Pull != "" {
			state += ", " + l.Pull
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\n", l.Number, gate.Visible(state), ago(l.Deployed, now), gate.Visible(l.URL), gate.Visible(strings.Join(l.Hosts, " ")))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, l := range list {
		for _, thing := range l.Things {
			b.WriteString(gate.Visible(thing) + "\n")
		}
		for _, thing := range l.NotOurs {
			if _, err := fmt.Fprintln(w, "not ours: "+thing); err != nil {
				return err
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// ago is how long ago something was, as people say it.
func ago(at, now time.Time) string {
	if at.IsZero() {
		return "-"
	}
	switch d := now.Sub(at); {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(d.Hours()/24))
	}
}
