package sshname

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/kamal-op/kamal-op/internal/environ"
)

const sshProgram = "ssh"

// failed is the status that ssh has for its own errors.
const failed = 255

// A call is a program called by one of our names, until it is executed.
type call struct {
	settings settings
	names    namePaths
	args     []string // without the program's name
	env      environ.List
}

// programs are the names, with what each does to a call.
func programs() map[string]func(*call) error {
	return map[string]func(*call) error{
		sshProgram: (*call).ssh,
		"scp":      (*call).scp,
		"sftp":     (*call).sftp,
		"rsync":    (*call).rsync,
		"git":      (*call).git,
	}
}

// Main takes the place of this process by the real program. args are without the
// program's name. It returns only where that fails.
func Main(name string, args, env []string, stderr io.Writer) int {
	err := run(name, args, env)
	var exit *exitError
	if errors.As(err, &exit) { // ssh has said what is wrong
		_, _ = stderr.Write(exit.stderr) // where nobody reads, the status still tells
		return exit.status
	}
	// Where nobody reads, the status still tells.
	_, _ = fmt.Fprintf(stderr, "%s (of kamal-op): %v\n", filepath.Base(name), err)
	return failed
}

func run(name string, args, env []string) error {
	n, err := findNames(name, env)
	if err != nil {
		return err
	}
	c := &call{names: n, args: args, env: env}
	if c.settings, err = readSettings(filepath.Dir(n.ours)); err != nil {
		return errors.New("the run that it belongs to is over")
	}
	if err := programs()[filepath.Base(name)](c); err != nil {
		return err
	}
	return syscall.Exec(n.program, append([]string{n.again}, c.args...), c.env)
}

// namePaths is where a name of ours stands, and what it stands for.
type namePaths struct {
	ours    string // this name's path
	program string // the real program: the next on PATH that is not this one

	// again is what the real one is to be called by. For a jump host (-J) ssh
	// starts itself by that name, unquoted in a shell's command line, and is to
	// reach this program again.
	again string
}

func findNames(name string, env []string) (n namePaths, err error) {
	self, err := os.Executable()
	if err != nil {
		return n, fmt.Errorf("finding this program: %w", err)
	}
	me, err := os.Stat(self)
	if err != nil {
		return n, fmt.Errorf("finding this program: %w", err)
	}
	base := filepath.Base(name)
	if strings.Contains(name, "/") {
		if n.ours, err = filepath.Abs(name); err != nil {
			return n, err
		}
		n.again = n.ours
	}
	for _, dir := range places(environ.List(env).Get("PATH")) {
		path := filepath.Join(dir, base)
		if !isProgram(path) {
			continue
		}
		if info, err := os.Stat(path); err != nil || !os.SameFile(info, me) {
			n.program = path
			break
		}
		n.again = base // on PATH, before the real one
		if n.ours == "" {
			n.ours = path
		}
	}
	switch {
	case n.ours == "":
		return n, errors.New("its own directory is not on PATH")
	case n.program == "":
		return n, errors.New("there is no other " + base + " on PATH")
	}
	return n, nil
}

// places are where programs are looked for.
func places(path string) []string { return append(filepath.SplitList(path), "/usr/bin", "/bin") }

// isProgram reports whether there is something that can be executed by an absolute path.
func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && info.Mode()&0o111 != 0 && filepath.IsAbs(path)
}

// ourSSH is what another program is to call our ssh by.
func (c *call) ourSSH() string {
	if strings.Contains(c.names.again, "/") {
		return filepath.Join(filepath.Dir(c.names.ours), sshProgram)
	}
	return sshProgram
}

// rename lets a variable that holds a command start ssh by its name.
func (c *call) rename(variable string) {
	if command := c.env.Get(variable); command != "" {
		c.set(variable, c.byName(command))
	}
}

// set gives a variable a value, in place of all that it has: of several some
// programs take the first and some the last.
func (c *call) set(variable, value string) {
	c.env = c.env.Without(func(name string) bool { return name == variable }).With(variable, value)
}
