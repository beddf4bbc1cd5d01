package ci

import (
	"bytes"
	"encoding/json"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// longestLine is the most of a child's line that is one event, in bytes.
const longestLine = 8 << 10

// events is a log for other programs: JSON, one event a line. The system that
// we run on still gets its masks, outputs and page; of its log there are the
// mask commands alone, on their own stream.
//
// An event has a time (UTC), the kind of event, and what it is about:
//
//	info            text
//	notice, warning, error
//	                message, details, hint, file, line, column; of an error help,
//	                the page on which more is written of it
//	group           title
//	endgroup
//	output          name, value
//	line            text: of the child, masked; more where the line goes on in
//	                the next event
//	lookup, refusal, signature, login, attached, checked
//	                text, host, user, process: a use of the secrets or the key
//	end             status: the exit status; always the last event
type events struct {
	system System

	mu   sync.Mutex
	gate *gate.Gate
	out  *gate.Stream
	now  func() time.Time
}

func newEvents(env map[string]string, g *gate.Gate, out *gate.Stream, o Options) *events {
	o.JSON, o.Terminal = false, false
	beside := o.Commands
	if beside == nil || beside == out {
		beside = g.Nowhere()
	}
	return &events{system: Detect(env, g, beside, o), gate: g, out: out, now: o.Now}
}

// An event is one line. What is "" or 0 is left out.
type event struct {
	Time    string   `json:"time"`
	Event   string   `json:"event"`
	Title   string   `json:"title,omitempty"`
	Text    *string  `json:"text,omitempty"` // may be ""
	More    bool     `json:"more,omitempty"`
	Message string   `json:"message,omitempty"`
	Details []string `json:"details,omitempty"`
	Hint    string   `json:"hint,omitempty"`
	Help    string   `json:"help,omitempty"`
	File    string   `json:"file,omitempty"`
	Line    int      `json:"line,omitempty"`
	Column  int      `json:"column,omitempty"`
	Name    string   `json:"name,omitempty"`
	Value   *string  `json:"value,omitempty"`
	Host    string   `json:"host,omitempty"`
	User    string   `json:"user,omitempty"`
	Process string   `json:"process,omitempty"`
	Status  *int     `json:"status,omitempty"`
}

// write writes an event.
func (e *events) write(what event) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	what.Time = e.now().UTC().Format("2006-01-02T15:04:05.000Z")
	return json.NewEncoder(e.out.JSON()).Encode(what)
}

// emit writes an event of ours. Where that fails who reads us is gone, and the next
// line of the child's ends the run for it.
func (e *events) emit(what event) { _ = e.write(what) }

func (e *events) problem(kind string, p *problem.Problem) {
	what := event{
		Event: kind, Message: p.Message, Details: p.Details, Hint: p.Hint,
		File: p.Place.File, Line: p.Place.Line, Column: p.Place.Column,
	}
	if kind == "error" {
		what.Help = p.URL()
	}
	e.emit(what)
}

// End tells that the run is over, to a log that is for programs; people see it.
func End(s System, status int) {
	if e, ok := s.(*events); ok {
		e.emit(event{Event: "end", Status: &status})
	}
}

func (e *events) Name() string                      { return e.system.Name() }
func (e *events) Mask(secrets ...mask.Secret) error { return e.system.Mask(secrets...) }
func (e *events) Group(title string)                { e.emit(event{Event: "group", Title: title}) }
func (e *events) EndGroup()                         { e.emit(event{Event: "endgroup"}) }
func (e *events) KeepOpen()                         {}
func (e *events) Status(string)                     {}
func (e *events) Info(text string)                  { e.emit(event{Event: "info", Text: &text}) }
func (e *events) Notice(p *problem.Problem)         { e.problem("notice", p) }
func (e *events) Warning(p *problem.Problem)        { e.problem("warning", p) }
func (e *events) Error(p *problem.Problem)          { e.problem("error", p) }

func (e *events) Output(name, value string) error {
	e.emit(event{Event: "output", Name: name, Value: &value})
	return e.system.Output(name, value)
}

func (e *events) State(name, value string) error { return e.system.State(name, value) }
func (e *events) Summary(markdown string) error  { return e.system.Summary(markdown) }

// Child turns what goes to the log into events, a line each.
func (e *events) Child(w *gate.Stream, o gate.ChildOptions) *gate.Child {
	if w != e.out {
		return e.system.Child(w, o)
	}
	if g, ok := e.system.(*github); ok {
		o.Asked = g.passOn
	}
	return e.gate.Child(&eventLines{events: e}, o)
}

// eventLines is a child's output on its way to become events.
type eventLines struct {
	events *events
	mu     sync.Mutex
	line   []byte
}

// Write makes an event of each line that is complete.
func (l *eventLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := len(p); ; {
		end := bytes.IndexByte(p, '\n')
		piece := p
		if end >= 0 {
			piece = p[:end]
		}
		for len(l.line)+len(piece) > longestLine {
			room := longestLine - len(l.line)
			l.line = append(l.line, piece[:room]...)
			piece = piece[room:]
			if err := l.emit(true); err != nil {
				return 0, err
			}
		}
		l.line = append(l.line, piece...)
		if end < 0 {
			return n, nil
		}
		if err := l.emit(false); err != nil {
			return 0, err
		}
		p = p[end+1:]
	}
}

// emit makes an event of what there is of the line. Where the line goes on, the
// beginning of a character waits for its end.
func (l *eventLines) emit(more bool) error {
	n := len(l.line)
	for back := 1; more && back < utf8.UTFMax && back < n; back++ {
		if utf8.RuneStart(l.line[n-back]) {
			if !utf8.FullRune(l.line[n-back:]) {
				n -= back
			}
			break
		}
	}
	text := string(l.line[:n])
	l.line = append(l.line[:0], l.line[n:]...)
	return l.events.write(event{Event: "line", Text: &text, More: more})
}

// Flush lets go the beginning of a line.
func (l *eventLines) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.line) == 0 {
		return nil
	}
	return l.emit(true)
}

// Close lets go a last line that has no end.
func (l *eventLines) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.line) == 0 {
		return nil
	}
	return l.emit(false)
}
