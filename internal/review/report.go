package review

import (
	"fmt"
	"strings"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/comment"
)

// Page is the outcome as a page beside the log. told is what the run's commands have
// told of it, with its status, its time and its problems.
func (o Outcome) Page(told ci.Report) string {
	if o.Plan.Do == Nothing {
		return "## Review app: " + o.Plan.Said() + "\n"
	}
	told.Command = strings.TrimSpace("review " + string(o.Plan.Do))
	told.Service, told.Version, told.Destination, told.URL = o.App.Service, o.App.Version, o.App.Destination, o.URL
	return told.Markdown() + o.verdicts() + o.notOurs()
}

// verdicts are a sweep's, as part of a page.
func (o Outcome) verdicts() string {
	if len(o.Verdicts) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n| preview | | why |\n|---|---|---|\n")
	for _, v := range o.Verdicts {
		do := "kept"
		if v.Remove {
			do = "removed"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", v.Service, do, v.Why)
	}
	return b.String()
}

// notOurs is what was left alone, as part of a page. Names on a host are anybody's:
// they stand as code.
func (o Outcome) notOurs() string {
	if len(o.NotOurs) == 0 {
		return ""
	}
	return "\n### Not ours, and left alone\n\n" + comment.Block(o.NotOurs) + "\n"
}
