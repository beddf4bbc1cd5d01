package kamal

import (
	"regexp"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A Failure is why Kamal failed, as far as its last lines show it.
type Failure struct {
	Host    string   // on which it happened, or ""
	Command string   // that failed there, or ""
	Class   string   // of Kamal's error, such as SSHKit::Command::Failed
	Message string   // of the error, its first line
	Words   []string // the last lines that say something, at most five
	Cause   string   // the likely cause in a few words, or ""
	Hint    string   // the remedy

	boots bool // the new container was to take over from an old one
}

var (
	// errorLine is Kamal's last word (bin/kamal): two blanks, red, the class.
	errorLine = lazy.Regexp(`^\s*ERROR \(([A-Za-z0-9_:]+)\): (.*)`)
	onHost    = lazy.Regexp(`[Ee]xecuting on host ([^\s:]+)`)
	atHost    = lazy.Regexp(`(?:for (?:user )?|user )[\w.-]+@([\w.:-]+)`)
	backtrace = lazy.Regexp(`^(\S+\.rb|<internal:\S+>):\d+:in `)
	// logged is a line of Kamal's log (SSHKit's pretty formatter).
	logged   = lazy.Regexp(`^\s*(?:DEBUG|INFO|WARN|ERROR|FATAL)(?: [^(]|\s*$)`)
	running  = lazy.Regexp(`^\s*(?:DEBUG|INFO|WARN|ERROR) \[([0-9a-f]{8})\] Running (.+) on (\S+)\s*$`)
	finished = lazy.Regexp(`^\s*(?:DEBUG|INFO|WARN|ERROR) \[([0-9a-f]{8})\] Finished in `)
	// nothing are lines of Kamal's that say nothing.
	nothing = lazy.Regexp(`^\S+ std(out|err): Nothing written$|^Finished all in [0-9.]+ seconds$|^Releasing the deploy lock\.\.\.$`)
)

// IsError reports whether a line is Kamal's last word, the error that it ended with.
// What follows belongs to it.
func IsError(line string) bool { return errorLine().MatchString(line) }

// hookError is the class of the error that a hook's failure is.
const hookError = "Kamal::Cli::HookError"

// lastOutput is Kamal's last lines by what they are: the error that it ended with says why
// it failed. What it echoed, logged or fetched of a container's log before does not.
type lastOutput struct {
	class string // of the error; "" where Kamal printed none
	error string // its message, to the end
	rest  string // lines before it that are not of Kamal's log
	log   string // all lines before it
}

// parseOutput reads lines without colours. A hook may have run another Kamal: its
// error is part of the hook's. Otherwise the last error counts, since a
// container's log may hold one as well.
func parseOutput(lines []string) lastOutput {
	at := -1
	for i, line := range lines {
		m := errorLine().FindStringSubmatch(line)
		if m == nil {
			continue
		}
		at = i
		if m[1] == hookError {
			break
		}
	}
	var s lastOutput
	before := lines
	if at >= 0 {
		m := errorLine().FindStringSubmatch(lines[at])
		s.class, s.error = m[1], strings.Join(append([]string{m[2]}, lines[at+1:]...), "\n")
		before = lines[:at]
	}
	var rest []string
	for _, line := range before {
		if !logged().MatchString(line) {
			rest = append(rest, line)
		}
	}
	s.rest, s.log = strings.Join(rest, "\n"), strings.Join(before, "\n")
	return s
}

// Diagnose says why Kamal failed from the last lines of its output, masked
// already.
func Diagnose(lines []string) Failure {
	plain := make([]string, 0, len(lines))
	for _, line := range lines {
		plain = append(plain, strings.TrimRight(escapes().ReplaceAllString(line, ""), "\r"))
	}
	s := parseOutput(plain)
	f := Failure{Class: s.class, Words: lastWords(plain)}
	f.Message, _, _ = strings.Cut(s.error, "\n")
	for _, pattern := range []*regexp.Regexp{onHost(), atHost()} {
		if m := pattern.FindStringSubmatch(s.error); m != nil && s.class != hookError {
			f.Host = strings.TrimRight(m[1], ":.")
			break
		}
	}
	if s.class == "" || isCommand().MatchString(s.class) {
		f.command(plain)
	}
	for _, c := range causes {
		if cause, hint, ok := c.of(s); ok {
			f.Cause, f.Hint, f.boots = cause, hint, c.boots
			break
		}
	}
	return f
}

// command finds the command that failed: one that has begun and has not ended.
// Where several run at once it is on the host of the error.
func (f *Failure) command(lines []string) {
	type command struct{ id, text, host string }
	var open []command
	for _, line := range lines {
		if m := running().FindStringSubmatch(line); m != nil {
			open = append(open, command{m[1], m[2], m[3]})
		} else if m := finished().FindStringSubmatch(line); m != nil {
			open = slices.DeleteFunc(open, func(c command) bool { return c.id == m[1] })
		}
	}
	for _, c := range slices.Backward(open) {
		if f.Host == "" || f.Host == c.host {
			f.Host, f.Command = c.host, c.text
			return
		}
	}
}

// lastWords are the last lines that say something, at most five. Of a long error
// the first of them is its beginning.
func lastWords(lines []string) (words []string) {
	const most = 5
	first := -1
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" || backtrace().MatchString(line) || nothing().MatchString(line) {
			continue
		}
		if IsError(line) {
			first = len(words)
		}
		words = append(words, line)
	}
	if last := len(words) - most; last > 0 {
		if first >= 0 && first < last {
			words = append([]string{words[first]}, words[last+1:]...)
		} else {
			words = words[last:]
		}
	}
	return words
}

// Ran adds to a failed boot of the app what ran on its host before and still runs:
// a version, "" where nothing did.
func (f *Failure) Ran(version string) {
	switch {
	case !f.boots:
	case version == "":
		f.Cause += "; nothing ran there before"
	default:
		f.Cause += "; the old one (" + shorten(version, 20) + ") still runs"
	}
}

// Problem is the failure as it is reported at the end of a run: what failed, on which
// host, the last words, the likely cause and the remedy. status is Kamal's.
func (f Failure) Problem(phase string, status int) *problem.Problem {
	message := "kamal failed"
	if phase != "" {
		message += " in the phase " + phase
	}
	if f.Host != "" {
		message += " on " + f.Host
	}
	if f.Cause != "" {
		message += ": " + f.Cause
	}
	var details []string
	if f.Command != "" {
		details = append(details, "command: "+shorten(f.Command, 200))
	}
	for _, line := range f.Words {
		details = append(details, shorten(line, 300))
	}
	return &problem.Problem{Message: message, Details: details, Hint: f.Hint, Status: status, Help: f.help()}
}

// help is where more is written of the failure, by the class of Kamal's error.
func (f Failure) help() problem.Help {
	switch f.Class {
	case "Net::SSH::AuthenticationFailed":
		return problem.LoginRefused
	case "Net::SSH::HostKeyMismatch", "Net::SSH::HostKeyUnknown":
		return problem.HostKeys
	case "Errno::ECONNREFUSED", "Errno::ETIMEDOUT", "Errno::EHOSTUNREACH", "Errno::ENETUNREACH", "Net::SSH::ConnectionTimeout", "SocketError":
		return problem.HostUnreachable
	case "Kamal::Cli::LockError":
		return problem.DeployLock
	}
	return problem.KamalFailed
}

func shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
