// Package environ is an environment as a list of NAME=value entries, and the
// programs that its PATH leads to. Where a name stands twice the last entry counts,
// as it does for every shell and for exec.Cmd.
package environ

import (
	"slices"
	"strings"
)

// A List is an environment.
type List []string

// Lookup is a variable's value, and whether it is set.
func (l List) Lookup(name string) (string, bool) {
	for _, entry := range slices.Backward(l) {
		if key, value, ok := strings.Cut(entry, "="); ok && key == name {
			return value, true
		}
	}
	return "", false
}

// Get is a variable's value, "" where it is not set.
func (l List) Get(name string) string {
	value, _ := l.Lookup(name)
	return value
}

// Path is the PATH, or what execvp(3) falls back to where there is none: who puts a folder
// before it must not hide that.
func (l List) Path() string {
	if path := l.Get("PATH"); path != "" {
		return path
	}
	return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}

// Set gives a variable its value, in the place of the entry that counted or at the
// end.
func (l *List) Set(name, value string) {
	entry := name + "=" + value
	for i, old := range slices.Backward(*l) {
		if key, _, ok := strings.Cut(old, "="); ok && key == name {
			(*l)[i] = entry
			return
		}
	}
	*l = append(*l, entry)
}

// With is a copy in which a variable has that value.
func (l List) With(name, value string) List {
	l = slices.Clone(l)
	l.Set(name, value)
	return l
}

// SetAll sets every entry of another list.
func (l *List) SetAll(entries []string) {
	for _, entry := range entries {
		if name, value, ok := strings.Cut(entry, "="); ok {
			l.Set(name, value)
		}
	}
}

// Without is a copy less the variables whose names are to go, in the same order.
func (l List) Without(drop func(name string) bool) List {
	kept := make(List, 0, len(l))
	for _, entry := range l {
		if name, _, _ := strings.Cut(entry, "="); !drop(name) {
			kept = append(kept, entry)
		}
	}
	return kept
}

// Map is the environment by name.
func (l List) Map() map[string]string {
	m := make(map[string]string, len(l))
	for _, entry := range l {
		if name, value, ok := strings.Cut(entry, "="); ok {
			m[name] = value
		}
	}
	return m
}
