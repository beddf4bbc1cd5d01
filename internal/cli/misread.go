package cli

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A misreading is what kong says of a line, and what we say in its place: kong speaks
// to who wrote the program, of bits, tokens and enums.
type misreading struct {
	theirs        func() *regexp.Regexp
	message, hint string // with $1 for what the pattern has found
}

const withUnit = "write a number and its unit, such as 30s, 15m or 2h"

// misreadings are those of values. The first one that fits holds.
func misreadings() []misreading {
	return []misreading{
		{noUnit, "$1: $2 has no unit", withUnit},
		{noDuration, `$1: "$2" is no length of time`, withUnit},
		{noNumber, `$1: "$2" is no whole number`, ""},
		{noSwitch, `$1: "$2" is neither true nor false`, ""},
		{noValue, "$1 needs a value", ""},
		{timeIsFlag, "$1 needs a value, and $2 reads as an option", withUnit},
		{numberIsFlag, "$1 needs a value, and $2 reads as an option", "write a whole number"},
		{textIsFlag, "$1 needs a value, and $2 reads as an option", "write it as $1=$2"},
		{emptyChoice, "$1 is empty", "it is one of $2"},
		{noChoice, `$1: "$3" is none of $2`, ""},
		{noChoiceArgument, `the $1 is one of $2, and not "$3"`, ""},
		{missingArgument, "$1 is missing", ""},
	}
}

var (
	noUnit           = lazy.Regexp(`^(--[\w-]+): expected duration but got "(.*)": time: missing unit`)
	noDuration       = lazy.Regexp(`^(--[\w-]+): expected duration but got "(.*?)"(?:: time: .*)?$`)
	noNumber         = lazy.Regexp(`^(--[\w-]+|<[\w-]+>): expected (?:an int|a valid \d+ bit int) but got "(.*?)"`)
	noSwitch         = lazy.Regexp(`^(--[\w-]+): (?:bool value must be .*|expected bool) but got "(.*?)"`)
	noValue          = lazy.Regexp(`^(--[\w-]+): expected \S+ value but got "EOL"`)
	timeIsFlag       = lazy.Regexp(`^(--[\w-]+): expected duration value but got "(.*?)" \(.*flag.*\); perhaps try`)
	numberIsFlag     = lazy.Regexp(`^(--[\w-]+): expected int value but got "(.*?)" \(.*flag.*\); perhaps try`)
	textIsFlag       = lazy.Regexp(`^(--[\w-]+): expected \S+ value but got "(.*?)" \(.*flag.*\); perhaps try`)
	emptyChoice      = lazy.Regexp(`^(--[\w-]+) must be one of (.*) but got ""$`)
	noChoice         = lazy.Regexp(`^(--[\w-]+) must be one of (.*) but got "(.*)"$`)
	noChoiceArgument = lazy.Regexp(`^\[?<([\w-]+)>\]? must be one of (.*) but got "(.*)"$`)
	missingArgument  = lazy.Regexp(`^expected "(<[\w-]+>)`)
	oneCommand       = lazy.Regexp(`^expected "[\w-]+`)
	strangeFlag      = lazy.Regexp(`^unknown flag (\S+?)(?:, did you mean .*)?$`)
	strangeArgument  = lazy.Regexp(`(?s)^unexpected argument (.*?)(?:, did you mean .*)?$`)
	quotedChoice     = lazy.Regexp(`"[\w-]+"(?:,"[\w-]+")+`)
	oneWord          = lazy.Regexp(`^[A-Za-z0-9_-]+$`)
)

// usage makes kong's error a problem of usage, with how the command is used.
func (a *app) usage(parser *kong.Kong, err error, args []string) error {
	node, message := parser.Model.Node, err.Error()
	name := parser.Model.Name
	p := problem.Usagef(name+" help lists the commands", "%s", message)
	p.Details = []string{"usage: " + name + parser.Model.Summary()}
	var parsing *kong.ParseError
	if errors.As(err, &parsing) {
		a.flags = parsing.Context.Flags()
		if selected := parsing.Context.Selected(); selected != nil {
			node = selected
			p.Details = []string{"usage: " + name + " " + summary(node)}
			p.Hint = name + " help " + commandPath(node) + " lists what there is"
			message = strings.TrimPrefix(message, commandPath(node)+": ") // of our own Validate
		}
	}
	if a.dashes {
		args = slices.Concat(args, []string{"--"}, a.rest)
	}
	if said, hint, ok := misread(node, message, args); ok {
		if strings.HasPrefix(hint, "did you mean") {
			hint += " " + p.Hint
		}
		p.Message, p.Hint = said, cmp.Or(hint, p.Hint)
	} else if !strings.HasSuffix(message, "...") {
		p.Message = strings.TrimSuffix(message, ".")
	}
	return p
}

