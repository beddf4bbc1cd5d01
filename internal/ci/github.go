package ci

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
	actions "github.com/sethvargo/go-githubactions"
)

const (
	// shortest is the least that is masked: shorter values and lines, such as
	// the brace of a JSON document, would mask the whole log.
	shortest = 4
	// mostAnnotations is how many GitHub keeps of each kind for a step. What
	// comes after them is a plain line.
	mostAnnotations = 10
	// longestAnnotation is less than the 4,096 characters at which GitHub cuts.
	longestAnnotation = 4000
)

// github is GitHub Actions. The SDK renders its commands; it does not write
// them, since its writers panic where there is no file or no log, and take one
// fixed delimiter for values of several lines (see files.go).
type github struct {
	*plain
	commands    *gate.Stream // for masks
	env         map[string]string
	annotated   [3]int
	masked      map[string]bool
	asked       sync.Once
	runnerReads bool // the runner reads the commands
}

func newGitHub(env map[string]string, way *gate.Gate, out *gate.Stream, o Options) *github {
	g := &github{plain: newPlain("GitHub", way, out, o), env: env, masked: map[string]bool{}}
	g.commands = g.log
	if o.Commands != nil {
		g.commands = o.Commands
	}
	return g
}

// reachesRunner reports whether the runner reads the commands that have it mask values.
// Where it does not, a notice says so once.
func (g *github) reachesRunner() bool {
	g.asked.Do(func() {
		var reader string
		if reader, g.runnerReads = g.commands.TellsRunner(); !g.runnerReads {
			g.Notice(problem.New(fmt.Sprintf("%s is not told what to mask: %s reads the commands for it, and would write down the values", g.name, reader),
				"the values are masked here all the same. Without a pipe or a file in between the runner masks them as well"))
		}
	})
	return g.runnerReads
}

// Mask gives one add-mask command for each line of 4 bytes and more. The runner
// takes a value of several lines apart by itself, but the runners of act and
// Gitea do not; all unescape %, CR and LF.
func (g *github) Mask(secrets ...mask.Secret) error {
	if len(secrets) == 0 || !g.reachesRunner() {
		return nil
	}
	var commands []string
	g.mu.Lock()
	for _, s := range secrets {
		for _, line := range lines(s.Reveal()) {
			if len(line) >= shortest && !g.masked[line] {
				g.masked[line] = true
				commands = append(commands, (&actions.Command{Name: "add-mask", Message: line}).String())
			}
		}
	}
	g.mu.Unlock()
	return g.commands.MaskCommands(commands)
}

// lines are a value's lines, trimmed, without the empty ones.
func lines(value string) []string {
	var all []string
	for _, line := range strings.FieldsFunc(value, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// Child passes on to the runner what a child of this machine asks to have masked.
func (g *github) Child(w *gate.Stream, o gate.ChildOptions) *gate.Child {
	o.Asked = g.passOn
	return g.log.Child(w, o)
}

// passOn has the runner mask a value, and reports whether it reads the command.
func (g *github) passOn(secret mask.Secret) bool { return g.Mask(secret) == nil && g.runnerReads }

func (g *github) Group(title string) {
	title = g.title(title)
	if g.open(title) != "" {
		g.command("endgroup", "", nil)
	}
	g.command("group", title, nil)
}

func (g *github) EndGroup() {
	if g.open("") != "" {
		g.command("endgroup", "", nil)
	}
}

func (g *github) Notice(p *problem.Problem)  { g.annotate(Notice, p) }
func (g *github) Warning(p *problem.Problem) { g.annotate(Warning, p) }
func (g *github) Error(p *problem.Problem)   { g.annotate(Error, p) }

// annotate shows a problem at its place. The log shows the message as well, so that
// nothing is missing there.
func (g *github) annotate(level Level, p *problem.Problem) {
	p = g.gate.Problem(p)
	lines := g.lines(level, p)
	told := strings.Join(lines, "\n")
	g.mu.Lock()
	g.annotated[level]++
	many := g.annotated[level] > mostAnnotations
	g.mu.Unlock()
	if many {
		g.Info(text(level, lines, false))
		return
	}
	if short := truncate(told, longestAnnotation); short != told {
		g.Info(text(level, lines, false))
		told = short
	}
	at := actions.CommandProperties{}
	if file := g.path(p.Place.File); file != "" {
		at["file"] = file
		if p.Place.Line > 0 {
			at["line"] = strconv.Itoa(p.Place.Line)
		}
		if p.Place.Line > 0 && p.Place.Column > 0 {
			at["col"] = strconv.Itoa(p.Place.Column)
		}
	}
	g.command([...]string{"notice", "warning", "error"}[level], g.gate.Harmless(told), at)
}

// path is a file's path in the repository, as annotations have it; "" where the
// file is elsewhere.
func (g *github) path(file string) string {
	if file == "" {
		return ""
	}
	workspace := g.env["GITHUB_WORKSPACE"]
	if !filepath.IsAbs(file) {
		if g.o.Dir == "" || workspace == "" {
			return filepath.ToSlash(filepath.Clean(file))
		}
		file = filepath.Join(g.o.Dir, file)
	}
	if workspace == "" || !filepath.IsAbs(file) {
		return ""
	}
	rel, err := filepath.Rel(workspace, file)
	if err != nil || !filepath.IsLocal(rel) {
		return ""
	}
	return filepath.ToSlash(rel)
}

// command writes a command on a line of its own.
func (g *github) command(name, message string, properties actions.CommandProperties) {
	g.mark((&actions.Command{Name: name, Message: message, Properties: properties}).String())
}

// Output gives later steps a value. The runner drops one that contains any
// masked string, and says so in the log.
func (g *github) Output(name, value string) error {
	return appendValue(g.gate, g.env["GITHUB_OUTPUT"], "GITHUB_OUTPUT", name, value)
}

// State keeps a value for the post step, which gets it as STATE_name.
func (g *github) State(name, value string) error {
	return appendValue(g.gate, g.env["GITHUB_STATE"], "GITHUB_STATE", name, value)
}

func (g *github) Summary(markdown string) error {
	return appendPage(g.gate, g.env["GITHUB_STEP_SUMMARY"], "GITHUB_STEP_SUMMARY", markdown)
}
