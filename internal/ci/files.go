package ci

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
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
func appendValue(path, variable, name, value string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("%q is no name for a value", name)
	}
	end := "end-" + rand.Text()
	return appendTo(path, variable, func(string) string {
		return name + "<<" + end + "\n" + value + "\n" + end + "\n"
	})
}

// appendPage adds Markdown to a page, cut to what the page may still hold.
func appendPage(path, variable, markdown string) error {
	return appendTo(path, variable, func(before string) string {
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

// appendTo adds to one of the runner's files, which is not ours alone: what was
// there before, and may lack the end of its last line, is looked at first.
func appendTo(path, variable string, text func(before string) string) (err error) {
	if path == "" {
		return fmt.Errorf("%s is not set: %w", variable, errors.ErrUnsupported)
	}
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("reading %s: %w", variable, err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening %s: %w", variable, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	add := text(string(before))
	if len(before) > 0 && before[len(before)-1] != '\n' {
		add = "\n" + add
	}
	if _, err := f.WriteString(add); err != nil {
		return fmt.Errorf("writing %s: %w", variable, err)
	}
	return nil
}
