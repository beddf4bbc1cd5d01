package standin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// CloudOptions are what a Cloud begins with.
type CloudOptions struct {
	Vaults []VaultSpec
	Host   string // the account's sign-in address; "" is one that nobody has

	Environments []EnvironmentSpec

	// Latency is waited before every answer.
	Latency time.Duration
	// Fault is as in VaultOptions.
	Fault func(n int, w http.ResponseWriter, r *http.Request) bool
}

// An EnvironmentSpec is a 1Password Environment, which Connect does not have. A
// variable that 1Password shows in the clear is a field of type STRING.
type EnvironmentSpec struct {
	ID, Name  string
	Variables []FieldSpec
}

// vault is the Environment as the API keeps it: a vault of a kind of its own, which
// is not listed, with one item.
func (e EnvironmentSpec) vault() VaultSpec {
	return VaultSpec{ID: e.ID, Name: e.Name, kind: environmentKind, Items: []ItemSpec{{Title: e.Name, Fields: e.Variables}}}
}

// A Cloud is a server that speaks the API of 1Password's own that a service account
// signs in to, the part that reads. 1Password describes that API nowhere. The rules
// are of its SRP library (github.com/1Password/srp) and of a free client
// (github.com/detunized/password-manager-access); the rest is what the core of its
// SDK asks for and takes, and that core alone is what the stand-in is for.
//
// The core speaks TLS with hosts of 1Password's domains only. So the server is a
// proxy too: a client reaches it with HTTPS_PROXY set to Proxy, and trusts it with
// SSL_CERT_FILE naming a file of CA.
type Cloud struct {
	store
	requestGate

	account *cloudAccount
	ca      []byte
	proxy   *http.Server
	origin  *http.Server
	addr    string
	serving sync.WaitGroup

	sessions cloudSessions
}

// StartCloud starts a cloud on a free port of 127.0.0.1. It runs until the context
// ends or it is closed.
func StartCloud(ctx context.Context, o CloudOptions) (*Cloud, error) {
	if o.Host == "" {
		o.Host = "kamal-op-test.1password.com"
	}
	account, err := newCloudAccount(o.Host)
	if err != nil {
		return nil, err
	}
	ca, certificate, err := newAuthority(o.Host)
	if err != nil {
		return nil, err
	}
	c := &Cloud{requestGate: requestGate{latency: o.Latency, fault: o.Fault}, account: account, ca: ca}
	vaults := o.Vaults
	for _, e := range o.Environments {
		vaults = append(vaults[:len(vaults):len(vaults)], e.vault())
	}
	if err := c.fill(vaults); err != nil {
		return nil, err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the cloud: %w", err)
	}
	c.addr = listener.Addr().String()
	tunnels := newTunnels(listener.Addr())
	c.proxy = &http.Server{Handler: tunnels.handler(o.Host), ReadHeaderTimeout: 10 * time.Second, ErrorLog: discardLog()}
	c.origin = &http.Server{
		Handler: c.handler(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: discardLog(),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	}
	stop := context.AfterFunc(ctx, func() { _ = errors.Join(c.proxy.Close(), c.origin.Close()) })
	c.serving.Go(func() {
		defer stop()
		_ = c.proxy.Serve(listener) // always ErrServerClosed or the listener's own end
	})
	c.serving.Go(func() {
		_ = c.origin.ServeTLS(tunnels, "", "") // likewise
	})
	return c, nil
}

// Proxy is the address to give as HTTPS_PROXY. It leads to the cloud and to nothing
// else.
func (c *Cloud) Proxy() string { return "http://" + c.addr }

// CA is the certificate that the cloud's is signed with, in PEM.
func (c *Cloud) CA() []byte { return c.ca }

// Token is the one service account token that is accepted.
func (c *Cloud) Token() string { return c.account.token }

// Close ends the server and its connections.
func (c *Cloud) Close() error {
	err := errors.Join(c.proxy.Close(), c.origin.Close())
	c.serving.Wait()
	return err
}
