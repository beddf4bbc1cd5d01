package standin

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
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
	token  string
	prefix string
	server *http.Server
	addr   string
	done   chan struct{}

	mu       sync.Mutex
	vaults   []*VaultSpec
	latency  time.Duration
	fault    func(n int, w http.ResponseWriter, r *http.Request) bool
	requests []Request
	used     bool // a request with the token was seen
}

// A Request is one that the API was asked; health checks are none.
type Request struct {
	Method, Path string // Path with the query, without the prefix
	Status       int    // 0 where Fault answered
}

// StartVault starts a vault on a free port of 127.0.0.1. It runs until the context
// ends or it is closed.
func StartVault(ctx context.Context, o VaultOptions) (*Vault, error) {
	v := &Vault{token: o.Token, prefix: o.Prefix, latency: o.Latency, fault: o.Fault, done: make(chan struct{})}
	if v.token == "" {
		v.token = newConnectToken()
	}
	for _, spec := range o.Vaults {
		if err := v.put(spec); err != nil {
			return nil, err
		}
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

// Requests are the API's requests since the start or the last Forget.
func (v *Vault) Requests() []Request {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]Request(nil), v.requests...)
}

// Forget empties Requests and begins Fault's count anew.
func (v *Vault) Forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests = nil
}

// SetFault changes VaultOptions.Fault; nil takes it away.
func (v *Vault) SetFault(fault func(n int, w http.ResponseWriter, r *http.Request) bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fault = fault
}

// Put adds a vault, or replaces the one of the same id or, without an id, name.
func (v *Vault) Put(spec VaultSpec) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.put(spec)
}

// PutItem adds an item to the vault of the name, or replaces the item of the same
// id or, without an id, title.
func (v *Vault) PutItem(vault string, spec ItemSpec) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	found := v.named(vault)
	if found == nil {
		return fmt.Errorf("there is no vault %q", vault)
	}
	return found.put(spec)
}

// SetField gives a field of an item a value, and adds the field where the item
// has none of the label.
func (v *Vault) SetField(vault, item, label, value string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	found := v.named(vault)
	if found == nil {
		return fmt.Errorf("there is no vault %q", vault)
	}
	for i := range found.Items {
		if it := &found.Items[i]; it.Title == item || it.ID == item {
			it.Version++
			for f := range it.Fields {
				if it.Fields[f].Label == label {
					it.Fields[f].Value = value
					return nil
				}
			}
			it.Fields = append(it.Fields, FieldSpec{ID: newID(), Label: label, Value: value, Type: "CONCEALED"})
			return nil
		}
	}
	return fmt.Errorf("the vault %q has no item %q", vault, item)
}

// RemoveItem takes an item away, as if it had been deleted for good.
func (v *Vault) RemoveItem(vault, item string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if found := v.named(vault); found != nil {
		for i := range found.Items {
			if found.Items[i].Title == item || found.Items[i].ID == item {
				found.Items = append(found.Items[:i:i], found.Items[i+1:]...)
				return nil
			}
		}
	}
	return fmt.Errorf("the vault %q has no item %q", vault, item)
}

// named is the vault of the name or id. v.mu is held.
func (v *Vault) named(name string) *VaultSpec {
	for _, spec := range v.vaults {
		if spec.Name == name || spec.ID == name {
			return spec
		}
	}
	return nil
}

// put stores a copy with every id filled in. v.mu is held, or v is not shared yet.
func (v *Vault) put(spec VaultSpec) error {
	filled, err := spec.filled()
	if err != nil {
		return err
	}
	for i, old := range v.vaults {
		if old.ID == filled.ID || spec.ID == "" && old.Name == spec.Name {
			if spec.ID == "" {
				filled.ID = old.ID
			}
			v.vaults[i] = &filled
			return nil
		}
	}
	v.vaults = append(v.vaults, &filled)
	return nil
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
