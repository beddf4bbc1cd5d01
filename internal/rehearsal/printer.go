package rehearsal

import (
	"fmt"
	"io"
	"time"
)

// A printer shows a person what happens, each line with the seconds since the
// beginning.
type printer struct {
	out   io.Writer
	begun time.Time
}

func newPrinter(out io.Writer) *printer {
	if out == nil {
		out = io.Discard
	}
	return &printer{out: out, begun: time.Now()}
}

// step prints one line. A log that cannot be written is no reason to leave a
// rehearsal half done, so that error is passed over.
func (t *printer) step(format string, args ...any) {
	// See above.
	_, _ = fmt.Fprintf(t.out, "%6.1f s  %s\n", time.Since(t.begun).Seconds(), fmt.Sprintf(format, args...))
}
