package comment

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A Deed is what is asked for.
type Deed string

// The deeds.
const (
	Nothing Deed = ""
	Plan    Deed = "plan"
	Deploy  Deed = "deploy"
)

// A Target is what may be deployed by comment.
type Target struct {
	Name        string // as a comment says it
	Destination string // Kamal's; "" for its configuration without one
}

var (
	targetName = lazy.Regexp(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,49}$`)
	// What could be a commit is none: /deploy COMMIT is a review's.
	likeCommit  = lazy.Regexp(`^[0-9a-f]{7,64}$`)
	wholeCommit = lazy.Regexp(`^[0-9a-f]{40}([0-9a-f]{24})?$`)
)

// ParseTarget reads NAME, a destination, or NAME=DESTINATION, where DESTINATION may be
// empty.
func ParseTarget(text string) (Target, error) {
	name, destination, apart := strings.Cut(text, "=")
	if !apart {
		destination = name
	}
	switch {
	case !targetName().MatchString(name), destination != "" && !targetName().MatchString(destination):
		return Target{}, problem.Usagef("give a destination, such as production; or production= for Kamal's configuration without one", "%q is nothing that could be deployed by comment", Line(text, 80))
	case likeCommit().MatchString(name):
		return Target{}, problem.Usagef("give it another name: "+name+"x="+destination, "%q could be a commit", name)
	}
	return Target{Name: name, Destination: destination}, nil
}

// Rules say what comments may ask for.
type Rules struct {
	Targets []Target
	Attempt int64 // of the workflow's run
}

// A Request is what a comment asks for, and may.
type Request struct {
	Do     Deed
	Target Target
	Number int    // the pull request's
	SHA    string // its head, and no other commit
	By     string // who wrote the comment
	// Why it is not done, and Reaction the answer to the comment; "" for none.
	Why      string
	Reaction string
}

// Line is the command as it was meant.
func (r Request) Line() string { return "/" + string(r.Do) + " " + r.Target.Name }

var command = lazy.Regexp(`^/(plan|deploy)(?:[ \t]+([A-Za-z0-9][A-Za-z0-9_.-]*))?(?:[ \t]+([0-9a-f]{7,64}))?[ \t]*$`)

// Decide says what an issue_comment event asks for. It changes nothing. The commit is
// the pull request's head of now: it must be the one that was the head when the comment was
// written and, where the comment names one, that.
func (r Rules) Decide(ctx context.Context, e github.Event, from Source) (Request, error) {
	out := Request{Number: e.Number, By: e.Comment.Author}
	not := func(why, reaction string) (Request, error) { out.Why, out.Reaction = why, reaction; return out, nil }
	words := command().FindStringSubmatch(firstLine(e.Comment.Body))
	switch {
	case e.Comment.Bot:
		return not("a bot wrote the comment", "")
	case words != nil && words[1] == "deploy" && (words[2] == "" || likeCommit().MatchString(words[2])):
		return not("the comment is a review app's command", "")
	}
	w, err := Read(ctx, e, command(), from)
	if err != nil {
		return Request{}, err
	}
	if w.Why != "" {
		return not(w.Why, w.Reaction)
	}
	target, found := r.target(w.Words[2])
	switch {
	case !w.Pull.Open:
		return not("it is closed", Unclear)
	case e.DefaultBranch == "" || w.Pull.BaseRef != e.DefaultBranch:
		return not("it is not for the default branch, whose project file says what may be deployed by comment", Unclear)
	case !found:
		return not("write "+r.usage(Deed(w.Words[1])), Unclear)
	}
	if why, err := r.bound(ctx, e, w, from); err != nil || why != "" {
		out, _ := not(why, Unclear)
		return out, err
	}
	out.Do, out.Target, out.SHA, out.Reaction = Deed(w.Words[1]), target, w.Pull.HeadSHA, Taken
	return out, nil
}

// target is the one of a name; without a name it is the only one there is.
func (r Rules) target(name string) (Target, bool) {
	if name == "" && len(r.Targets) == 1 {
		return r.Targets[0], true
	}
	i := slices.IndexFunc(r.Targets, func(t Target) bool { return t.Name == name })
	if i < 0 {
		return Target{}, false
	}
	return r.Targets[i], true
}

// usage is how a command is written.
func (r Rules) usage(do Deed) string {
	var all []string
	for _, t := range r.Targets {
		all = append(all, "/"+string(do)+" "+t.Name)
	}
	return strings.Join(all, " or ")
}

// OtherCommit says why the commit that a comment names is not the head, or may be another
// one as well; "" where it is, and where none is named. A commit that begins with the same
// seven digits is made in minutes.
func OtherCommit(named, head string) (why string) {
	switch {
	case named == "":
		return ""
	case !wholeCommit().MatchString(named):
		return "name the commit with all of its 40 digits: a shorter name can be made to fit another, too"
	case named != head:
		return "its head is another commit than the comment says"
	}
	return ""
}

// bound says why a pull request's head is not what a comment was for. A commit is one by
// all of its digits: one that begins with the same seven is ground in minutes. When it was
// pushed GitHub says; what stands in the commit, whoever made it may write.
func (r Rules) bound(ctx context.Context, e github.Event, w Written, from Source) (why string, err error) {
	named, head := w.Words[3], w.Pull.HeadSHA
	why = OtherCommit(named, head)
	switch {
	case why != "":
		return why, nil
	case named == "" && r.Attempt > 1:
		return "a run that is started again takes the commit that a comment names, and this one names none: comment again", nil
	}
	pushes, err := from.Pushes(ctx, w.Pull.HeadRef)
	if err != nil && named == "" && !github.IsMissing(err) {
		return "", err
	}
	at := e.Comment.Created
	then := headAt(pushes, at)
	// GitHub's list may lag, and another server has none: the digits bind without it.
	late := slices.ContainsFunc(pushes, func(p github.Push) bool { return p.SHA == head && p.At.After(at) })
	switch {
	case then == head, named != "" && !late:
		return "", nil
	case then == "" && !late:
		return "when its head was pushed is not known here: name the commit with its 40 digits", nil
	}
	return "its head was pushed after the comment was written: comment again, or name the commit with its 40 digits", nil
}

// headAt is what a branch's head was when a comment was written, "" where the pushes, the
// newest first, do not say. GitHub tells whole seconds: what was pushed in that of the
// comment may have come after it.
func headAt(pushes []github.Push, at time.Time) string {
	for _, p := range pushes {
		if p.At.Before(at) {
			return p.SHA
		}
	}
	return ""
}
