package rehearsal

import (
	"fmt"
	"io"
	"time"
)

// A teller tells a person what happens, each line with the seconds since the
// beginning.
type teller struct {
	out   io.Writer
	begun time.Time
}

func newTeller(out io.Writer) *teller {
	if out == nil {
		out = io.Discard
	}
	return &teller{out: out, begun: time.Now()}
}

// step tells one thing. A log that cannot be written is no reason to leave a
// rehearsal half done, so that error is passed over.
func (t *teller) step(format string, args ...any) {
	// See above.
	_, _ = fmt.Fprintf(t.out, "%6.1f s  %s\n", time.Since(t.begun).Seconds(), fmt.Sprintf(format, args...))
}
