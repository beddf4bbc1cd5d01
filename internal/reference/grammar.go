// Package reference writes what follows from the declarations of the options: the
// inputs in action.yml, the tables of the documentation, completion for shells, the
// man page and the schema of the project file. It knows commands and options as data
// alone; package cli hands them in.
package reference

import (
	"slices"
	"strings"
)

// A Grammar is the command line.
type Grammar struct {
	Description string
	Commands    []Command // those that are shown, in order; one of a group has its whole path
	Global      []Option  // what every command takes
	Inputs      []Input   // of the action, that are no options
	TestedKamal string    // the Kamal that the native form installs where it is told no other
}

// A Command is one that can be given.
type Command struct {
	Name      string // with its group: "review deploy"
	Usage     string // its arguments in its line of usage; "" says them by themselves
	Help      string
	Group     bool // it has commands and does nothing itself
	Arguments []Argument
	Options   []Option
	Action    bool // the action's input command may say it
}

// An Argument is what stands behind a command without a dash.
type Argument struct {
	Name     string
	Help     string
	Optional bool
	Repeats  bool
	Enum     []string
	Complete string
}

// Kind is what an option takes.
type Kind int

// The kinds of options.
const (
	Text Kind = iota
	Switch
	List // may be repeated
	Number
	Duration
	Selection // a switch that may name what it is for
)

// An Option is one flag of a command.
type Option struct {
	Name     string
	Input    string // its name as an input, where it is another
	Short    string
	Kind     Kind
	Noun     string // of its value
	Help     string
	Note     string // what more there is to say of it, in the documentation
	Default  string // of the flag
	Given    string // what action.yml gives where the workflow says nothing
	Enum     []string
	Complete string // what completes its value: destination, host, file …
	File     string // whether it may stand in the project file: "", yes, confirmed
}

// An Input is one of the action's that is no option.
type Input struct {
	Name, Description, Default string
}

// Environment is the environment variable of an option.
func (o Option) Environment() string {
	return "KAMAL_OP_" + strings.ToUpper(strings.ReplaceAll(o.Name, "-", "_"))
}

// InputName is its name as an input of the action.
func (o Option) InputName() string {
	if o.Input != "" {
		return o.Input
	}
	return o.Name
}

// flag is an option as it is written on a command line.
func (o Option) flag() string {
	switch {
	case o.Kind == Switch || o.Noun == "":
		return "--" + o.Name
	case o.Kind == Selection:
		return "--" + o.Name + "[=" + o.Noun + "]"
	}
	return "--" + o.Name + "=" + o.Noun
}

// values are what an option of few values takes, the default first told as such.
func (o Option) values() string {
	var all []string
	for _, v := range o.Enum {
		if v == o.Default {
			v += " (default)"
		}
		all = append(all, v)
	}
	return strings.Join(all, ", ")
}

// command is the command of this name.
func (g Grammar) command(name string) Command {
	if i := slices.IndexFunc(g.Commands, func(c Command) bool { return c.Name == name }); i >= 0 {
		return g.Commands[i]
	}
	return Command{}
}

// option is a command's option of this name.
func (c Command) option(name string) (Option, bool) {
	if i := slices.IndexFunc(c.Options, func(o Option) bool { return o.Name == name }); i >= 0 {
		return c.Options[i], true
	}
	return Option{}, false
}

// same tells whether two options are one declaration's, whatever their commands say
// of it in their own words.
func same(a, b Option) bool {
	return a.Name == b.Name && a.Short == b.Short && a.Kind == b.Kind && slices.Equal(a.Enum, b.Enum)
}
