// Package ci is where we run: GitHub, Gitea or Forgejo, GitLab, Buildkite,
// CircleCI, Azure Pipelines, Woodpecker, Drone, some other machine with a plain
// log, or a terminal. It knows how each of them masks a value, folds a part of the
// log, marks a line of a file, keeps an output and shows a summary; and it is the
// one place where a problem becomes text.
//
// What it says leaves by the gate: its texts are masked before they become a
// command, an event or a page, and nothing that a child prints, nor a name in a line
// of ours, can be taken for a command of the system.
package ci

import (
	"time"

	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// A System is where we run. Its methods may be called from several goroutines.
// What it is given as text is masked.
type System interface {
	// Name is the system's own name: "GitHub", "a terminal".
	Name() string

	// Mask has the system mask values in its log, where it can. It must be
	// called before anything that could print them is started. A value, or a
	// line of one, of fewer than 4 bytes is not masked, and its name is reported.
	Mask(secrets ...mask.Secret) error
	// Child gives the writer for a child's output to w: masked, and nothing in it is a
	// command of the system. Where w is the system's own stream, our lines stay apart
	// from the child's. What the child asks to have masked is passed on to a runner
	// that takes it.
	Child(w *gate.Stream, o gate.ChildOptions) *gate.Child

	// Group begins a part of the log that can be folded. It ends the one
	// before: there is one level.
	Group(title string)
	// EndGroup ends the group, if one is open.
	EndGroup()
	// KeepOpen has the current group shown unfolded, where a system can do so
	// after the fact.
	KeepOpen()

	// Info is a plain line of ours, or several.
	Info(text string)
	// Notice, Warning and Error show a problem, each as an annotation at the
	// file and line of its place, where the system has such.
	Notice(p *problem.Problem)
	Warning(p *problem.Problem)
	Error(p *problem.Problem)
	// Status shows what is going on in a terminal's last line; "" takes the line
	// away. Elsewhere it is not shown.
	Status(text string)

	// Output gives later steps a value by name. GitHub drops an output that
	// contains any masked string: an address or a version must not be masked.
	// errors.ErrUnsupported where a system has no such thing.
	Output(name, value string) error
	// State keeps a value for the post step of this action.
	// errors.ErrUnsupported where a system has no such thing.
	State(name, value string) error
	// Summary adds to the page that the system shows beside the log, in
	// Markdown, cut to the system's limit. errors.ErrUnsupported where a system
	// has no such page.
	Summary(markdown string) error
}

// Options are what a System is given besides the environment and its log.
type Options struct {
	// Commands is the stream for mask commands, usually standard error: the
	// GitHub runner reads waiting lines of standard error before those of
	// standard output, so that a mask there is never late. nil is the log.
	Commands *gate.Stream
	// Terminal says that the log is a terminal; Width is its width in columns
	// at this moment (nil or 0: 80). Plain asks for lines only: no colours, no
	// status line.
	Terminal bool
	Width    func() int
	Plain    bool
	// JSON asks for events in place of a log, one a line: see events.
	JSON bool
	// Dir is the folder that the places of problems are relative to; "" is the
	// one that the CI system checked the project out to.
	Dir string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Detect finds out from the environment where we run. out is the log, a stream of the
// gate's: it gets our own lines. Forgejo's runner also says that it is Gitea's, and both
// that they are GitHub's; a value of "false" or "" is no sign.
func Detect(env map[string]string, g *gate.Gate, out *gate.Stream, o Options) System {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.JSON {
		return newEvents(env, g, out, o)
	}
	is := func(name string) bool { return env[name] != "" && env[name] != "false" }
	switch {
	case is("FORGEJO_ACTIONS"):
		return newForge("Forgejo", env, g, out, o)
	case is("GITEA_ACTIONS"):
		return newForge("Gitea", env, g, out, o)
	case is("GITHUB_ACTIONS"):
		return newGitHub(env, g, out, o)
	case is("GITLAB_CI"):
		return newGitLab(g, out, o)
	case is("BUILDKITE"):
		return newBuildkite(g, out, o)
	case is("CIRCLECI"):
		return newCircleCI(g, out, o)
	case is("TF_BUILD"):
		return newAzure(g, out, o)
	case env["CI"] == "woodpecker":
		return newPlain("Woodpecker", g, out, o)
	case is("DRONE"):
		return newPlain("Drone", g, out, o)
	case o.Terminal && !o.Plain && env["TERM"] != "dumb":
		return newTerminal(env["NO_COLOR"] == "", g, out, o)
	}
	return newPlain("a plain log", g, out, o)
}
