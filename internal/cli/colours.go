package cli

import (
	"fmt"
	"os"

	"github.com/kamal-op/kamal-op/internal/gate"
	"golang.org/x/term"
)

// colours tells whether a report on a stream has colours: on a terminal that has some,
// and where CLICOLOR_FORCE asks for them; not where NO_COLOR asks for none.
func (a *app) colours(s *gate.Stream) bool {
	if a.env["NO_COLOR"] != "" {
		return false
	}
	forced := a.env["CLICOLOR_FORCE"]
	return forced != "" && forced != "0" || s.IsTerminal() && a.env["TERM"] != "dumb"
}

// report writes a report to standard output. On a terminal its lines break between words.
func (a *app) report(text string) error {
	_, err := fmt.Fprint(a.Stdout, a.folder(a.Stdout)(text))
	return err
}

// folder has the lines of a text for a stream break between words, where that is a
// terminal. The text is masked before: no value is found in pieces.
func (a *app) folder(s *gate.Stream) func(text string) string {
	return func(text string) string { return gate.Fold(a.gate.Text(text), columns(s)) }
}

// columns are how many a terminal has, 0 where a stream is none.
func columns(s *gate.Stream) int {
	if !s.IsTerminal() {
		return 0
	}
	return s.Width()
}

// isTerminal tells whether a file is a terminal.
func isTerminal(f *os.File) bool { return f != nil && term.IsTerminal(int(f.Fd())) }
