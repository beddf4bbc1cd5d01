package comment

import (
	"fmt"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// An Answer is the text of a comment of ours.
type Answer struct {
	Title    string // Markdown, of our own words and of Code
	Text     string // shown as it is
	Problems []*problem.Problem
	SHA      string // the commit that it is about
	RunURL   string
	At       time.Time
	Took     time.Duration
}

// most is how many lines of a text a comment has: GitHub takes no text of any length.
const most = 400

// Body is the comment. All of it that is not ours stands as code.
func (a Answer) Body() string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**\n\n", a.Title)
	if text := strings.TrimRight(a.Text, "\n"); text != "" {
		lines := strings.Split(text, "\n")
		if left := len(lines) - most; left > 0 {
			lines = append(lines[:most:most], fmt.Sprintf("… and %d lines more: the run's log has them", left))
		}
		fmt.Fprintf(&b, "%s\n\n", Block(lines))
	}
	for _, p := range a.Problems {
		b.WriteString(ProblemText(p))
	}
	if a.SHA != "" {
		fmt.Fprintf(&b, "- commit `%s`\n", a.SHA)
	}
	fmt.Fprintf(&b, "- %s", a.At.UTC().Format("2006-01-02 15:04 UTC"))
	if took := a.Took.Round(time.Second); took > 0 {
		fmt.Fprintf(&b, ", after %s", took)
	}
	b.WriteString("\n")
	if strings.HasPrefix(a.RunURL, "https://") && !strings.ContainsAny(a.RunURL, " ()<>\n") {
		fmt.Fprintf(&b, "- [log](%s)\n", a.RunURL)
	}
	return b.String()
}

// ProblemText is a problem in a comment: of its details the last.
func ProblemText(p *problem.Problem) string {
	var b strings.Builder
	fmt.Fprintf(&b, "✗ %s\n", Code(p.Error()))
	if n := len(p.Details); n > 0 {
		fmt.Fprintf(&b, "\n%s\n", Block(p.Details[max(0, n-20):]))
	}
	if p.Hint != "" {
		fmt.Fprintf(&b, "\nWhat helps: %s\n", Code(p.Hint))
	}
	b.WriteString("\n")
	return b.String()
}
