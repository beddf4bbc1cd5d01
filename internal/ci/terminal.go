package ci

import (
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A terminal is read by a person, now: it has colours, and its last line says
// what is going on and for how long.
type terminal struct {
	*plain

	// What follows is guarded by the stream's lock, since the line must be out of
	// the way whenever anything else is written.
	text  string
	since time.Time

	ticking sync.Mutex
	stop    chan struct{}
	stopped chan struct{}
}

func newTerminal(colour bool, g *gate.Gate, out *gate.Stream, o Options) *terminal {
	t := &terminal{plain: newPlain("a terminal", g, out, o)}
	t.colour = colour
	if o.Width != nil {
		t.fold = func(text string) string { return gate.Fold(text, o.Width()) }
	}
	// While a child has a terminal of its own, ours is raw and does not go back
	// to the first column by itself.
	out.OnTerminal("\r\n", t.line)
	return t
}

func (t *terminal) Group(title string) {
	title = t.title(title)
	if t.colour {
		t.info(cyan + "==" + normal + " " + title)
		return
	}
	t.info("== " + title)
}

// Error takes the status line away: what is told last is to be read last.
func (t *terminal) Error(p *problem.Problem) {
	t.Status("")
	t.plain.Error(p)
}

// Status shows what is going on with the time it has taken, and keeps the time
// right until it is taken away with "".
func (t *terminal) Status(text string) {
	t.ticking.Lock()
	defer t.ticking.Unlock()
	text = t.title(text)
	t.log.Redraw(func() { t.text, t.since = text, t.o.Now() })
	switch {
	case text != "" && t.stop == nil:
		t.stop, t.stopped = make(chan struct{}), make(chan struct{})
		go t.tick(t.stop, t.stopped)
	case text == "" && t.stop != nil:
		close(t.stop)
		<-t.stopped
		t.stop = nil
	}
}

// tick draws the line anew every second.
func (t *terminal) tick(stop, stopped chan struct{}) {
	defer close(stopped)
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-stop:
			return
		case <-second.C:
			t.log.Redraw(nil)
		}
	}
}

// line is the last line at this moment; the stream's lock is held.
func (t *terminal) line() string {
	if t.text == "" {
		return ""
	}
	// The last column stays free: a full line would wrap, and could not be
	// taken away.
	line := truncate(fmt.Sprintf("… %s (%s)", t.text, seconds(t.o.Now().Sub(t.since))), t.width()-1)
	if t.colour {
		line = faint + line + normal
	}
	return line
}

// width is the terminal's at this moment.
func (t *terminal) width() int {
	if t.o.Width != nil {
		if w := t.o.Width(); w > 0 {
			return w
		}
	}
	return 80
}

// truncate is text of at most so many characters.
func truncate(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	runes := []rune(text)
	return string(runes[:max(most-1, 0)]) + strings.Repeat("…", min(most, 1))
}

// seconds is a time as it is shown while it passes: "12 s", "3 min 4 s".
func seconds(d time.Duration) string {
	s := int(d.Seconds())
	if s < 60 {
		return fmt.Sprintf("%d s", s)
	}
	return fmt.Sprintf("%d min %d s", s/60, s%60)
}
