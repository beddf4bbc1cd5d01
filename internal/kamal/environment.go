package kamal

import (
	"strings"

	"github.com/kamal-op/kamal-op/internal/environ"
)

// Credentials of 1Password that a child of ours has no use for: what it needs it
// gets through the broker.
var credentials = map[string]bool{
	"OP_SERVICE_ACCOUNT_TOKEN": true,
	"OP_CONNECT_HOST":          true,
	"OP_CONNECT_TOKEN":         true,
	"OP_CONNECT_TOKEN_FILE":    true,
}

// IsCredential reports whether a variable is ours: a token of 1Password, a session of
// its CLI, an input of the action or an option of our own.
func IsCredential(name string) bool {
	return credentials[name] || strings.HasPrefix(name, "OP_SESSION") ||
		strings.HasPrefix(name, "INPUT_") || strings.HasPrefix(name, "KAMAL_OP_")
}

// WithoutCredentials is env (NAME=value entries) less what is ours. The order is kept
// and env is not changed.
func WithoutCredentials(env []string) []string { return environ.List(env).Without(IsCredential) }
