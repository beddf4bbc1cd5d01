package ci

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// plain is a log that knows nothing but lines.
type plain struct {
	mu  sync.Mutex
	out io.Writer
}

func newPlain(out io.Writer) *plain { return &plain{out: out} }

func (l *plain) Name() string                { return "a plain log" }
func (l *plain) Mask(s ...mask.Secret) error { return nil }
func (l *plain) Child(w io.Writer) Stream    { return passThrough{w} }
func (l *plain) Group(title string)          { l.Info("== " + title) }
func (l *plain) EndGroup()                   {}
func (l *plain) KeepOpen()                   {}
func (l *plain) Info(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.out, text)
}
func (l *plain) Notice(p *problem.Problem)       { l.Info(p.Error()) }
func (l *plain) Warning(p *problem.Problem)      { l.Info(p.Error()) }
func (l *plain) Error(p *problem.Problem)        { l.Info(p.Error()) }
func (l *plain) Status(string)                   {}
func (l *plain) Output(name, value string) error { return errors.ErrUnsupported }
func (l *plain) State(name, value string) error  { return errors.ErrUnsupported }
func (l *plain) Summary(markdown string) error   { return errors.ErrUnsupported }

// passThrough holds nothing back.
type passThrough struct{ io.Writer }

func (passThrough) Flush() error { return nil }
func (passThrough) Close() error { return nil }
