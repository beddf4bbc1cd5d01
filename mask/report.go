package mask

import (
	"fmt"
	"strings"
)

// Skipped says that a value, or some lines of it, are not masked.
type Skipped struct {
	Name   string // the secret's name; empty if it was added without one
	Lines  []int  // the lines refused, counted from 1; nil if it is the whole value
	Reason string // why, in words that fit after "is" or "are"; never the value
}

// String is the report in one line, without the value.
func (s Skipped) String() string {
	name := s.Name
	if name == "" {
		name = "a value"
	}
	switch len(s.Lines) {
	case 0:
		return fmt.Sprintf("%s is %s", name, s.Reason)
	case 1:
		return fmt.Sprintf("%s: line %d is %s", name, s.Lines[0], s.Reason)
	}
	lines := make([]string, len(s.Lines))
	for i, n := range s.Lines {
		lines[i] = fmt.Sprint(n)
	}
	return fmt.Sprintf("%s: lines %s are %s", name, strings.Join(lines, ", "), s.Reason)
}

// Noisy says that a value is masked but is such that much of the log will be
// blanked with it.
type Noisy struct {
	Name   string // the secret's name; empty if it was added without one
	Reason string // why, in words that fit after "is"; never the value
}

// String is the report in one line, without the value.
func (n Noisy) String() string {
	name := n.Name
	if name == "" {
		name = "a value"
	}
	return fmt.Sprintf("%s is %s", name, n.Reason)
}

// noise is why value will blank much of the log; empty if it will not.
func noise(value string, o *options) string {
	v := strings.TrimSpace(value)
	if o.hosts[v] {
		return "the name of a host"
	}
	return ""
}
