package kamal

import "strings"

// ArgOptions are the options of a run that Kamal takes as flags. Empty ones are
// left away.
type ArgOptions struct {
	Destination string
	ConfigFile  string
	Version     string   // of the app
	Hosts       []string // may hold Kamal's wildcards
	Roles       []string
	SkipPush    bool
	SkipHooks   bool
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
	if o.SkipHooks {
		flags = append(flags, "--skip-hooks")
	}
	return flags
}
