package check

import (
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// checkShell looks for a shell's syntax that dotenv does not know: the app gets it
// as it is written.
func (c *destinationCheck) checkShell(d *kamal.Definition) {
	for _, s := range d.Shell {
		if s.Kind == kamal.NeverClosed && c.passedOver(s.Place) {
			continue // a command over several lines: told at the line that is lost
		}
		level := Error
		if s.Doubtful || !c.used(d.Name) {
			level = Warning
		}
		var p *problem.Problem
		switch s.Kind {
		case kamal.Expansion:
			arrives := "the rest arrives as it is written"
			if d.Quote == 0 && strings.HasSuffix(s.Text, "#") {
				arrives = "the rest is a comment to it, and the value arrives whole"
			}
			p = problem.New(d.Name+" has "+s.Text+"…}, which dotenv does not know: "+arrives,
				"dotenv knows $NAME and ${NAME}; give the variable its value where the command is started, or write the default on a line of its own, above")
		case kamal.Backticks:
			p = problem.New(d.Name+" has a command between backticks, which dotenv does not run: it arrives as it is written",
				"write $(command), or single quotes around a value that has backticks")
		case kamal.Quoting:
			p = problem.New(d.Name+" has "+s.Text+"…"+s.Text[1:]+", which neither dotenv nor sh knows: another text arrives",
				"write plain quotes; a value of several lines stands between double quotes as it is")
		case kamal.Operator:
			p = problem.New(d.Name+" has "+s.Text+" behind its value, which only a shell reads: it arrives with the value",
				"write one definition on a line, and what a shell is to run between the brackets of $(…)")
		case kamal.OpenQuote:
			p = problem.New(d.Name+" begins with "+s.Text+" and does not end with it: the quotes arrive with the value",
				"put one pair of quotes around the whole value; what follows it on the line may be a comment, behind a blank and #")
		case kamal.Arithmetic:
			p = problem.New(d.Name+" has $((…)), which Kamal runs as a command: it is empty",
				"write $(echo $((…))), or the number")
		case kamal.NeverClosed:
			p = problem.New(d.Name+" has a $( that is never closed: it arrives as it is written",
				"close it on the same line, or put double quotes around a command that goes over several; single quotes around a value that has $(")
		}
		c.find(RuleShell, level, d.Name, p, s.Place)
	}
}

// passedOver tells whether the line behind a place is none that dotenv knows, and
// is missed.
func (c *destinationCheck) passedOver(at problem.Place) bool {
	for _, file := range c.project.Secrets.Files {
		if file.Path == at.File && slices.ContainsFunc(file.Ignored, func(p kamal.PassedOver) bool { return p.Line == at.Line+1 && c.needed(p) }) {
			return true
		}
	}
	return false
}

// needed tells whether something that is used lacks what dotenv passes over: the rest
// of its value, or the only line that names it.
func (c *destinationCheck) needed(line kamal.PassedOver) bool {
	if line.Adds != "" && c.used(line.Adds) {
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
	if level == Warning && !c.perhaps(d.Name) {
		return // it may well be for the op read of another line, or of a hook
	}
	origin := c.origin(d)
	first := &origin.Parts[0]
	switch {
	case first.Kind == kamal.Literal && isReference(first.Text):
		c.find(RuleReference, level, d.Name, problem.New(d.Name+" is a secret reference, and nothing resolves it here: the app gets its text", hint), d.Place)
	case len(origin.Parts) == 1 && first.Kind == kamal.PassThrough && !c.declared(first.Name):
		if isReference(environ.List(c.o.Env).Get(first.Name)) {
			c.find(RuleReference, level, d.Name, problem.New(
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

func isReference(value string) bool {
	value = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(value), "{{")) // as op inject has it
	return strings.HasPrefix(value, "op://")
}
