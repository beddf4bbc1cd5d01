package cli

import (
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// unasked are the commands that take no option from a variable worth a warning, and are
// to answer at once.
var unasked = []string{"complete", "completion", "help", "man", "version"}

// tellMistyped warns of variables that are almost those of an option: a flag that is
// mistyped is refused, and a variable would say nothing. What is not like any may be
// somebody else's.
func (a *app) tellMistyped(kctx *kong.Context) {
	command, _, _ := strings.Cut(kctx.Command(), " ")
	if slices.Contains(unasked, command) {
		return
	}
	known := map[string]bool{} // without what all of them begin with
	know := func(names ...string) {
		for _, name := range names {
			if name != "" {
				known[strings.TrimPrefix(envName(name), envName(""))] = true
			}
		}
	}
	for _, f := range kctx.Flags() {
		know(append([]string{f.Name}, f.Aliases...)...)
	}
	unknown := func() (names []string) {
		for name, value := range a.env {
			if name, ours := strings.CutPrefix(name, envName("")); ours && value != "" && !known[name] {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return names
	}
	if len(unknown()) == 0 {
		return
	}
	g := Grammar() // all options: of another command's a variable may be
	for _, o := range g.Global {
		know(o.Name, o.Input)
	}
	for _, c := range g.Commands {
		for _, o := range c.Options {
			know(o.Name, o.Input)
		}
	}
	names := slices.Sorted(maps.Keys(known))
	for _, name := range unknown() {
		if near := check.Nearest(name, names); near != "" {
			a.system.Warning(problem.New(envName(name)+" is no variable of kamal-op's: it is not read", "did you mean "+envName(near)+"?"))
		}
	}
}
