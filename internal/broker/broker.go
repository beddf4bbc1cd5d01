package broker

import (
	"context"
	"errors"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// SocketVariable names the variable that tells children where the socket is.
const SocketVariable = "KAMAL_OP_BROKER"

// A Broker answers on the socket of one run.
type Broker struct {
	dir string
}

// Start puts `op`, the preload and the socket into o.Dir and begins to answer,
// until Close or the end of ctx.
func Start(ctx context.Context, o Options) (*Broker, error) {
	return nil, errors.New("not written yet")
}

// Environment is what a child needs of the broker, as NAME=value entries to set
// in env, the child's environment: its PATH with `op` before everything else,
// RUBYOPT with the preload, and the socket.
func (b *Broker) Environment(env []string) []string { return nil }

// Problems are what stopped Kamal before anything changed: secrets that did not
// arrive as they are in the vault, with places and hints. Where it is not empty
// the run ends with problem.Found, whatever Kamal's own status was.
func (b *Broker) Problems() problem.List { return nil }

// Close ends the socket and every request under way, and waits for both. The
// directory is the caller's to remove.
func (b *Broker) Close() error { return nil }
