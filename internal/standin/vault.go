package standin

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// VaultOptions are what a Vault begins with.
type VaultOptions struct {
	Vaults []VaultSpec
	Token  string // "" is a new one, of the shape that Connect's tokens have
	Prefix string // a path before the API's, "/connect"

	// Latency is waited before every answer.
	Latency time.Duration
	// Fault, where it is not nil, sees every request of the API before it is
	// answered. n counts from 1. What it returns true for it has answered itself.
	Fault func(n int, w http.ResponseWriter, r *http.Request) bool
}

// A Vault is a server that speaks the API of 1Password Connect, the part that
// reads. What it serves is in memory and can be changed while it runs.
type Vault struct {
	store
	requestGate

	token  string
	prefix string
	server *http.Server
	addr   string
	done   chan struct{}
	used   atomic.Bool // a request with the token was seen
}

// StartVault starts a vault on a free port of 127.0.0.1. It runs until the context
// ends or it is closed.
func StartVault(ctx context.Context, o VaultOptions) (*Vault, error) {
	v := &Vault{requestGate: requestGate{latency: o.Latency, fault: o.Fault}, token: o.Token, prefix: o.Prefix, done: make(chan struct{})}
	if v.token == "" {
		v.token = newConnectToken()
	}
	if err := v.fill(o.Vaults); err != nil {
		return nil, err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the vault: %w", err)
	}
	v.addr = listener.Addr().String()
	v.server = &http.Server{Handler: v.handler(), ReadHeaderTimeout: 10 * time.Second}
	// What goes wrong in a connection is a test's doing, or the client's to tell.
	v.server.ErrorLog = discardLog()
	stop := context.AfterFunc(ctx, func() { _ = v.server.Close() })
	go func() {
		defer close(v.done)
		defer stop()
		_ = v.server.Serve(listener) // always ErrServerClosed or the listener's own end
	}()
	return v, nil
}

// URL is the address to give as the Connect host.
func (v *Vault) URL() string { return "http://" + v.addr + v.prefix }

// Token is the one access token that is accepted.
func (v *Vault) Token() string { return v.token }

// Close ends the server and its connections.
func (v *Vault) Close() error {
	err := v.server.Close()
	<-v.done
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// newConnectToken is a token of the shape that Connect's have: a JSON Web Token,
// with a signature that is random.
func newConnectToken() string {
	encode := base64.RawURLEncoding.EncodeToString
	signature := make([]byte, 64)
	_, _ = rand.Read(signature) // never fails
	header := `{"alg":"ES256","kid":"` + newID() + `","typ":"JWT"}`
	payload := `{"1password.com/auuid":"` + newID() + `","1password.com/token":"rehearsal","1password.com/fts":["vaultaccess"],` +
		`"aud":["com.1password.connect"],"sub":"` + newID() + `","iss":"com.1password.b5","jti":"` + newID() + `"}`
	return encode([]byte(header)) + "." + encode([]byte(payload)) + "." + encode(signature)
}
