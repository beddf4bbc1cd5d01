package gate

import (
	"bytes"
	"io"
	"strings"
	"sync"

	"github.com/kamal-op/kamal-op/mask"
)

// The bounds of what children may have masked: a runner's own tools ask for a
// handful of values, and every further one costs time at each line.
const (
	mostAsked    = 256
	longestAsked = 64 << 10
)

// asks finds, in front of the masker, the lines by which a child asks its runner to
// mask a value: ::add-mask::VALUE, as GitHub's toolkit and those who learnt of it
// print it. Such a line shows the value; it goes no further, unless the output is a
// person's file, where the line stands masked. The value is masked before anything
// that comes after it is passed on.
type asks struct {
	gate *Gate
	to   io.Writer
	o    ChildOptions

	mu    sync.Mutex
	held  []byte // the beginning of a line that may become such a line
	shown int    // so many bytes of it have been flushed
	begun bool   // the line cannot become one
	cr    bool   // a line was dropped up to its CR: an LF right behind is its end too
	told  bool
}

func newAsks(g *Gate, to io.Writer, o ChildOptions) *asks { return &asks{gate: g, to: to, o: o} }

// Write passes on what cannot become such a line any more.
func (a *asks) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := len(p)
	from := 0 // of p, all before it is passed on
	for i := 0; i < len(p); {
		if a.cr {
			a.cr = false
			if p[i] == '\n' {
				if err := a.pass(p[from:i]); err != nil {
					return 0, err
				}
				i++
				from = i
				continue
			}
		}
		if a.begun {
			end := lineEnd(p[i:])
			if end < 0 {
				break
			}
			i += end + 1
			a.begun = false
			continue
		}
		// The beginning of a line, of which some may be held.
		piece, rest := p[i:], lineEnd(p[i:])
		if rest >= 0 {
			piece = p[i : i+rest+1]
		}
		if len(a.held) == 0 {
			if blank := len(bytes.TrimLeft(piece, white)) == 0; blank || couldAsk(piece) == no {
				a.begun = rest < 0 && !blank
				i += len(piece)
				continue
			}
		}
		if err := a.pass(p[from:i]); err != nil {
			return 0, err
		}
		a.held = append(a.held, piece...)
		i += len(piece)
		from = i
		if err := a.look(rest >= 0); err != nil {
			return 0, err
		}
	}
	if err := a.pass(p[from:]); err != nil {
		return 0, err
	}
	return n, nil
}

// look decides on the line that is held; whole says that its end is there.
func (a *asks) look(whole bool) error {
	switch could := couldAsk(a.held); {
	case could == yes && whole:
		a.ask()
		if a.o.whole {
			held := a.held[a.shown:]
			a.held, a.shown = nil, 0
			return a.pass(held)
		}
	case could == yes && len(a.held) > longestAsked:
		a.begun = !whole
		a.drop("a child asks to have a value masked that is longer than 64 KiB: it is not, and the line is dropped")
	case could != no && !whole:
		return nil
	default:
		a.begun = !whole
		held := a.held[a.shown:]
		a.held, a.shown = nil, 0
		return a.pass(held)
	}
	a.cr = bytes.HasSuffix(a.held, []byte("\r"))
	a.held, a.shown = nil, 0
	return nil
}

// ask takes the value of the line that is held.
func (a *asks) ask() {
	value, ok := asked(string(a.held))
	switch {
	case !ok || strings.TrimSpace(value) == "":
		a.drop("")
	case a.o.Source == Remote && a.o.whole:
	case a.o.Source == Remote:
		a.drop("a line that asks to have a value masked is dropped: a server may have printed it, and it could blank the log")
	case !a.gate.take():
		a.drop("a child asks to have more than 256 values masked: further ones are not, and their lines are dropped")
	default:
		secret := mask.NewSecret("", value)
		a.gate.Mask(secret)
		if passedOn := a.o.Asked != nil && a.o.Asked(secret); !passedOn && !a.o.whole {
			a.drop("a child asks to have a value masked: it is, and the line is dropped, since nobody else reads it")
		}
	}
}

// drop tells, once a child, that a line is dropped.
func (a *asks) drop(why string) {
	if why != "" && a.o.Notice != nil && !a.told {
		a.told = true
		a.o.Notice(why, "")
	}
}

// take counts a value that a child has asked to have masked.
func (g *Gate) take() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked++
	return g.asked <= mostAsked
}

func (a *asks) pass(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	_, err := a.to.Write(p)
	return err
}

// Flush lets go what is held, unless it shows a value: then its end is waited for.
func (a *asks) Flush() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if couldAsk(a.held) == yes {
		return nil
	}
	err := a.pass(a.held[a.shown:])
	a.shown = len(a.held)
	return err
}

// Close takes a line that is held for a whole one.
func (a *asks) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.held) == 0 {
		return nil
	}
	return a.look(true)
}

// lineEnd is the index of the first end of a line, or -1.
func lineEnd(p []byte) int {
	at := bytes.IndexByte(p, '\n')
	if at < 0 {
		at = len(p)
	}
	if cr := bytes.IndexByte(p[:at], '\r'); cr >= 0 {
		return cr
	}
	if at == len(p) {
		return -1
	}
	return at
}

// An answer to whether the beginning of a line is one that asks for a mask.
type answer int

const (
	no    answer = iota
	maybe        // it may become one
	yes          // whatever comes
)

// white is what may stand before a command.
const white = " \t\v\f\x00\ufeff"

// couldAsk tells whether a line, or its beginning, asks for a mask.
func couldAsk(line []byte) answer {
	line = bytes.TrimLeft(line, white)
	if len(line) > 0 && line[0] != ':' && line[0] != '#' {
		return no
	}
	result := no
	for _, command := range []string{"::add-mask", "##[add-mask"} {
		n := min(len(line), len(command))
		if !strings.EqualFold(string(line[:n]), command[:n]) {
			continue
		}
		if n < len(command) {
			result = maybe
			continue
		}
		if len(line) == n {
			return maybe
		}
		if next := line[n]; next == ':' || next == ' ' || next == ']' {
			return yes
		}
	}
	return result
}

// unescaped undoes what a command's message is escaped by.
var unescaped = strings.NewReplacer("%0D", "\r", "%0d", "\r", "%0A", "\n", "%0a", "\n", "%25", "%")

// asked is the value of a line that asks for a mask.
func asked(line string) (value string, ok bool) {
	line = strings.TrimRight(line, "\r\n")
	line = strings.TrimLeft(line, white)
	if strings.HasPrefix(line, "##[") {
		_, value, ok = strings.Cut(line, "]")
	} else {
		_, value, ok = strings.Cut(line[2:], "::")
	}
	return unescaped.Replace(value), ok
}
