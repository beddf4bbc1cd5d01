package comment

import (
	"context"
	"regexp"
	"strings"

	"github.com/kamal-op/kamal-op/internal/github"
)

// Reactions to a comment.
const (
	Taken   = "eyes"     // the command is carried out
	Refused = "-1"       // it is not, and will not be
	Unclear = "confused" // it is not, as things are
)

// FromFork is why a pull request's code is not run.
const FromFork = "from a fork"

// A Source answers what an event does not say, or may not be trusted to say.
// *github.Client is one.
type Source interface {
	PullRequest(ctx context.Context, number int) (github.PullRequest, error)
	Permission(ctx context.Context, user string, id int64) (github.Level, error)
	Pushes(ctx context.Context, branch string) ([]github.Push, error)
}

// A Written is a command as it was written.
type Written struct {
	Words []string           // what the shape caught, the whole line first
	Pull  github.PullRequest // as it is now; the zero one where it was not asked for
	// Why it is not carried out, "" where it may be, in words that are none of anybody
	// else's; and the reaction to that, "" where it is no command at all.
	Why      string
	Reaction string
}

// firstLine is the line of a comment that may be a command.
func firstLine(body string) string {
	first, _, _ := strings.Cut(strings.TrimLeft(body, "\r\n"), "\n")
	return strings.TrimRight(first, "\r")
}

// Asker answers what Read asks.
type Asker interface {
	PullRequest(ctx context.Context, number int) (github.PullRequest, error)
	Permission(ctx context.Context, user string, id int64) (github.Level, error)
}

// Read reads the command of an issue_comment event. It counts where the comment is new,
// on a pull request of the repository's own, and written by somebody who may write to
// the repository.
func Read(ctx context.Context, e github.Event, shape *regexp.Regexp, from Asker) (Written, error) {
	not := func(why, reaction string) (Written, error) { return Written{Why: why, Reaction: reaction}, nil }
	if e.Action != "created" {
		return not("the comment is not new", "")
	}
	words := shape.FindStringSubmatch(firstLine(e.Comment.Body))
	if words == nil {
		return not("the comment is no command", "")
	}
	if !e.OnPull {
		return not("the comment is on an issue", "")
	}
	level, err := from.Permission(ctx, e.Comment.Author, e.Comment.AuthorID)
	if err != nil {
		return Written{}, err
	}
	if !level.MayWrite() {
		return not("who commented may not write to the repository", Refused)
	}
	p, err := from.PullRequest(ctx, e.Number)
	if err != nil {
		return Written{}, err
	}
	w := Written{Words: words, Pull: p}
	if p.Fork() {
		w.Why, w.Reaction = FromFork, Refused
	}
	return w, nil
}
