package cli

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/projectfile"
)

// blamed names the place that the value of an option has come from, in the problems
// that begin with the option as a flag: a variable, an input, the project file. Who
// gave no flag would look for it in vain.
func (a *app) blamed(err error) error {
	if err == nil {
		return nil
	}
	list, changed := slices.Clone(problem.Of(err)), false
	for i, p := range list {
		if !strings.HasPrefix(p.Message, "--") {
			continue
		}
		end := strings.IndexFunc(p.Message, func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') })
		if end < 0 {
			end = len(p.Message)
		}
		if q := a.blamedOn(p, p.Message[len("--"):end], p.Message[end:]); q != nil {
			list[i], changed = q, true
		}
	}
	if !changed {
		return err // which may be more than its problems
	}
	return list.Err()
}

// blamedOn is a problem with an option, with where its value has come from; nil where
// that is the line, or is not known.
func (a *app) blamedOn(p *problem.Problem, name, rest string) *problem.Problem {
	at := slices.IndexFunc(a.flags, func(f *kong.Flag) bool { return f.Name == name })
	if at < 0 || onLine(a.flags[at], a.line) {
		return nil
	}
	q := *p
	q.Details = slices.DeleteFunc(slices.Clone(p.Details), func(d string) bool { return strings.HasPrefix(d, "usage: ") })
	if _, origin, found := a.lookup.value(append([]string{name}, a.flags[at].Aliases...)...); found {
		q.Message = origin + rest
		return &q
	}
	if a.lookup.file.file == nil {
		return nil
	}
	given := a.lookup.file.file.Values(name, a.lookup.file.destination)
	if len(given) == 0 {
		return nil
	}
	q.Message = projectfile.Name + ": " + name + rest
	if p.Place == (problem.Place{}) {
		q.Place = a.lookup.file.file.Place(given[0])
	}
	return &q
}

// onLine tells whether a flag stands among the words of a line, under any of its names.
func onLine(f *kong.Flag, line []string) bool {
	return slices.ContainsFunc(line, func(word string) bool {
		for _, name := range append([]string{f.Name}, f.Aliases...) {
			if word == "--"+name || strings.HasPrefix(word, "--"+name+"=") {
				return true
			}
		}
		return f.Short != 0 && len(word) > 1 && word[0] == '-' && word[1] != '-' && strings.ContainsRune(word, f.Short)
	})
}
