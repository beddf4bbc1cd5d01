package ci

import (
	"io"
	"path/filepath"
	"strconv"
	"strings"

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
	commands  *log // for masks
	env       map[string]string
	annotated [3]int
	masked    map[string]bool
}

func newGitHub(env map[string]string, out io.Writer, o Options) *github {
	g := &github{plain: newPlain("GitHub", out, o), env: env, masked: map[string]bool{}}
	guard := func(w io.Writer) Stream { return mask.NewCommands(w) }
	g.log = newLog(out, guard)
	g.commands = g.log
	if o.Commands != nil && !same(o.Commands, out) {
		g.commands = newLog(o.Commands, guard)
	}
	return g
}

// Mask gives one add-mask command for each line of 4 bytes and more. The runner
// takes a value of several lines apart by itself, but the runners of act and
// Gitea do not; all unescape %, CR and LF.
func (g *github) Mask(secrets ...mask.Secret) error {
	var commands, short []string
	g.mu.Lock()
	for _, s := range secrets {
		tooShort := false
		for _, line := range lines(s.Reveal()) {
			switch {
			case len(line) < shortest:
				tooShort = true
			case !g.masked[line]:
				g.masked[line] = true
				commands = append(commands, (&actions.Command{Name: "add-mask", Message: line}).String())
			}
		}
		if tooShort {
			short = append(short, s.Name())
		}
	}
	g.mu.Unlock()
	var err error
	if len(commands) > 0 {
		// A command counts only at the beginning of a line, and another step's
		// script may have begun one.
		g.commands.guess()
		err = g.commands.line(strings.Join(commands, "\n"))
	}
	if len(short) > 0 {
		g.Notice(&problem.Problem{
			Message: g.name + " is not told to mask what is shorter than 4 bytes, a value or a line of one: " + strings.Join(short, ", "),
			Hint:    "every such text would vanish from the log. A secret should be longer",
		})
	}
	return err
}

// guess takes a log that nothing was written to for one with a line begun.
func (l *log) guess() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun = l.begun || !l.used
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

func (g *github) Child(w io.Writer) Stream {
	if g.commands != g.log && same(w, g.commands.out) {
		return g.commands.stream(w)
	}
	return g.log.stream(w)
}

// Info is kept from being a command, since names from vaults and files are in
// our lines.
func (g *github) Info(text string) { g.info(harmless(text)) }

// harmless is text that holds no command.
func harmless(text string) string {
	var b strings.Builder
	_, _ = mask.NewCommands(&b).Write([]byte(text)) // a Builder takes everything
	return b.String()
}

func (g *github) Group(title string) {
	title = oneLine(title)
	if g.open(title) != "" {
		g.command("endgroup", "", nil)
	}
	g.command("group", harmless(title), nil)
}

func (g *github) EndGroup() {
	if g.open("") != "" {
		g.command("endgroup", "", nil)
	}
}

func (g *github) Notice(p *problem.Problem)  { g.annotate(Notice, p) }
func (g *github) Warning(p *problem.Problem) { g.annotate(Warning, p) }
func (g *github) Error(p *problem.Problem)   { g.annotate(Error, p) }

// annotate tells a problem at its place. The log shows the message as well, so
// that all of it is in there.
func (g *github) annotate(level Level, p *problem.Problem) {
	text := strings.Join(tell(p), "\n")
	g.mu.Lock()
	g.annotated[level]++
	many := g.annotated[level] > mostAnnotations
	g.mu.Unlock()
	if many {
		g.Info(Text(level, p, false))
		return
	}
	if short := cut(text, longestAnnotation); short != text {
		g.Info(Text(level, p, false))
		text = short
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
	g.command([...]string{"notice", "warning", "error"}[level], text, at)
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
	g.info((&actions.Command{Name: name, Message: message, Properties: properties}).String())
}

// Output gives later steps a value. The runner drops one that contains any
// masked string, and says so in the log.
func (g *github) Output(name, value string) error {
	return appendValue(g.env["GITHUB_OUTPUT"], "GITHUB_OUTPUT", name, value)
}

// State keeps a value for the post step, which gets it as STATE_name.
func (g *github) State(name, value string) error {
	return appendValue(g.env["GITHUB_STATE"], "GITHUB_STATE", name, value)
}

func (g *github) Summary(markdown string) error {
	return appendPage(g.env["GITHUB_STEP_SUMMARY"], "GITHUB_STEP_SUMMARY", markdown)
}
