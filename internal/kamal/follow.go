package kamal

import (
	"bytes"
	"io"
	"regexp"
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// headlines are the lines with which Kamal begins a part of its work, as its
// commands print them (lib/kamal/cli/*.rb), and what that part is called here.
// They begin a line; a hook's is found by its pattern. The release of the lock is
// none: it comes in the middle of whatever failed.
var headlines = []struct{ begins, phase string }{
	{"Ensure Docker is installed...", "docker on the servers"},
	{"Build and push app image...", "build and push"},
	{"Pull app image...", "pull"},
	{"Acquiring the deploy lock", "deploy lock"},
	{"Ensure kamal-proxy is running...", "proxy"},
	{"Detect stale containers...", "stale containers"},
	{"Start container with version ", Booting},
	{"Rolling back to version ", RollingBack},
	{"Prune old containers and images...", "prune"},
}

// Booting is the phase in which the app's new container takes over.
const Booting = "boot"

// RollingBack is the phase in which hosts go back to the version that ran there.
const RollingBack = "rollback"

// named are headlines with a name in them, which is part of the phase's: how Kamal
// announces a hook (lib/kamal/cli/base.rb, run_hook), and the preload an accessory.
var named = []struct {
	begins string
	line   func() *regexp.Regexp
	phase  string
}{
	{"Running the ", lazy.Regexp(`^Running the ([a-z-]+) hook\.\.\.`), "hook "},
	{"Boot accessory ", lazy.Regexp(`^Boot accessory (\S+?)\.\.\.$`), "accessory "},
}

// maxHeadline is the length at which a line that could still become a headline is
// passed on as none: with a version in it, it is no longer than this.
const maxHeadline = 256

// escapes are the colours that Kamal paints its headlines in on a terminal.
var escapes = lazy.Regexp("\x1b\\[[0-9;]*m")

// A Follower passes Kamal's output on and tells which part of its work it has
// come to. Nothing is changed and nothing is held back but a line's beginning
// that may become a headline, so that whoever is told can write something before
// it. It is for one stream and one goroutine.
type Follower struct {
	w     io.Writer
	begin func(phase string)
	held  []byte // the beginning of a line that may be a headline
	open  bool   // the line has begun and is none

	version string
}

// bootLine names the version of the app that is booted.
var bootLine = lazy.Regexp(`^(?:\x1b\[[0-9;]*m)*Start container with version (\S+)`)

// Version is the version of the app that Kamal has booted first, "" before it has.
func (f *Follower) Version() string { return f.version }

// NewFollower follows what is written on its way to w. begin is called before the
// line that begins a phase is passed on.
func NewFollower(w io.Writer, begin func(phase string)) *Follower {
	return &Follower{w: w, begin: begin}
}

// Write passes p on. The error is w's.
func (f *Follower) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n') + 1
		line := p
		if end > 0 {
			line = p[:end]
		}
		p = p[len(line):]
		if err := f.line(line, end > 0); err != nil {
			return n, err
		}
	}
	return n, nil
}

// line takes the next piece of the line under way; ended tells that it is its
// last.
func (f *Follower) line(piece []byte, ended bool) error {
	if f.open {
		f.open = !ended
		_, err := f.w.Write(piece)
		return err
	}
	whole := piece
	if len(f.held) > 0 {
		f.held = append(f.held, piece...)
		whole = f.held
	}
	phase, maybe := headline(whole)
	if maybe && !ended && len(whole) < maxHeadline {
		if len(f.held) == 0 {
			f.held = append(f.held, piece...)
		}
		return nil
	}
	if phase != "" {
		f.begin(phase)
	}
	if m := bootLine().FindSubmatch(whole); m != nil && phase != "" && f.version == "" {
		f.version = string(m[1])
	}
	f.open = !ended
	_, err := f.w.Write(whole)
	f.held = f.held[:0]
	return err
}

// Flush lets out the beginning that is held back.
func (f *Follower) Flush() error {
	if len(f.held) == 0 {
		return nil
	}
	f.open = true
	_, err := f.w.Write(f.held)
	f.held = f.held[:0]
	return err
}

// headline is the phase that a line begins, "" for none; maybe tells that a
// longer line could begin one.
func headline(line []byte) (phase string, maybe bool) {
	text := strings.TrimRight(string(escapes().ReplaceAll(line, nil)), "\r\n")
	for _, h := range headlines {
		switch {
		case strings.HasPrefix(text, h.begins):
			return h.phase, h.phase == Booting // its version stands on the same line
		case strings.HasPrefix(h.begins, text):
			maybe = true
		}
	}
	for _, h := range named {
		if m := h.line().FindStringSubmatch(text); m != nil {
			return h.phase + m[1], false
		}
		maybe = maybe || strings.HasPrefix(h.begins, text) || strings.HasPrefix(text, h.begins)
	}
	maybe = maybe || strings.HasPrefix(text, "\x1b")
	return "", maybe
}
