package sshname

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
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
	l := line{args: c.args}
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
	return nil
}

// git takes its ssh from GIT_SSH_COMMAND, core.sshCommand, GIT_SSH, in this order.
func (c *call) git() error {
	if c.env.Get(gitCommand) != "" {
		c.rename(gitCommand)
		return nil
	}
	global := gitGlobal(c.args)
	asked := global
	if command := cloned(c.args[len(global):]); command != "" {
		// Before the files, and behind what -c says of this call.
		asked = append([]string{"-c", "core.sshCommand=" + command}, global...)
	}
	if command := c.gitSetting(asked); command != "" {
		// The variable is before every configuration, also that of -c.
		if renamed := c.byName(command); renamed != command {
			c.set(gitCommand, renamed)
		}
		return nil
	}
	c.rename("GIT_SSH")
	return nil
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
var clonedCommand = regexp.MustCompile(`(?is)^(?:-[a-z0-9]*c|--conf?i?g?=)?core\.sshcommand=(.*)$`)

// cloned is the core.sshCommand that a clone is given for its repository, which is
// not there yet to be asked; the last counts.
func cloned(args []string) (command string) {
	if len(args) == 0 || args[0] != "clone" {
		return ""
	}
	for _, arg := range args {
		if found := clonedCommand.FindStringSubmatch(arg); found != nil {
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

// A word of a command, quoted or not.
var commandWord = regexp.MustCompile(`(^|[\s"'=;|&(])(/[^\s"';|&()]*)`)

// byName is a command in which every ssh that is named by its path is called by
// its name. Its arguments stay.
func (c *call) byName(command string) string {
	ssh := c.ourSSH()
	return commandWord.ReplaceAllStringFunc(command, func(found string) string {
		start := strings.IndexByte(found, '/')
		if !isSSH(found[start:]) {
			return found
		}
		return found[:start] + ssh
	})
}

// ByPath is the first ssh that a command names by its path, "" for none.
func ByPath(command string) string {
	for _, found := range commandWord.FindAllStringSubmatch(command, -1) {
		if isSSH(found[2]) {
			return found[2]
		}
	}
	return ""
}

// isSSH says whether a path is an ssh that is not ours.
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
