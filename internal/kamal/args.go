package kamal

import (
	"slices"
	"strings"
)

// ArgOptions are the options of a run that Kamal takes as flags. Empty ones are
// left away.
type ArgOptions struct {
	Destination string
	ConfigFile  string
	Version     string   // of the app
	Hosts       []string // may hold Kamal's wildcards
	Roles       []string
	SkipPush    bool
	Extra       []string // after everything else, as the user wrote them
}

// Args is the argument list of a Kamal command, without Kamal's own path:
// deploy, setup, redeploy, or rollback with the version as its argument. Of a
// rollback o.Version is that argument.
func Args(command string, o ArgOptions) []string {
	args := []string{command}
	if command == "rollback" {
		if o.Version != "" {
			args = append(args, o.Version)
		}
		o.Version = ""
	}
	return append(append(args, o.flags()...), o.Extra...)
}

func (o ArgOptions) flags() []string {
	var flags []string
	add := func(name, value string) {
		if value != "" {
			// One argument, so that a value that starts with a dash stays a value.
			flags = append(flags, name+"="+value)
		}
	}
	add("--destination", o.Destination)
	add("--config-file", o.ConfigFile)
	add("--version", o.Version)
	add("--hosts", strings.Join(o.Hosts, ","))
	add("--roles", strings.Join(o.Roles, ","))
	if o.SkipPush {
		flags = append(flags, "--skip-push")
	}
	return flags
}

// An Option is one of Kamal's that stands among arguments.
type Option struct {
	Name string // --skip-push
	Text string // the argument that it stands in: -qP
	Off  bool   // --no-skip-push, --skip-push=false
}

// Options are the options among the arguments that somebody wrote for Kamal, in all
// spellings that Thor takes: --skip_push, --no-skip-push, -d=x, -dx, -qP. What follows an
// option as its value looks like none; where it does, Thor takes it for the next option.
func Options(args []string) (options []Option) {
	for _, arg := range args {
		for line := range strings.SplitSeq(arg, "\n") { // an option may begin in any line
			name, value, _ := strings.Cut(line, "=")
			off := slices.Contains([]string{"false", "FALSE", "f", "F"}, value)
			switch {
			case strings.HasPrefix(name, "--"):
				name, no := longOption(name)
				options = append(options, Option{Name: name, Text: arg, Off: off || no})
			case strings.HasPrefix(name, "-"):
				letters := name[1:]
				if end := strings.IndexFunc(letters, func(r rune) bool { return r|0x20 < 'a' || r|0x20 > 'z' }); end >= 0 {
					letters = letters[:end] // -d1
				}
				for _, letter := range letters {
					options = append(options, Option{Name: shortOption(letter), Text: arg, Off: off})
				}
			}
		}
	}
	return options
}

// DeclaredVersion is the version that Kamal is told to take, by its arguments or by
// VERSION in its environment. "" is the commit that is checked out.
func DeclaredVersion(args []string, environment map[string]string) string {
	version := environment["VERSION"]
	for n, arg := range args {
		name, value, given := strings.Cut(arg, "=")
		long, no := longOption(name)
		switch {
		case n == 1 && args[0] == "rollback" && !strings.HasPrefix(arg, "-"):
			return arg // whatever else is said
		case long == "--version" && !no && given:
			version = value
		case long == "--version" && !no && n+1 < len(args) && !strings.HasPrefix(args[n+1], "-"):
			version = args[n+1]
		case slices.ContainsFunc(Options([]string{arg}), func(o Option) bool { return o.Name == "--version" }):
			version = arg // Thor makes something of it that is no commit
		}
	}
	return version
}

// longOption is an option as Kamal has it, and whether it is written as its contrary.
// Thor takes --skip- for --no-, where there is no such option by itself.
func longOption(name string) (long string, no bool) {
	long = strings.ReplaceAll(name, "_", "-")
	if long == "--skip-push" || long == "--skip-hooks" {
		return long, false
	}
	for _, prefix := range []string{"--no-", "--skip-"} {
		if rest, ok := strings.CutPrefix(long, prefix); ok && long != "--no-cache" {
			return "--" + rest, true
		}
	}
	return long, false
}

// shortOption is the option that Kamal's deploy has for a letter.
func shortOption(letter rune) string {
	switch letter {
	case 'c':
		return "--config-file"
	case 'd':
		return "--destination"
	case 'h':
		return "--hosts"
	case 'H':
		return "--skip-hooks"
	case 'p':
		return "--primary"
	case 'P':
		return "--skip-push"
	case 'q':
		return "--quiet"
	case 'r':
		return "--roles"
	case 'v':
		return "--verbose"
	}
	return "-" + string(letter)
}
