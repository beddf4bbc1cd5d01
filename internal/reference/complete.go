package reference

import (
	"slices"
	"strings"
)

// A Suggestion is what the last word of a command line can become.
type Suggestion struct {
	Text string
	Help string
}

// The suggestions that leave the word to the shell, which knows the files.
const (
	files       = ":files"
	directories = ":directories"
)

// Line is a suggestion as a shell's script reads it.
func (s Suggestion) Line(shell string) string {
	if shell == "bash" || s.Help == "" {
		return s.Text
	}
	help, _, _ := strings.Cut(s.Help, ". ")
	return s.Text + "\t" + strings.TrimSuffix(help, ".")
}

// Complete are the suggestions for the last of the words, which stand behind the
// program's name. names gives the project's names of a kind.
func Complete(g Grammar, words []string, names func(kind string) []string) []Suggestion {
	last := words[len(words)-1]
	before := words[:len(words)-1]
	if slices.Contains(before, "--") {
		return []Suggestion{{Text: files}} // another program's arguments
	}
	if len(before) > 0 && before[0] == "help" {
		of, _ := g.at(before[1:])
		return matching(g.below(of), last)
	}
	c, arguments := g.at(before)
	options := slices.Concat(c.Options, g.Global)
	find := func(word string) (Option, bool) {
		i := slices.IndexFunc(options, func(o Option) bool {
			return word == "--"+o.Name || o.Short != "" && word == "-"+o.Short
		})
		if i < 0 || options[i].Kind == Switch {
			return Option{}, false
		}
		return options[i], true
	}
	if flag, value, found := strings.Cut(last, "="); found && strings.HasPrefix(flag, "--") {
		if o, ok := find(flag); ok {
			return values(o, value, flag+"=", names)
		}
		return nil
	}
	if len(before) > 0 {
		if o, ok := find(before[len(before)-1]); ok && o.Kind != Selection {
			return values(o, last, "", names)
		}
	}
	if strings.HasPrefix(last, "-") {
		var all []Suggestion
		for _, o := range options {
			all = append(all, Suggestion{"--" + o.Name, o.Help})
		}
		return matching(append(all, Suggestion{"--help", "Show the help of the command."}), last)
	}
	all := g.below(c)
	if len(c.Arguments) > 0 {
		a := c.Arguments[min(arguments, len(c.Arguments)-1)]
		switch {
		case arguments >= len(c.Arguments) && !a.Repeats:
		case len(a.Enum) > 0:
			for _, v := range a.Enum {
				all = append(all, Suggestion{Text: v})
			}
		default:
			return values(Option{Complete: a.Complete}, last, "", names)
		}
	}
	return matching(all, last)
}

// below are the commands of a group, or those that begin a command line.
func (g Grammar) below(c Command) (all []Suggestion) {
	for _, sub := range g.Commands {
		if group, name, nested := strings.Cut(sub.Name, " "); nested && group == c.Name {
			all = append(all, Suggestion{name, sub.Help})
		} else if !nested && c.Name == "" {
			all = append(all, Suggestion{sub.Name, sub.Help})
		}
	}
	return all
}

// at is the command that words lead to, and how many arguments of its stand there.
func (g Grammar) at(words []string) (c Command, arguments int) {
	for i := 0; i < len(words); i++ {
		word := words[i]
		if strings.HasPrefix(word, "-") {
			o, ok := c.option(strings.TrimPrefix(word, "--"))
			if !ok {
				if n := slices.IndexFunc(c.Options, func(o Option) bool { return o.Short != "" && word == "-"+o.Short }); n >= 0 {
					o, ok = c.Options[n], true
				}
			}
			if ok && o.Kind != Switch && o.Kind != Selection {
				i++ // its value
			}
			continue
		}
		next := g.command(strings.TrimSpace(c.Name + " " + word))
		if next.Name == "" {
			arguments++
			continue
		}
		c = next
	}
	return c, arguments
}

// values are the suggestions for an option's value. In a list that commas separate the
// last name is completed.
func values(o Option, word, prefix string, names func(string) []string) []Suggestion {
	switch o.Complete {
	case "file":
		return []Suggestion{{Text: files}}
	case "directory":
		return []Suggestion{{Text: directories}}
	case "host", "role":
		if i := strings.LastIndexByte(word, ','); i >= 0 {
			prefix, word = prefix+word[:i+1], word[i+1:]
		}
	}
	list := o.Enum
	if o.Complete != "" {
		list = names(o.Complete)
	}
	var all []Suggestion
	for _, name := range list {
		if strings.HasPrefix(name, word) {
			all = append(all, Suggestion{Text: prefix + name})
		}
	}
	return all
}

func matching(all []Suggestion, word string) []Suggestion {
	return slices.DeleteFunc(all, func(s Suggestion) bool { return !strings.HasPrefix(s.Text, word) })
}

// Rejoined are bash's words as they were typed: it takes --hosts=a apart at the =, and
// what has a colon at that.
func Rejoined(words []string) []string {
	var out []string
	glue := false
	for i, word := range words {
		separator := word != "" && strings.Trim(word, "=:") == ""
		if len(out) > 0 && (glue || separator) && (separator || i > 0) {
			out[len(out)-1] += word
		} else {
			out = append(out, word)
		}
		glue = separator
	}
	return out
}

// BashPart is the part of a suggestion that takes the place of bash's own last word.
func BashPart(words []string, suggestion string) string {
	whole := Rejoined(words)
	last, word := whole[len(whole)-1], words[len(words)-1]
	if strings.Trim(word, "=:") == "" {
		word = "" // bash puts the value behind it
	}
	cut := len(last) - len(word)
	if cut > 0 && cut <= len(suggestion) && strings.HasPrefix(suggestion, last[:cut]) {
		return suggestion[cut:]
	}
	return suggestion
}
