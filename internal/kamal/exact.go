package kamal

import (
	"encoding/json"
	"slices"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// ExactValues says which secrets of env reach their containers as they are, and not as
// Kamal's env file writes them: all, those of some names, or none.
type ExactValues struct {
	All   bool
	Names []string // of secrets, as the secrets file knows them
}

// Of reports whether a secret's value is to arrive as it is.
func (e ExactValues) Of(secret string) bool { return e.All || slices.Contains(e.Names, secret) }

// IsZero reports whether there is none.
func (e ExactValues) IsZero() bool { return !e.All && len(e.Names) == 0 }

// MarshalJSON is true for all, else the names.
func (e ExactValues) MarshalJSON() ([]byte, error) {
	if e.All {
		return []byte("true"), nil
	}
	return json.Marshal(e.Names)
}

// ByShell reports whether a value goes beside the env file, which would change it or cannot
// hold it: a shell on the server reads it and starts docker with it in its environment.
func ByShell(name, value string) bool {
	return EnvFileValue(value) != value || EnvFileLine(name, value) > MaxEnvFileLine
}

var shellName = lazy.Regexp(`^[A-Za-z_][A-Za-z0-9_]*$`)

// readOnly are variables that a shell sets itself and lets nobody change.
var readOnly = []string{"UID", "EUID", "PPID"}

// ShellExports reports whether a shell can hand a variable of this name to docker, and
// neither of them takes it for its own.
func ShellExports(name string) bool {
	return shellName().MatchString(name) && !slices.Contains(readOnly, name) && !ReservedName(name)
}
