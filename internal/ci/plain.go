package ci

import (
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// plain is a log that knows nothing but lines. It is also what the other
// systems are where they have nothing of their own.
type plain struct {
	name   string
	log    *log
	colour bool
	o      Options

	mu    sync.Mutex
	group string // the title of the open group
}

// newPlain is a log that has no commands.
func newPlain(name string, out io.Writer, o Options) *plain {
	return &plain{name: name, log: newLog(out, nil), o: o}
}

func (s *plain) Name() string { return s.name }

// Mask does nothing: there is nobody to tell. Our own masking is all there is.
func (s *plain) Mask(...mask.Secret) error { return nil }

func (s *plain) Child(w io.Writer) Stream { return s.log.stream(w) }

func (s *plain) Group(title string) { s.info("== " + oneLine(title)) }
func (s *plain) EndGroup()          {}
func (s *plain) KeepOpen()          {}

func (s *plain) Info(text string)           { s.info(text) }
func (s *plain) Notice(p *problem.Problem)  { s.info(Text(Notice, p, s.colour)) }
func (s *plain) Warning(p *problem.Problem) { s.info(Text(Warning, p, s.colour)) }
func (s *plain) Error(p *problem.Problem)   { s.info(Text(Error, p, s.colour)) }
func (s *plain) Status(string)              {}

func (s *plain) Output(string, string) error { return errors.ErrUnsupported }
func (s *plain) State(string, string) error  { return errors.ErrUnsupported }
func (s *plain) Summary(string) error        { return errors.ErrUnsupported }

// info writes lines of ours. An error of the log has no better place to go:
// whoever runs a child on it learns of it by the child's output.
func (s *plain) info(text string) { _ = s.log.line(strings.TrimRight(text, "\n")) }

// open makes a title the open group and gives back the one before.
func (s *plain) open(title string) (before string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, s.group = s.group, title
	return before
}
