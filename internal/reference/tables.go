package reference

import (
	"fmt"
	"slices"
	"strings"
)

// tables are docs/reference.md below its introduction: the options of a deploy, which
// most commands share, then each command with what it has beside them.
func tables(g Grammar) string {
	var b strings.Builder
	deploy := g.shared()
	b.WriteString("\n## Options of a deploy\n\n")
	b.WriteString("`kamal-op deploy`, `setup`, `redeploy`, `rollback`, `kamal` and `review` take them all. Other commands take some of them, and say which.\n\n")
	b.WriteString(table(deploy.Options))
	b.WriteString("\nEvery command takes `--help` and:\n\n" + table(g.Global))
	for _, c := range g.Commands {
		if c.Group {
			continue
		}
		fmt.Fprintf(&b, "\n## kamal-op %s\n\n%s\n\n```\n%s\n```\n", c.Name, c.Help, usage(c))
		if len(c.Arguments) > 0 {
			b.WriteString("\n| argument | what it is |\n|---|---|\n")
			for _, a := range c.Arguments {
				fmt.Fprintf(&b, "| `%s` | %s |\n", a.Name, cell(a.Help))
			}
		}
		var own []Option
		var shared []string
		for _, o := range c.Options {
			if d, ok := deploy.option(o.Name); ok && same(d, o) && d.Help == o.Help {
				shared = append(shared, "`--"+o.Name+"`")
				continue
			}
			own = append(own, o)
		}
		if len(own) > 0 {
			b.WriteString("\n" + table(own))
		}
		switch {
		case c.Name == "deploy":
			b.WriteString("\nAlso all of [those of a deploy](#options-of-a-deploy).\n")
		case len(shared) == len(deploy.Options):
			b.WriteString("\nAlso all options of a deploy.\n")
		case len(shared) > 0:
			b.WriteString("\nAlso, of a deploy's: " + strings.Join(shared, ", ") + ".\n")
		}
	}
	return b.String()
}

// shared is a deploy with the options that every command of the main job takes.
func (g Grammar) shared() Command {
	deploy, other := g.command("deploy"), g.command("kamal")
	if other.Name == "" {
		return deploy
	}
	deploy.Options = slices.DeleteFunc(slices.Clone(deploy.Options), func(o Option) bool {
		same, ok := other.option(o.Name)
		return !ok || same.Kind != o.Kind
	})
	return deploy
}

// reviewTable is the table of what review apps take beside a deploy's options.
func reviewTable(g Grammar) string {
	deploy := g.shared()
	var own []Option
	for _, o := range g.command("review deploy").Options {
		if _, ok := deploy.option(o.Name); !ok {
			own = append(own, o)
		}
	}
	return "\n" + table(own) + "\n"
}

func table(options []Option) string {
	var b strings.Builder
	b.WriteString("| option | what it is |\n|---|---|\n")
	for _, o := range options {
		name := "`" + strings.ReplaceAll(o.flag(), "|", `\|`) + "`"
		if o.Short != "" {
			name = "`-" + o.Short + "`, " + name
		}
		text := cell(strings.TrimSuffix(o.Help, " Repeatable."))
		if o.Kind == List {
			text += " Repeatable."
		}
		if o.Note != "" {
			text += " " + cell(o.Note)
		}
		if len(o.Enum) > 0 {
			text += " One of " + cell(o.values()) + "."
		} else if o.Default != "" {
			text += " Default `" + cell(o.Default) + "`."
		}
		if o.Input != "" {
			text += " As an input `" + o.Input + "`."
		}
		switch o.File {
		case "yes":
			text += " May stand in [the project file](project-file.md)."
		case "confirmed":
			text += " May stand in [the project file](project-file.md), and counts from there with `--trust-project-file` only."
		}
		fmt.Fprintf(&b, "| %s | %s |\n", name, text)
	}
	return b.String()
}

// cell is a text as a cell of a table has it.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`).Replace(text)
}

// usage is a command with its arguments.
func usage(c Command) string {
	words := []string{"kamal-op", c.Name}
	if c.Usage != "" {
		return strings.Join(append(words, c.Usage, "[flags]"), " ")
	}
	for _, a := range c.Arguments {
		word := strings.ToUpper(a.Name)
		if a.Repeats {
			word += "…"
		}
		if a.Optional {
			word = "[" + word + "]"
		}
		words = append(words, word)
	}
	return strings.Join(append(words, "[flags]"), " ")
}
