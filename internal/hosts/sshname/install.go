package sshname

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// KnownHosts is the file beside the names with the host keys.
	KnownHosts = "known_hosts"
	// settingsFile says what the names do. Where it is gone the run is over, and
	// no name starts anything.
	settingsFile = "ssh.json"
)

// Settings are what the names of a run do.
type Settings struct {
	// Pinned has every connection take the host keys of KnownHosts, and no others.
	// Where it is false, that is left to ssh and the user's configuration.
	Pinned     bool
	KnownHosts []byte

	// AgentHosts are the hosts, by name or address, that are logged in to with the
	// agent in SSH_AUTH_SOCK, also where the user's configuration names another.
	AgentHosts []string

	// Path is that of the run's children. What is not there gets no name: a script
	// asks with `command -v rsync` whether it may be used. "" is not looked at.
	Path string
}

// settings is what stands in the file.
type settings struct {
	Pinned     bool     `json:"pinned"`
	AgentHosts []string `json:"agent_hosts"`
}

// IsName reports whether the program that is called by a name is this one.
func IsName(name string) bool {
	_, ok := programs()[filepath.Base(name)]
	return ok
}

// Install makes the names of the program in the run's private directory of names:
// all of them where host keys are given, else ssh.
func Install(dir, program string, s Settings) error {
	if err := Update(dir, s); err != nil {
		return err
	}
	for name := range programs() {
		if !s.Pinned && name != sshProgram || !s.has(name) {
			continue
		}
		if err := os.Symlink(program, filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("making the name %s: %w", name, err)
		}
	}
	return nil
}

// has reports whether there is a program for a name. Those of OpenSSH come together,
// and all have one.
func (s Settings) has(name string) bool {
	if s.Path == "" || name != "rsync" && name != "git" {
		return true
	}
	return slices.ContainsFunc(places(s.Path), func(dir string) bool { return isProgram(filepath.Join(dir, name)) })
}

// Update puts other settings in the place of those there: a client that reads
// them meanwhile has the old ones or the new ones.
func Update(dir string, s Settings) error {
	if s.Pinned {
		if err := replaceFile(filepath.Join(dir, KnownHosts), s.KnownHosts); err != nil {
			return fmt.Errorf("writing the host keys: %w", err)
		}
	}
	text, err := json.Marshal(settings{Pinned: s.Pinned, AgentHosts: s.AgentHosts})
	if err == nil {
		err = replaceFile(filepath.Join(dir, settingsFile), text)
	}
	if err != nil {
		return fmt.Errorf("writing what ssh is to do: %w", err)
	}
	return nil
}

func replaceFile(path string, text []byte) error {
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func readSettings(dir string) (s settings, err error) {
	text, err := os.ReadFile(filepath.Join(dir, settingsFile))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

// forAgent reports whether a host is one of the run's.
func (s settings) forAgent(hosts ...string) bool {
	return slices.ContainsFunc(s.AgentHosts, func(known string) bool {
		return slices.ContainsFunc(hosts, func(host string) bool { return strings.EqualFold(known, host) })
	})
}
