package watch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/doctor"
	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/lazy"
)

// told are the findings that an issue is for: what is wrong, and what will be soon.
func told(r doctor.Report) (found []doctor.Finding) {
	for _, f := range r.Findings {
		soon := f.State == doctor.Notice && slices.Contains([]string{"disk", "clock", "certificate"}, f.Check)
		if f.State == doctor.Wrong || soon {
			found = append(found, f)
		}
	}
	return found
}

// mostNew is how many findings are told as new: the issue has them all.
const mostNew = 20

// Wrong says whether a report has something that an issue is for.
func Wrong(r doctor.Report) bool { return len(told(r)) > 0 }

// Change is what becomes of the issue whose text is body. of is what is watched, as
// "shop (production)"; run is where the report was made, a URL or "". Who follows the
// issue is told of what is new, and of its end; an edit alone tells nobody.
func Change(body string, r doctor.Report, of, run string) github.IssueChange {
	found := told(r)
	c := github.IssueChange{Title: of + ": what runs is not as it should be"}
	if len(found) == 0 {
		switch {
		case body != "" && r.Counts[doctor.Unseen] > 0:
			c.Body = body // what was wrong may be what could not be looked at
		case body != "":
			c.Comment = "Nothing of this is there any more." + by(run)
		}
		return c
	}
	before := marks(body)
	var lines, fresh, now []string
	for _, f := range found {
		lines = append(lines, line(f))
		mark := mark(f)
		if body != "" && !slices.Contains(before, mark) {
			fresh = append(fresh, line(f))
		}
		now = append(now, mark)
	}
	// The marks stand first: GitHub takes no text of any length, and what is cut is the end.
	c.Body = "<!-- " + strings.Join(now, " ") + " -->\nkamal-op has looked at what runs of " + ci.Code(of) + ":\n\n" + strings.Join(lines, "\n") + "\n\n"
	if n := r.Counts[doctor.Unseen]; n > 0 {
		c.Body += fmt.Sprintf("Not looked at: %d; the run says why.\n\n", n)
	}
	c.Body += "This issue is edited by the next runs, and closed by the one that finds nothing." + by(run) + "\n"
	if n := len(fresh); n > 0 {
		c.Comment = "New:\n\n" + strings.Join(fresh[:min(n, mostNew)], "\n")
		if n > mostNew {
			c.Comment += fmt.Sprintf("\n- and %d more, above", n-mostNew)
		}
		c.Comment += by(run)
	}
	return c
}

// by is which run says it.
func by(run string) string {
	if run == "" {
		return ""
	}
	return " ([run](" + run + "))"
}

// line is a finding as an item of a list.
func line(f doctor.Finding) string {
	text := f.Area
	if f.About != "" {
		text += ", " + f.About
	}
	out := "- **" + ci.Escape(text) + "**: " + ci.Escape(f.Text)
	if f.Hint != "" {
		out += "  \n  " + ci.Escape(f.Hint)
	}
	return out
}

// mark is what a finding is known by in the next run: what is measured may change.
func mark(f doctor.Finding) string {
	sum := sha256.Sum256([]byte(f.Area + "\x00" + f.Check + "\x00" + f.About))
	return hex.EncodeToString(sum[:6])
}

var marksLine = lazy.Regexp(`(?m)^<!-- ((?:[0-9a-f]{12} ?)+) -->$`)

// marks are those of an issue's text.
func marks(body string) []string {
	if m := marksLine().FindStringSubmatch(body); m != nil {
		return strings.Fields(m[1])
	}
	return nil
}
