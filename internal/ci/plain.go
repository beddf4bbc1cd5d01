package ci

import (
	"errors"
	"strings"
	"sync"

	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// plain is a log that knows nothing but lines. It is also what the other
// systems are where they have nothing of their own.
type plain struct {
	name   string
	gate   *gate.Gate
	log    *gate.Stream
	colour bool
	fold   func(text string) string // of lines that are wider than a terminal; nil elsewhere
	o      Options

	mu    sync.Mutex
	group string          // the title of the open group
	pages map[string]bool // that a problem has named
}

// newPlain is a log that has no commands.
func newPlain(name string, g *gate.Gate, out *gate.Stream, o Options) *plain {
	out.OnTerminal("\n", nil)
	return &plain{name: name, gate: g, log: out, o: o, pages: map[string]bool{}}
}

func (s *plain) Name() string { return s.name }

// Mask does nothing: there is nobody to tell. Our own masking is all there is.
func (s *plain) Mask(...mask.Secret) error { return nil }

func (s *plain) Child(w *gate.Stream, o gate.ChildOptions) *gate.Child { return s.log.Child(w, o) }

func (s *plain) Group(title string) { s.info("== " + s.title(title)) }
func (s *plain) EndGroup()          {}
func (s *plain) KeepOpen()          {}

func (s *plain) Info(text string)           { s.info(s.text(text)) }
func (s *plain) Notice(p *problem.Problem)  { s.show(Notice, p) }
func (s *plain) Warning(p *problem.Problem) { s.show(Warning, p) }
func (s *plain) Error(p *problem.Problem)   { s.show(Error, p) }
func (s *plain) Status(string)              {}

func (s *plain) Output(string, string) error { return errors.ErrUnsupported }
func (s *plain) State(string, string) error  { return errors.ErrUnsupported }
func (s *plain) Summary(string) error        { return errors.ErrUnsupported }

// show shows a problem.
func (s *plain) show(level Level, p *problem.Problem) {
	s.info(text(level, s.lines(level, s.gate.Problem(p)), s.colour))
}

// lines are a problem's lines. An error names the page that explains it, once in a log:
// ten missing secrets are one matter.
func (s *plain) lines(level Level, p *problem.Problem) []string {
	lines := problemLines(p)
	if page := p.URL(); level == Error && s.firstTime(page) {
		lines = append(lines, help+page)
	}
	return lines
}

// firstTime reports whether no problem has named this page before.
func (s *plain) firstTime(page string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.pages[page]
	s.pages[page] = true
	return !before
}

// title is a group's, masked and harmless.
func (s *plain) title(title string) string {
	return s.gate.Harmless(gate.OneLine(s.gate.Text(title)))
}

// text is lines of ours, masked before anything in them is made visible.
func (s *plain) text(text string) string {
	lines := strings.Split(strings.TrimRight(s.gate.Text(text), "\r\n"), "\n")
	for i, line := range lines {
		lines[i] = gate.Visible(strings.TrimSuffix(line, "\r"))
	}
	return strings.Join(lines, "\n")
}

// info writes lines of ours.
func (s *plain) info(text string) {
	text = strings.TrimRight(text, "\n")
	if s.fold != nil {
		text = s.fold(text)
	}
	// An error of the log has no better place to go: whoever runs a child on it learns of
	// it by the child's output.
	_ = s.log.Line(text) // an error of the log has no better place to go
}

// mark writes a mark of the system's, whose parts are masked and harmless.
func (s *plain) mark(text string) { _ = s.log.Prepared(text) }

// open makes a title the open group and gives back the one before.
func (s *plain) open(title string) (before string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, s.group = s.group, title
	return before
}