// misread is kong's message in our words. What a hint adds, "" where it is nothing.
func misread(node *kong.Node, message string, args []string) (said, hint string, ok bool) {
	if m := strangeFlag().FindStringSubmatch(message); m != nil {
		return "unknown flag " + m[1], flagHint(node, m[1]), true
	}
	if m := strangeArgument().FindStringSubmatch(message); m != nil {
		said, hint = strangeWord(node, m[1], args)
		return said, hint, true
	}
	if commands := commandsOf(node); (strings.HasPrefix(message, "expected one of ") || oneCommand().MatchString(message)) && len(commands) > 0 {
		return commandPath(node) + " needs one of its commands: " + strings.Join(commands, ", "), "", true
	}
	for _, m := range misreadings() {
		at := m.theirs().FindStringSubmatchIndex(message)
		if at == nil {
			continue
		}
		expand := func(text string) string { return string(m.theirs().ExpandString(nil, text, message, at)) }
		said, hint = expand(m.message), expand(m.hint)
		if _, value, ok := strings.Cut(hint, "=-"); ok && isFlag(node, "-"+value) {
			hint = "" // it is meant as the option that it is
		}
		if strings.Contains(message, " must be one of ") {
			said, hint = choices(said), choices(hint)
		}
		return said, hint, true
	}
	return "", "", false
}

// choices are kong's "a","b" as a list.
func choices(text string) string {
	return quotedChoice().ReplaceAllStringFunc(text, func(list string) string {
		return strings.ReplaceAll(strings.ReplaceAll(list, `","`, ", "), `"`, "")
	})
}

// commandsOf are the names of a command's own commands.
func commandsOf(node *kong.Node) (names []string) {
	for _, child := range node.Children {
		if !child.Hidden {
			names = append(names, child.Name)
		}
	}
	return names
}

// takesKamals are the commands that hand to Kamal what stands behind --.
var takesKamals = []string{"deploy", "setup", "redeploy", "rollback"}

// behindDashes refuses what stands behind -- of a command that would not read it.
func (a *app) behindDashes(command string) error {
	command, _, _ = strings.Cut(command, " ")
	if len(a.rest) == 0 || slices.Contains(takesKamals, command) || slices.Contains([]string{"kamal", "run", "complete", "rotate", "promote", "review"}, command) {
		return nil
	}
	return problem.Usagef("leave the -- away: options and arguments of "+command+" stand before it", "%s takes nothing behind --", command)
}

// flagHint is what may be meant by a flag that a command does not have, "" where
// nothing is like it. One letter is like every other, so a letter is none's slip.
func flagHint(node *kong.Node, flag string) string {
	for _, o := range kamal.Options([]string{flag}) {
		known := slices.Contains([]string{"--skip-push", "--skip-hooks", "--primary", "--no-cache", "--quiet", "--verbose"}, o.Name)
		if known && slices.Contains(takesKamals, commandPath(node)) {
			return fmt.Sprintf("Kamal's own options stand behind --: kamal-op %s -- %s", commandPath(node), flag)
		}
	}
	if node.Type == kong.ApplicationNode {
		if hint := misplacedHint(node, flag); hint != "" {
			return hint
		}
	}
	if !strings.HasPrefix(flag, "--") {
		return ""
	}
	switch name, _, _ := strings.Cut(flag, "="); { // the two ways to ask for JSON
	case name == "--json" && isFlag(node, "--format"):
		return "give --format json"
	case name == "--format" && isFlag(node, "--json"):
		return "give --json"
	}
	var begin, names []string
	for _, f := range allFlags(node) {
		if names = append(names, f); strings.HasPrefix(f, flag) {
			begin = append(begin, f)
		}
	}
	near := check.Nearest(flag, names)
	if near == "" && len(begin) > 0 {
		near = strings.Join(begin, " or ")
	}
	if near == "" {
		return ""
	}
	return "did you mean " + near + "?"
}

