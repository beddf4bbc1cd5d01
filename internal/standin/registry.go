package standin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// RegistryOptions say who may use a registry and where it keeps its blobs.
type RegistryOptions struct {
	// User and Password are what docker login has to give.
	User, Password string
	// Dir is where blobs are kept, which are as large as images are: in memory
	// where it is empty. It has to exist, and is the caller's to remove.
	Dir string
	// Address is where to listen, "127.0.0.1:0" where it is empty. Docker speaks
	// plain HTTP to loopback addresses only, so nothing else is accepted. It is
	// never `localhost`: at that name Kamal starts a registry container itself.
	Address string
}

// A Registry is a container registry on loopback with one user.
type Registry struct {
	listener net.Listener
	server   *http.Server
	stop     func() bool
	once     sync.Once
	running  sync.WaitGroup
	closed   error
}

// StartRegistry starts a registry on loopback. It runs until Close, or until
// ctx is done.
func StartRegistry(ctx context.Context, opts RegistryOptions) (*Registry, error) {
	if opts.User == "" || opts.Password == "" {
		return nil, errors.New("a registry needs a user and a password")
	}
	listener, err := listenLoopback(ctx, opts.Address)
	if err != nil {
		return nil, err
	}
	quiet := discardLog()
	options := []registry.Option{registry.Logger(quiet)}
	if opts.Dir != "" {
		options = append(options, registry.WithBlobHandler(registry.NewDiskBlobHandler(opts.Dir)))
	}
	r := &Registry{
		listener: listener,
		server: &http.Server{
			Handler:           basicAuth(opts.User, opts.Password, registry.New(options...)),
			ReadHeaderTimeout: 30 * time.Second,
			ErrorLog:          quiet,
		},
	}
	r.running.Go(func() { _ = r.server.Serve(listener) })
	r.stop = context.AfterFunc(ctx, func() { _ = r.Close() })
	return r, nil
}

// Address is where the registry listens, host:port, which is also how images
// in it are named.
func (r *Registry) Address() string { return r.listener.Addr().String() }

// Close ends the registry and every connection to it.
func (r *Registry) Close() error {
	r.once.Do(func() {
		r.stop()
		r.closed = r.server.Close()
		r.running.Wait()
	})
	return r.closed
}

// basicAuth asks for a name and password in the way in which docker login
// answers without a token server.
func basicAuth(user, password string, next http.Handler) http.Handler {
	wanted := credentials(user, password)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		u, p, ok := req.BasicAuth()
		given := credentials(u, p)
		if !ok || subtle.ConstantTimeCompare(wanted[:], given[:]) != 1 {
			w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
			w.Header().Set("WWW-Authenticate", `Basic realm="kamal-op rehearsal"`)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"errors":[{"code":"UNAUTHORIZED","message":"user or password is wrong"}]}`)
			return
		}
		next.ServeHTTP(w, req)
	})
}

// credentials is one digest of both, of one length whatever was given.
func credentials(user, password string) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%d:%s%s", len(user), user, password))
}
