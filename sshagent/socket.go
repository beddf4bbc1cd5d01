package sshagent

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const (
	socketName = "agent.sock"
	dirPattern = "agent-*"
	// dirLength is how long the name of a new directory can get: the pattern
	// and what os.MkdirTemp puts in it, a number of 32 bits.
	dirLength = len("agent-4294967295")
)

// longestSocket is what fits into sockaddr_un's path, with the zero at its end.
const longestSocket = len(syscall.RawSockaddrUnix{}.Path) - 1

// makeDir makes a directory that is closed to others, in the system's place for
// temporary files, or in /tmp where that makes the socket's path too long, as
// per-user places of macOS and some CI systems do.
func makeDir() (string, error) {
	parent := os.TempDir()
	if len(filepath.Join(parent, "x", socketName))-1+dirLength > longestSocket {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, dirPattern) // 0700
	if err != nil {
		return "", fmt.Errorf("making the agent's directory: %w", err)
	}
	return dir, nil
}

// private says whether dir is the user's own and closed to others.
func private(dir string, uid int) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("looking at the agent's directory: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("the agent's directory %s is no directory", dir)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("the agent's directory %s is open to others (mode %04o, it must be 0700)", dir, info.Mode().Perm())
	case ok && int(stat.Uid) != uid:
		return fmt.Errorf("the agent's directory %s belongs to another user", dir)
	}
	return nil
}
