package sshname

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// scp and sftp start the ssh that they were built with, by its path, unless they
// are told of another.

const (
	scpFlags  = "DFJMPSXcilo"
	sftpFlags = "BDFJPRSXbcilos"
)

func (c *call) scp() error  { return c.copier(scpFlags) }
func (c *call) sftp() error { return c.copier(sftpFlags) }

func (c *call) copier(flags string) error {
	line := parseLine(c.args, flags)
	args := line.replace('S', c.byName)
	c.args = append([]string{"-S", c.ourSSH()}, args...)
	return nil
}

const rsyncFlags = "@BMTef"

// rsync starts ssh by its name, unless it is told otherwise: by -e, --rsh or
// RSYNC_RSH. Its options may stand anywhere.
func (c *call) rsync() error {
	l := commandLine{args: c.args}
	for i := 0; i < len(c.args) && c.args[i] != "--"; {
		switch word := c.args[i]; {
		case word == "--rsh" && i+1 < len(c.args):
			l.found = append(l.found, flag{'e', i + 1, 0})
			i += 2
		case strings.HasPrefix(word, "--rsh="):
			l.found = append(l.found, flag{'e', i, len("--rsh=")})
			i++
		case len(word) > 1 && word[0] == '-' && word[1] != '-':
			i = l.word(i, rsyncFlags)
		default:
			i++
		}
	}
	c.args = l.replace('e', c.byName)
	c.rename("RSYNC_RSH")
	return c.noAlias()
}

// noAlias refuses an ssh by its path in the files of popt, by which an option of
// rsync's stands for others: nothing has rsync leave them unread.
func (c *call) noAlias() error {
	files, _ := filepath.Glob("/etc/popt.d/*") // a pattern that is one
	for _, file := range append(files, "/etc/popt", filepath.Join(c.env.Get("HOME"), ".popt")) {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // rsync cannot read it either
		}
		for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", " ")) {
			if f := strings.Fields(line); len(f) == 0 || f[0] != "rsync" {
				continue
			}
			if path := ByPath(line); path != "" {
				return fmt.Errorf("an alias of rsync's in %s starts %s by its path, and so not with the host keys of this run: write ssh in its place", file, path)
			}
		}
	}
	return nil
}

// git takes its ssh from GIT_SSH_COMMAND, core.sshCommand, GIT_SSH, in this order.
// The first is always given: what a configuration says that is not there yet, as
// that of the repository which a clone makes, does not count then, nor what one
// says to a git that git itself starts.
func (c *call) git() error {
	from, command := c.gitSSH()
	held, err := c.guarded(command)
	if err != nil {
		// Not every git connects: who does is told.
		held = "echo " + quoted(fmt.Sprintf("git (of kamal-op): %s cannot be held to the host keys of this run, since %v: write ssh and its arguments, as in ssh -i /path/to/key", from, err)) + " >&2; exit 255; :"
		c.set("GIT_SSH_VARIANT", sshProgram) // else git would ask it which kind of ssh it is
	}
	c.set(gitCommand, held)
	return nil
}

// gitSSH is the command that git would start by what can be seen, and where it is
// from.
func (c *call) gitSSH() (from, command string) {
	if command := c.env.Get(gitCommand); command != "" {
		return gitCommand, command
	}
	global := gitGlobal(c.args)
	asked := global
	if command := cloned(c.args[len(global):]); command != "" {
		// Before the files, and behind what -c says of this call.
		asked = append([]string{"-c", "core.sshCommand=" + command}, global...)
	}
	if command := c.gitSetting(asked); command != "" {
		return "core.sshCommand", command
	}
	if program := c.env.Get("GIT_SSH"); program != "" {
		return "GIT_SSH", shellWord(program) // git starts it without a shell
	}
	return sshProgram, shellWord(c.ourSSH())
}

// gitSetting is core.sshCommand as git has it with these options.
func (c *call) gitSetting(options []string) string {
	cmd := exec.CommandContext(context.Background(), c.names.program, append(options, "config", "--get", "core.sshCommand")...)
	cmd.Env = c.env
	// No such setting, no repository, a broken file: git itself will say so.
	set, _ := cmd.Output()
	return strings.TrimSuffix(string(set), "\n")
}

// A setting for the repository that `git clone` makes: -c, --config or the beginning
// of that, in the same word or before it. git reads names without regard to case.
var clonedCommand = lazy.Regexp(`(?is)^(?:-[a-z0-9]*c|--conf?i?g?=)?core\.sshcommand=(.*)$`)

// cloned is the core.sshCommand that a clone is given for its repository, which is
// not there yet to be asked; the last counts.
func cloned(args []string) (command string) {
	if len(args) == 0 || args[0] != "clone" {
		return ""
	}
	for _, arg := range args {
		if found := clonedCommand().FindStringSubmatch(arg); found != nil {
			command = found[1]
		}
	}
	return command
}

const gitCommand = "GIT_SSH_COMMAND"

// gitGlobal are the arguments before git's command.
func gitGlobal(args []string) []string {
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "-C", "-c", "--git-dir", "--work-tree", "--namespace", "--super-prefix", "--config-env", "--attr-source":
			i++
		default:
			if !strings.HasPrefix(args[i], "-") {
				return args[:i:i]
			}
		}
	}
	return nil // only options: git prints something of its own
}

// A path in a command, quoted or not.
var commandWord = lazy.Regexp(`(^|[\s"'=;|&(])([^\s"'=;|&()/]*/[^\s"';|&()]*)`)

// byName is a command of a program that starts no shell for it, in which every ssh
// that is named by its path is called by its name. Its arguments stay.
func (c *call) byName(command string) string {
	ssh := c.ourSSH()
	return commandWord().ReplaceAllStringFunc(command, func(found string) string {
		at := commandWord().FindStringSubmatchIndex(found)[4]
		if !isSSH(found[at:]) {
			return found
		}
		return found[:at] + ssh
	})
}

// ByPath is the first ssh that a command for a shell names by its path, wherever in
// it: in a command of another shell, in $(…) or behind ${NAME:-. "" is none.
func ByPath(command string) string {
	unquoted := strings.NewReplacer(`\`, "", `"`, "", `'`, "").Replace(command)
	for _, text := range []string{command, unquoted} {
		for i := range len(text) {
			if text[i] != '/' {
				continue
			}
			path, end := text[i:], strings.IndexAny(text[i:], "\t\n \"';|&()<>{}`$")
			if end >= 0 {
				path = path[:end]
			}
			if isSSH(path) {
				return path
			}
		}
	}
	return ""
}

// isSSH reports whether a path is an ssh that is not ours.
func isSSH(path string) bool {
	info, err := os.Stat(path)
	if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
		return false
	}
	if self, err := os.Executable(); err == nil {
		if me, err := os.Stat(self); err == nil && os.SameFile(me, info) {
			return false
		}
	}
	resolved, err := filepath.EvalSymlinks(path)
	return filepath.Base(path) == sshProgram || err == nil && filepath.Base(resolved) == sshProgram
}
