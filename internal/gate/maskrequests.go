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

// maskRequests finds, in front of the masker, the lines by which a child asks its runner to
// mask a value: ::add-mask::VALUE, as GitHub's toolkit and those who learnt of it
// print it. Such a line shows the value; it goes no further, unless the output is a
// person's file, where the line stands masked. A line of more than 64 KiB, whose value is
// not masked, goes nowhere, and a file has none of it either. The value is masked before
// anything that comes after it is passed on.
type maskRequests struct {
	gate *Gate
	to   io.Writer
	o    ChildOptions

	mu       sync.Mutex
	buffered []byte // the beginning of a line that may become such a line
	shown    int    // so many bytes of it have been flushed
	begun    bool   // the line cannot become one
	rest     bool   // what is left of the line is dropped
	cr       bool   // a line was dropped up to its CR: an LF right behind is its end too
	noticed  bool
}

func newMaskRequests(g *Gate, to io.Writer, o ChildOptions) *maskRequests {
	return &maskRequests{gate: g, to: to, o: o}
}

// Write passes on what cannot become such a line any more.
func (a *maskRequests) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	from := 0 // of p, all before it is passed on
	for i := 0; i < len(p); {
		piece, whole := linePiece(p[i:])
		next := i + len(piece)
		behind := a.cr && p[i] == '\n' // an LF that ends the line that was dropped
		a.cr = false
		switch {
		case a.rest:
			a.rest, a.cr, from = !whole, bytes.HasSuffix(piece, []byte("\r")), next
		case behind:
			if err := a.pass(p[from:i]); err != nil {
				return 0, err
			}
			from = next
		case a.begun:
			a.begun = !whole
		case len(a.buffered) == 0 && (isWhite(piece) || matchRequest(piece) == no):
			a.begun = !whole && !isWhite(piece)
		default: // the beginning of a line, of which some may be held
			if err := a.pass(p[from:i]); err != nil {
				return 0, err
			}
			a.buffered, from = append(a.buffered, piece...), next
			if err := a.look(whole); err != nil {
				return 0, err
			}
		}
		i = next
	}
	if err := a.pass(p[from:]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// look decides on the line that is held; whole says that its end is there.
func (a *maskRequests) look(whole bool) error {
	switch could := matchRequest(a.buffered); {
	case could == yes && len(bytes.TrimRight(a.buffered, "\r\n")) > longestAsked:
		a.rest = !whole
		a.drop("a child asks to have a value masked that is longer than 64 KiB: it is not, and the line is dropped")
	case could == yes && whole:
		a.ask()
		if a.o.whole {
			held := a.buffered[a.shown:]
			a.buffered, a.shown = nil, 0
			return a.pass(held)
		}
	case could != no && !whole:
		return nil
	default:
		a.begun = !whole
		held := a.buffered[a.shown:]
		a.buffered, a.shown = nil, 0
		return a.pass(held)
	}
	a.cr = bytes.HasSuffix(a.buffered, []byte("\r"))
	a.buffered, a.shown = nil, 0
	return nil
}

// ask takes the value of the line that is held.
func (a *maskRequests) ask() {
	value, ok := parseRequest(string(a.buffered))
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

// drop says, once a child, that a line is dropped.
func (a *maskRequests) drop(why string) {
	if why != "" && a.o.Notice != nil && !a.noticed {
		a.noticed = true
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

func (a *maskRequests) pass(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	_, err := a.to.Write(p)
	return err
}

// Flush lets go what is held, unless it shows a value: then its end is waited for.
func (a *maskRequests) Flush() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if matchRequest(a.buffered) == yes {
		return nil
	}
	err := a.pass(a.buffered[a.shown:])
	a.shown = len(a.buffered)
	return err
}

// Close takes a line that is held for a whole one.
func (a *maskRequests) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.buffered) == 0 {
		return nil
	}
	return a.look(true)
}

// linePiece is p to the first end of a line, that included; whole is whether there is one.
func linePiece(p []byte) (piece []byte, whole bool) {
	at := bytes.IndexByte(p, '\n')
	if at < 0 {
		at = len(p)
	}
	if cr := bytes.IndexByte(p[:at], '\r'); cr >= 0 {
		at = cr
	}
	if at == len(p) {
		return p, false
	}
	return p[:at+1], true
}

// A match is whether a line, or its beginning, asks for a mask.
type match int

const (
	no    match = iota
	maybe       // it may become one
	yes         // whatever comes
)

// white is what may stand before a command.
const white = " \t\v\f\x00\ufeff"

// isWhite reports whether nothing but that stands in p, which has no end of a line.
func isWhite(p []byte) bool { return len(bytes.TrimLeft(p, white)) == 0 }

// matchRequest reports whether a line, or its beginning, asks for a mask.
func matchRequest(line []byte) match {
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

// parseRequest is the value of a line that asks for a mask.
func parseRequest(line string) (value string, ok bool) {
	line = strings.TrimRight(line, "\r\n")
	line = strings.TrimLeft(line, white)
	if strings.HasPrefix(line, "##[") {
		_, value, ok = strings.Cut(line, "]")
	} else {
		_, value, ok = strings.Cut(line[2:], "::")
	}
	return unescaped.Replace(value), ok
}
