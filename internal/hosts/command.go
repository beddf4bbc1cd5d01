package hosts

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/crypto/ssh"
)

// loop is in the words of a POSIX shell, as Kamal's commands are, and does nothing but to
// say so. fish and csh do not know them: there a deploy would fail halfway. An older fish
// tells that on its standard error alone, and ends with 0. It begins as Kamal's question
// for the version that runs: a forced command may look at the first word.
const loop = "sh -c true | while read -r line; do :; done && echo " + looped

const looped = "kamal-op:looped"

// works sees that the user can run Kamal's commands.
func works(ctx context.Context, client *ssh.Client, result *Result) bool {
	ran := runs(ctx, client, loop, result)
	if ran && strings.Contains(result.Answer, looped) {
		result.Answer = ""
		return true
	}
	if ran || result.Outcome == UserBarred && runs(ctx, client, "true", result) {
		result.Outcome = OtherShell
	}
	return false
}

// runs sees that the user can run a command: a login may end in a notice that the
// account is not to be used.
func runs(ctx context.Context, client *ssh.Client, command string, result *Result) bool {
	session, err := client.NewSession()
	if err != nil {
		result.Outcome, result.Detail = UserBarred, plain(err.Error())
		return false
	}
	defer func() { _ = session.Close() }()
	done := context.AfterFunc(ctx, func() { _ = client.Close() })
	defer done()
	// What the user's own files print at a login comes before the answer.
	answer, out := &headBuffer{limit: 64 << 10}, &headBuffer{limit: 4 << 10}
	session.Stdout, session.Stderr = io.MultiWriter(answer, out), out
	err = session.Run(command)
	result.Answer, result.Answered = answer.String(), time.Now()
	var exit *ssh.ExitError
	var lost *ssh.ExitMissingError
	switch {
	case err == nil:
		return true
	case errors.As(err, &exit):
		result.Outcome, result.Detail = UserBarred, plain(out.String())
	case ctx.Err() != nil:
		result.Outcome, result.Detail = NoAnswer, "it let the key in, and a command there did not end"
	case errors.As(err, &lost):
		result.Outcome, result.Detail = UserBarred, plain(out.String())
	default:
		result.Outcome, result.Detail = OtherFailure, plain(err.Error())
	}
	return false
}

// A headBuffer keeps the first bytes of what is written to it; ssh writes to it from
// two goroutines.
type headBuffer struct {
	mu    sync.Mutex
	b     []byte
	limit int
}

func (h *headBuffer) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.b = append(h.b, p[:min(len(p), h.limit-len(h.b))]...)
	return len(p), nil
}

func (h *headBuffer) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.b)
}

// plain is the first line of what a server said, at most 200 characters, with
// what does not print left out.
func plain(s string) string {
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) {
				return -1
			}
			return r
		}, line))
		if line == "" {
			continue
		}
		if runes := []rune(line); len(runes) > 200 {
			return string(runes[:200]) + "…"
		}
		return line
	}
	return ""
}
