package ci

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"strings"

	"github.com/kamal-op/kamal-op/internal/gate"
)

// largestPage is GitHub's limit of a step's summary, in bytes. One that is
// larger is dropped as a whole.
const largestPage = 1 << 20

// validName is what an output or a state may be called.
var validName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// appendValue adds a value to one of the runner's files of names and values.
//
// The delimiter is random each time. With a fixed one, as the SDK has it, a
// value that contains the delimiter's line goes on as further values.
func appendValue(g *gate.Gate, path, variable, name, value string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("%q is no name for a value", name)
	}
	end := "end-" + rand.Text()
	return g.Append(path, variable, func(string) string {
		return name + "<<" + end + "\n" + g.Value(value) + "\n" + end + "\n"
	})
}

// appendPage adds Markdown to a page, cut to what the page may still hold.
func appendPage(g *gate.Gate, path, variable, markdown string) error {
	markdown = g.Text(markdown)
	return g.Append(path, variable, func(before string) string {
		return cutPage(strings.TrimRight(markdown, "\n")+"\n", largestPage-len(before))
	})
}

// cutPage is Markdown of at most so many bytes: whole lines, with a line that
// says so where some are missing.
func cutPage(markdown string, most int) string {
	if len(markdown) <= most {
		return markdown
	}
	const more = "\n_The rest is left out: GitHub shows no more than 1 MiB of a step._\n"
	const fence = "```\n"
	most -= len(more) + len(fence)
	if most <= 0 {
		return ""
	}
	kept := markdown[:strings.LastIndexByte(markdown[:most], '\n')+1]
	if strings.Count("\n"+kept, "\n```")%2 == 1 {
		kept += fence
	}
	return kept + more
}
