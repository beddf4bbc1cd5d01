package reference

import (
	"fmt"
	"strings"
)

// inputWidth is how wide the descriptions in action.yml are.
const inputWidth = 118

// inputs are the inputs of the action: those that are no options, then each option of
// the action's commands. An option that a deploy takes is described as it is there.
func inputs(g Grammar) string {
	var b strings.Builder
	b.WriteString("  # Made of the options' declarations: make generate.\n")
	for _, in := range g.Inputs {
		writeInput(&b, in.Name, in.Description, in.Default)
	}
	seen := map[string]bool{}
	for _, c := range g.Commands {
		if !c.Action {
			continue
		}
		for _, o := range c.Options {
			if !seen[o.Name] {
				seen[o.Name] = true
				writeInput(&b, o.InputName(), g.inputDescription(o), o.Given)
			}
		}
	}
	return b.String()
}

// inputDescription is what an option says of itself as an input.
func (g Grammar) inputDescription(o Option) string {
	if main, deploys := g.command("deploy").option(o.Name); deploys {
		text := asInput(main)
		for _, c := range g.Commands {
			// Another command's may be another option, that has the name alone in common.
			if own, ok := c.option(o.Name); ok && c.Action && own.Kind != main.Kind {
				name, _, _ := strings.Cut(c.Name, " ")
				return text + " With " + name + ": " + asInput(own)
			}
		}
		return text
	}
	// Commands may say of it what each means by it: each is named.
	var said []string
	commands := map[string][]string{}
	for _, c := range g.Commands {
		if own, ok := c.option(o.Name); ok && c.Action {
			text := asInput(own)
			if commands[text] == nil {
				said = append(said, text)
			}
			name, _, _ := strings.Cut(c.Name, " ")
			commands[text] = append(commands[text], name)
		}
	}
	for i, text := range said {
		said[i] = "With " + strings.Join(commands[text], " and ") + ": " + text
	}
	return strings.Join(said, " ")
}

// asInput is an option's help with the words of an input.
func asInput(o Option) string {
	text := strings.TrimSuffix(o.Help, " Repeatable.")
	if o.Note != "" {
		text += " " + o.Note
	}
	switch {
	case o.Kind == Switch:
		text += " true or false (default)."
	case o.Kind == Selection:
		text += " true, false (default), or names, one a line."
	case o.Kind == List:
		text += " One a line."
	case len(o.Enum) > 0:
		text += " One of " + o.values() + "."
	}
	return text
}

func writeInput(b *strings.Builder, name, description, given string) {
	fmt.Fprintf(b, "  %s:\n    description: >-\n", name)
	for _, line := range wrap(description, inputWidth-6) {
		b.WriteString("      " + line + "\n")
	}
	if given != "" {
		fmt.Fprintf(b, "    default: %s\n", given)
	}
}

// wrap breaks a text into lines of at most so many characters.
func wrap(text string, width int) (lines []string) {
	line, length := "", 0
	for _, word := range strings.Fields(text) {
		n := len([]rune(word))
		if line != "" && length+1+n > width {
			lines, line, length = append(lines, line), "", 0
		}
		if line != "" {
			line, length = line+" ", length+1
		}
		line, length = line+word, length+n
	}
	return append(lines, line)
}
