package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Value is the value of an output or a state: masked, without what a terminal would
// obey, and where it is JSON still JSON. Programs read it: a value that is a common
// word, or a host's name, stays what it is there, or our own post step would not find
// the lock that it is to release.
func (g *Gate) Value(value string) string {
	if trimmed := strings.TrimSpace(value); strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[") {
		if json.Valid([]byte(value)) {
			return string(g.strings([]byte(value), g.rare.String))
		}
	}
	return lines(g.rare.String(value)) // a later step may print it
}

// Append adds to a file that the CI system has named, in a variable: text is given
// what is there already. The file is not ours alone: it may lack the end of its last
// line. What is added is made of Value and Page.
func (g *Gate) Append(path, variable string, text func(before string) string) (err error) {
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

// Help runs a helper program of the CI system: its arguments and its input are
// masked. errors.ErrUnsupported where there is none to run.
func (g *Gate) Help(input, name string, args ...string) error {
	masked := make([]string, len(args))
	for i, arg := range args {
		masked[i] = g.Text(arg)
	}
	return g.help(g.Value(input), name, masked)
}

// MaskHelp runs a helper that takes values to redact by its standard input. No
// other room than ci calls it.
func (g *Gate) MaskHelp(values io.Reader, name string, args ...string) error {
	if g.o.Run == nil {
		return errors.ErrUnsupported
	}
	return g.o.Run(values, name, args...)
}

func (g *Gate) help(input, name string, args []string) error {
	if g.o.Run == nil {
		return errors.ErrUnsupported
	}
	return g.o.Run(strings.NewReader(input), name, args...)
}
