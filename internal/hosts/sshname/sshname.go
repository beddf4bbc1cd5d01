// Package sshname is the `ssh` that stands first on the PATH of a run's children:
// it executes the real one, with the run's host keys as the only ones.
//
// It is what runs when kamal-op is called under the name ssh. It imports nothing
// of ours and nothing slow.
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

const (
	// Name is the name under which the program is this one.
	Name = "ssh"
	// KnownHosts is the file beside it with the host keys.
	KnownHosts = "known_hosts"
)

// Install makes, in the run's private directory of names, the name ssh for the
// program and the file of host keys beside it.
func Install(dir, program string, knownHosts []byte) error {
	if err := Update(dir, knownHosts); err != nil {
		return err
	}
	if err := os.Symlink(program, filepath.Join(dir, Name)); err != nil {
		return fmt.Errorf("making the name ssh: %w", err)
	}
	return nil
}

// Update puts other host keys in the place of those there: a client that reads
// them meanwhile has the old ones or the new ones.
func Update(dir string, knownHosts []byte) error {
	path := filepath.Join(dir, KnownHosts)
	err := os.WriteFile(path+".new", knownHosts, 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("writing the host keys: %w", err)
	}
	return nil
}

// Options are the arguments that make ssh take the keys in a file, and no others.
// They stand first: of each option ssh takes the first it sees. UpdateHostKeys
// and VerifyHostKeyDNS are ways in which other keys would come in.
func Options(knownHosts string) []string {
	return []string{
		"-o", `UserKnownHostsFile="` + strings.ReplaceAll(knownHosts, "%", "%%") + `"`,
		"-o", "GlobalKnownHostsFile=/dev/null",
		"-o", "StrictHostKeyChecking=yes",
		"-o", "UpdateHostKeys=no",
		"-o", "VerifyHostKeyDNS=no",
	}
}

// Main takes the place of this process by the real ssh. args are without the
// program's name. It returns, with the status that ssh has for its own errors,
// only where that fails.
func Main(name string, args, env []string, stderr io.Writer) int {
	ours, again, program, err := find(name, env)
	if err == nil {
		all := append(append([]string{again}, Options(filepath.Join(filepath.Dir(ours), KnownHosts))...), args...)
		err = syscall.Exec(program, all, env)
	}
	_, _ = fmt.Fprintln(stderr, "ssh (of kamal-op):", err)
	return 255
}

// find is where this name stands, and the next ssh on PATH that is not this
// program. again is what the real one is to be called by: for a jump host (-J) it
// starts itself by that name, unquoted in a shell's command line, and is to reach
// this program again.
func find(name string, env []string) (ours, again, program string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", "", "", fmt.Errorf("finding this program: %w", err)
	}
	me, err := os.Stat(self)
	if err != nil {
		return "", "", "", fmt.Errorf("finding this program: %w", err)
	}
	if strings.Contains(name, "/") {
		if ours, err = filepath.Abs(name); err != nil {
			return "", "", "", err
		}
		again = ours
	}
	for _, dir := range append(filepath.SplitList(environ.List(env).Get("PATH")), "/usr/bin", "/bin") {
		path := filepath.Join(dir, Name)
		info, err := os.Stat(path)
		if err != nil || info.IsDir() || info.Mode()&0o111 == 0 || !filepath.IsAbs(path) {
			continue
		}
		if !os.SameFile(info, me) {
			program = path
			break
		}
		again = Name // on PATH, before the real one
		if ours == "" {
			ours = path
		}
	}
	switch {
	case ours == "":
		return "", "", "", errors.New("its own directory is not on PATH")
	case program == "":
		return "", "", "", errors.New("there is no other ssh on PATH")
	}
	return ours, again, program, nil
}
