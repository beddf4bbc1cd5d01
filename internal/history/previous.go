package history

import (
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// Previous is the version before the one that runs: what was deployed before that was. A
// rollback is no deploy here, or going back twice would lead forward again. Where it is
// not sure, the versions that can be gone back to are named.
func (h History) Previous() (string, error) {
	running := h.Running()
	available := slices.DeleteFunc(h.Available(), func(v string) bool { return slices.Contains(running, v) })
	choose := func(why string) error {
		p := problem.New("which version to go back to is not known: "+why, "choose one: kamal-op rollback VERSION").About(problem.GoingBack)
		for _, v := range available {
			p.Details = append(p.Details, h.told(v))
		}
		if len(available) == 0 {
			p.Details, p.Hint = []string{"no other version has a container in every role on every host"}, "deploy the commit to go back to"
		}
		return p
	}
	switch {
	case len(h.Unreached) > 0:
		return "", choose(h.Unreached[0].Host + " could not be asked")
	case len(running) == 0:
		return "", choose("no version is running")
	case len(running) > 1:
		return "", choose("several run, " + strings.Join(running, ", "))
	}
	// A run that failed may have booted something, or nothing: what was done last tells
	// whether what runs is of that.
	sure, found := false, false
	for _, d := range h.Deploys {
		switch {
		case d.How == "failed" || d.How == "cancelled" || d.Command == "rotate":
		case d.How != "done" || !slices.Contains([]string{"deploy", "redeploy", "setup", "rollback"}, d.Command):
			return "", choose("it is not known whether " + d.Version + " was deployed or rolled back to")
		case !sure && d.Version != running[0]:
			return "", choose(running[0] + " runs, and what was done last is " + d.Command + " of " + d.Version)
		case d.Command == "rollback":
			sure = true
		case d.Version == running[0]:
			sure, found = true, true
		case found && slices.Contains(available, d.Version):
			return d.Version, nil
		case found:
			return "", choose(d.Version + ", which was before it, is not on every host any more")
		}
	}
	return "", choose("the history does not go back so far")
}

// told is a version with the last time that it came to run.
func (h History) told(version string) string {
	for _, d := range h.Deploys {
		if d.Version == version && (d.How == "done" || d.How == "booted") {
			return version + ", " + d.How + " at " + d.Ended.UTC().Format(moment) + " by " + gate.OneLine(d.By)
		}
	}
	return version
}