// misplacedHint is what may be meant by a flag before any command.
func misplacedHint(node *kong.Node, flag string) string {
	if flag == "-v" || flag == "-V" {
		return "kamal-op version tells the version"
	}
	name, _, _ := strings.Cut(flag, "=")
	if slices.ContainsFunc(node.Children, func(command *kong.Node) bool { return isFlag(command, name) }) {
		return "options stand behind the command: kamal-op COMMAND " + name
	}
	return ""
}

// allFlags are the flags of a command and of what it stands in.
func allFlags(node *kong.Node) (names []string) {
	for _, group := range node.AllFlags(true) {
		for _, f := range group {
			names = append(names, "--"+f.Name)
		}
	}
	return names
}

// isFlag tells whether a word is a flag of a command, or of what it stands in.
func isFlag(node *kong.Node, word string) bool {
	for _, group := range node.AllFlags(true) {
		for _, f := range group {
			if word == "--"+f.Name || f.Short != 0 && word == "-"+string(f.Short) {
				return true
			}
		}
	}
	return false
}

// strangeWord is what to say of a word that stands where none may: a command that there
// is not, or an argument that a command does not take.
func strangeWord(node *kong.Node, word string, args []string) (said, hint string) {
	commands := commandsOf(node)
	if len(commands) == 0 && !slices.Contains(args, "--help") {
		return strangeArgumentOf(node, word, args)
	}
	if node.Type == kong.ApplicationNode {
		said, hint = "there is no command "+word, "kamal-op help lists the commands"
		switch {
		case slices.Contains(kamalCommands, word):
			return said, "it is Kamal's: kamal-op kamal -- " + fromWord(word, args)
		case slices.Contains([]string{"exec", "logs"}, word):
			return said, "it is Kamal's: kamal-op kamal -- app " + fromWord(word, args)
		case word == "unfreeze": // freeze is like it, and the contrary
			return said, "did you mean thaw?"
		case word == "unlock":
			return said, "a deploy lock is released with kamal-op kamal -- lock release, a freeze ended with kamal-op thaw"
		}
	} else {
		said = commandPath(node) + " has no command " + word
	}
	if near := check.Nearest(word, commands); near != "" {
		hint = "did you mean " + near + "?"
	}
	return said, hint
}

// strangeArgumentOf is what to say of an argument that a command does not take.
func strangeArgumentOf(node *kong.Node, word string, args []string) (said, hint string) {
	command := commandPath(node)
	if len(node.Positional) > 0 {
		return command + " takes no further argument: " + word, ""
	}
	given := slices.ContainsFunc(args, func(arg string) bool {
		return strings.HasPrefix(arg, "-d") || arg == "--destination" || strings.HasPrefix(arg, "--destination=")
	})
	switch {
	case word == "help":
		hint = "kamal-op help " + command + " lists what there is"
	case !given && isFlag(node, "--destination") && oneWord().MatchString(word):
		hint = "a destination is given with -d: kamal-op " + command + " -d " + word
	}
	return command + " takes no argument: " + word, hint
}

// fromWord is a command line from one of its words on, as a shell takes it.
func fromWord(word string, args []string) string {
	at := slices.Index(args, word)
	if at < 0 {
		return word
	}
	var words []string
	for _, arg := range args[at:] {
		words = append(words, kamal.ShellWord(arg))
	}
	return strings.Join(words, " ")
}

// kamalCommands are commands of Kamal's that are none of ours.
var kamalCommands = []string{"accessory", "app", "audit", "build", "details", "docs", "lock", "proxy", "prune", "registry", "secrets", "server", "upgrade"}

// commandPath is a command's name with that of its group.
func commandPath(n *kong.Node) string {
	if n.Parent != nil && n.Parent.Type == kong.CommandNode {
		return commandPath(n.Parent) + " " + n.Name
	}
	return n.Name
}
