package check

import (
	"regexp"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// checkShell looks for a shell's syntax that dotenv does not know: the app gets it
// as it is written.
func (c *destinationCheck) checkShell(d *kamal.Definition) {
	for _, s := range d.Shell {
		if s.Kind == kamal.NeverClosed && c.isSkipped(s.Place) {
			continue // a command over several lines: told at the line that is lost
		}
		level := Error
		if s.Doubtful || !c.used(d.Name) {
			level = Warning
		}
		c.report(RuleShell, level, d.Name, shellProblem(d, s), s.Place)
	}
}

// isSkipped reports whether the line behind a place is none that dotenv knows, and
// is missed.
func (c *destinationCheck) isSkipped(at problem.Place) bool {
	for _, file := range c.project.Secrets.Files {
		if file.Path == at.File && slices.ContainsFunc(file.Ignored, func(p kamal.SkippedLine) bool { return p.Line == at.Line+1 && c.needed(p) }) {
			return true
		}
	}
	return false
}

// needed reports whether something that is used lacks what dotenv passes over: the rest
// of its value, or the only line that names it.
func (c *destinationCheck) needed(line kamal.SkippedLine) bool {
	if line.Adds != "" && c.used(line.Adds) {
		return true
	}
	if line.Function != "" && c.callsFunction(line.Function) {
		return true
	}
	if name := line.Continues; name != "" && (c.used(name) || c.index.sources[name] || c.inHooks(name)) {
		return true
	}
	return slices.ContainsFunc(line.Words, func(name string) bool {
		_, defined := c.definition(name)
		return c.used(name) && !defined && !c.declared(name)
	})
}

// callsFunction reports whether a command of a value that is used calls a function, which
// dotenv does not know.
func (c *destinationCheck) callsFunction(name string) bool {
	call := regexp.MustCompile(`(?:^|[;&|(\n])\s*` + regexp.QuoteMeta(name) + `(?:[\s;&|)]|$)`)
	return slices.ContainsFunc(c.definitions(), func(d *kamal.Definition) bool {
		return (c.used(d.Name) || c.index.sources[d.Name] || c.inHooks(d.Name)) && slices.ContainsFunc(d.Parts, func(p kamal.Part) bool {
			return p.Kind == kamal.Command && call.MatchString(p.Text)
		})
	})
}

// checkReference looks for a secret reference where its value belongs: neither
// Kamal nor dotenv resolves one.
func (c *destinationCheck) checkReference(d *kamal.Definition) {
	if len(d.Parts) == 0 || slices.Contains(c.o.AllowReference, d.Name) {
		return
	}
	hint := "write " + d.Name + "=$(op read " + "op://…), or declare " + d.Name + "=op://… to kamal-op and write " + d.Name + "=$" + d.Name +
		" here; --allow-reference " + d.Name + " is for an app that resolves references itself"
	level := Error
	if !c.used(d.Name) {
		level = Warning
	}
	if level == Warning && !c.mayUse(d.Name) {
		return // it may well be for the op read of another line, or of a hook
	}
	origin := c.origin(d)
	first := &origin.Parts[0]
	switch {
	case first.Kind == kamal.Literal && isReference(first.Text), len(d.Shell) == 0 && slices.ContainsFunc(origin.Parts, hasReference):
		c.report(RuleReference, level, d.Name, problem.New(d.Name+" is a secret reference, and nothing resolves it here: the app gets its text", hint), d.Place)
	case len(origin.Parts) == 1 && first.Kind == kamal.PassThrough && !c.declared(first.Name):
		if isReference(environ.List(c.o.Env).Get(first.Name)) {
			c.report(RuleReference, level, d.Name, problem.New(
				d.Name+" takes $"+first.Name+" of the environment, which is a secret reference: nothing resolves it here", hint), d.Place)
		}
	}
}

// origin is the definition that a definition which only passes on a variable has its
// value from, as far as the file has it.
func (c *destinationCheck) origin(d *kamal.Definition) *kamal.Definition {
	for len(d.Parts) == 1 && d.Parts[0].Kind == kamal.PassThrough {
		before, ok := c.index.before(d, d.Parts[0].Name)
		if !ok || len(before.Parts) == 0 {
			break
		}
		d = before
	}
	return d
}

// hasReference reports whether a text has a reference amid others, as a URL's password.
func hasReference(p kamal.Part) bool {
	return p.Kind == kamal.Literal && reference().MatchString(p.Text)
}

var reference = lazy.Regexp(`(?:^|[^\w$])op://[^/\s"']+/[^/\s"']+/[^/\s"']`)

func isReference(value string) bool {
	value = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(value), "{{")) // as op inject has it
	return strings.HasPrefix(value, "op://")
}
