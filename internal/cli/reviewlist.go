package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
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
			err = errors.Join(err, a.report(listText(list, number, columns(a.Stdout), time.Now())))
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

// listText is the list for a person, on a terminal of so many columns.
func listText(list []review.Listed, number, width int, now time.Time) string {
	if len(list) == 0 {
		if number != 0 {
			return fmt.Sprintf("nothing is on the hosts of pull request %d\n", number)
		}
		return "there are no previews on the hosts\n"
	}
	rows := [][]string{{"PULL", "STATE", "DEPLOYED", "URL", "HOSTS"}}
	var rest strings.Builder
	for _, l := range list {
		if l.Ours() {
			state := "stopped"
			if l.Running {
				state = "running"
			}
			if l.Pull != "" {
				state += ", " + l.Pull
			}
			rows = append(rows, []string{strconv.Itoa(l.Number), gate.Visible(state), ago(l.Deployed, now), gate.Visible(l.URL), gate.Visible(strings.Join(l.Hosts, " "))})
		}
		for _, thing := range l.Things {
			rest.WriteString(gate.Visible(thing) + "\n")
		}
		for _, thing := range l.NotOurs {
			rest.WriteString("not ours: " + gate.Visible(thing) + "\n")
		}
	}
	return gate.Table(rows, true, width) + rest.String()
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
