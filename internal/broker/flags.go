package broker

import (
	"fmt"
	"strings"
)

// Flags of the op CLI that take a value, and those that do not, by the name they
// are kept under. One list serves all commands: a flag means the same in each.
var (
	valueFlags = map[string]string{
		"--vault": "vault", "--fields": "fields", "--format": "format", "--account": "account", "--session": "session",
		"--out-file": "out-file", "-o": "out-file", "--in-file": "in-file", "-i": "in-file", "--file-mode": "file-mode",
		"--env-file": "env-file", "--config": "config", "--encoding": "encoding", "--categories": "categories",
		"--tags": "tags", "--environment": "environment",
	}
	boolFlags = map[string]string{
		"--reveal": "reveal", "--otp": "otp", "--no-newline": "no-newline", "-n": "no-newline", "--force": "force", "-f": "force",
		"--raw": "raw", "--no-masking": "no-masking", "--cache": "cache", "--no-color": "no-color", "--debug": "debug",
		"--iso-timestamps": "iso-timestamps", "--version": "version", "-v": "version", "--help": "help", "-h": "help",
		"--include-archive": "include-archive", "--all": "all", "--long": "long",
	}
	// commonFlags are the flags that every command takes; they change nothing here.
	commonFlags = []string{"account", "session", "cache", "no-color", "debug", "iso-timestamps", "config", "encoding", "format"}
)

// A commandLine is what an `op` command was given.
type commandLine struct {
	words []string          // the command and its arguments
	flags map[string]string // by their long names, without dashes
	rest  []string          // after --
	dash  bool              // there was a --
}

// parseFlags takes a command line apart: flags in any order, --flag value and
// --flag=value.
func parseFlags(args []string) (commandLine, error) {
	c := commandLine{flags: map[string]string{}}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			c.rest, c.dash = args[i+1:], true
			break
		}
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			c.words = append(c.words, arg)
			continue
		}
		name, value, given := strings.Cut(arg, "=")
		if key, ok := boolFlags[name]; ok {
			switch {
			case !given, value == "true", value == "1":
				c.flags[key] = "true"
			case value != "false" && value != "0":
				return c, fmt.Errorf("invalid argument for %q: it is true or false", name)
			}
			continue
		}
		key, ok := valueFlags[name]
		if !ok && len(arg) > 2 && arg[1] != '-' { // -oFILE
			if key, ok = valueFlags[arg[:2]]; ok {
				value, given = strings.TrimPrefix(arg[2:], "="), true
			}
		}
		switch {
		case !ok:
			return c, fmt.Errorf("unknown flag: %s", name)
		case !given && i+1 >= len(args):
			return c, fmt.Errorf("flag needs an argument: %s", name)
		case !given:
			i++
			value = args[i] //nolint:gosec // the case above has seen that there is one
		}
		c.flags[key] = value
	}
	return c, nil
}

// checkFlags names a flag that the command does not take.
func (c commandLine) checkFlags(flags ...string) error {
next:
	for name := range c.flags {
		for _, known := range flags {
			if name == known {
				continue next
			}
		}
		for _, known := range commonFlags {
			if name == known {
				continue next
			}
		}
		return fmt.Errorf("--%s is not supported here", name)
	}
	return nil
}
