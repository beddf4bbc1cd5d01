package onepassword

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// ConnectOptions are what a Connect client is made of.
type ConnectOptions struct {
	Host  string      // the server's address with its scheme; a path prefix and a trailing slash may follow
	Token mask.Secret // the access token
	CA    []byte      // PEM certificates to trust beside the system's, or nil

	Concurrency int           // requests at a time; 0 is 8
	Timeout     time.Duration // of one try of one request, body included; 0 is 10 s
	UserAgent   string

	// Proxy is the proxy to reach the server through; nil is the environment's for
	// https://, which is never taken for loopback, and none for http://.
	Proxy *url.URL
}

const serverLogs = "look at the logs of the connect-api and connect-sync containers"

// What one answer may hold. An item is small; lists of thousands of items and
// attachments are not.
const (
	maxItem = 8 << 20
	maxList = 32 << 20
	maxFile = 64 << 20
)

// Connect is the backend that speaks to a Connect server.
type Connect struct {
	base      *url.URL
	token     mask.Secret
	client    *http.Client
	timeout   time.Duration
	userAgent string
	slots     chan struct{}
	served    atomic.Bool // some request was answered as it should be
	explain   sync.Once
	health    []string // what the server says of itself, asked for once when something failed
}

// NewConnect makes the client. Nothing is sent. The error is a *problem.Problem
// of wrong usage.
func NewConnect(o ConnectOptions) (*Connect, error) {
	base, err := parseConnectHost(o.Host)
	if err != nil {
		return nil, err
	}
	if err := CheckConnectToken(o.Token.Reveal()); err != nil {
		return nil, err
	}
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != nil {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(o.CA) {
			return nil, problem.Usagef("the file holds PEM blocks that begin with -----BEGIN CERTIFICATE-----",
				"the Connect server's CA file has no certificate in it")
		}
		tlsConfig.RootCAs = pool
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 8
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.UserAgent == "" {
		o.UserAgent = "kamal-op"
	}
	transport := &http.Transport{
		Proxy:                  proxyFor(o.Proxy),
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    5 * time.Second,
		MaxIdleConnsPerHost:    o.Concurrency,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		// Some proxies in front of Connect answer compressed whatever they were
		// asked; without it the size limit is one of bytes on the wire too.
		DisableCompression: true,
	}
	return &Connect{
		base:  base,
		token: o.Token,
		client: &http.Client{
			Transport: transport,
			// A redirect would carry the token elsewhere, and Connect has none.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		timeout:   o.Timeout,
		userAgent: o.UserAgent,
		slots:     make(chan struct{}, o.Concurrency),
	}, nil
}

// Name names the server.
func (c *Connect) Name() string { return "1Password Connect at " + c.base.Redacted() }

// Close closes idle connections.
func (c *Connect) Close() error {
	c.client.CloseIdleConnections()
	return nil
}

// Vaults lists the vaults of the token.
func (c *Connect) Vaults(ctx context.Context) ([]Vault, error) {
	var found []connectVault
	if err := c.getJSON(ctx, "the list of vaults", maxList, &found, "v1", "vaults"); err != nil {
		return nil, err
	}
	vaults := make([]Vault, 0, len(found))
	for _, v := range found {
		if v.ID == "" {
			return nil, broken("the list of vaults", "has a vault without an id", nil)
		}
		vaults = append(vaults, Vault(v))
	}
	return vaults, nil
}

// Items lists the items of a vault. No filter is used: Connect's compare case,
// and a misspelt name could not be answered with what is there.
func (c *Connect) Items(ctx context.Context, vaultID string) ([]Overview, error) {
	var found []connectItem
	if err := c.getJSON(ctx, "the list of items", maxList, &found, "v1", "vaults", vaultID, "items"); err != nil {
		return nil, err
	}
	items := make([]Overview, 0, len(found))
	for _, i := range found {
		if i.ID == "" {
			return nil, broken("the list of items", "has an item without an id", nil)
		}
		items = append(items, Overview{
			ID: i.ID, Title: i.Title, Category: i.Category, Version: i.Version, Tags: i.Tags, Archived: i.State != "",
		})
	}
	return items, nil
}

// Get gets the items, several at a time.
func (c *Connect) Get(ctx context.Context, vaultID string, itemIDs []string) []ItemResult {
	got := make([]ItemResult, len(itemIDs))
	var wg sync.WaitGroup
	for n, id := range itemIDs {
		wg.Go(func() { got[n].Item, got[n].Err = c.get(ctx, vaultID, id) })
	}
	wg.Wait()
	return got
}

func (c *Connect) get(ctx context.Context, vaultID, itemID string) (*Item, error) {
	var i connectItem
	if err := c.getJSON(ctx, "the item", maxItem, &i, "v1", "vaults", vaultID, "items", itemID); err != nil {
		return nil, err
	}
	// A proxy that mixes up answers must not become a wrong value.
	if i.ID != itemID || (i.Vault.ID != "" && i.Vault.ID != vaultID) {
		return nil, broken("the item", "is another than the one asked for", nil)
	}
	return i.item(vaultID), nil
}

// ReadFile gets a file's content, which needs Connect 1.3.
func (c *Connect) ReadFile(ctx context.Context, item *Item, file File) ([]byte, error) {
	var content []byte
	err := c.do(ctx, "the file", maxFile, func(body []byte) *attempt {
		if file.Size > 0 && int64(len(body)) != file.Size {
			return &attempt{tries: 3, err: broken("the file", fmt.Sprintf("has %d bytes where the item says %d", len(body), file.Size), nil)}
		}
		content = body
		return nil
	}, "v1", "vaults", item.Vault.ID, "items", item.ID, "files", file.ID, "content")
	return content, err
}

// Environment refuses: Connect has no Environments.
func (c *Connect) Environment(context.Context, string) ([]Variable, error) {
	return nil, &BackendError{
		Reason: Unsupported, Message: "1Password Connect does not serve Environments",
		Hint: "use a service account that may read the Environment, or put the variables into an item",
	}
}

func (c *Connect) getJSON(ctx context.Context, what string, limit int64, into any, path ...string) error {
	return c.do(ctx, what, limit, func(body []byte) *attempt {
		err := json.Unmarshal(body, into)
		if err == nil {
			return nil
		}
		a := &attempt{err: broken(what, "is not the JSON it should be", err)}
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) && syntax.Offset >= int64(len(body)) {
			a.err, a.tries = broken(what, "is cut off", err), 4
		} else {
			a.fatal = true
		}
		return a
	}, path...)
}

// do sends one GET until it is answered as it should be. read gets the whole body
// of a good answer.
func (c *Connect) do(ctx context.Context, what string, limit int64, read func([]byte) *attempt, path ...string) error {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err()
		}
		return &BackendError{Reason: RanOut, Message: c.Name() + " was not asked for " + what + " before the time ran out", Hint: serverLogs, Cause: ctx.Err()}
	}
	for i := range path {
		path[i] = url.PathEscape(path[i])
	}
	target := c.base.JoinPath(path...).String()
	return c.explained(ctx, retry(ctx, func(ctx context.Context) *attempt {
		return c.try(ctx, what, limit, target, read)
	}))
}

func (c *Connect) try(ctx context.Context, what string, limit int64, target string, read func([]byte) *attempt) *attempt {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return &attempt{fatal: true, err: &BackendError{Reason: Broken, Message: "no request can be made of the address", Cause: err}}
	}
	req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	req.Header.Set("Accept", "application/json, application/octet-stream")
	req.Header.Set("User-Agent", c.userAgent)
	resp, err := c.client.Do(req)
	if err != nil {
		return c.unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	if resp.StatusCode != http.StatusOK {
		return c.refused(what, resp)
	}
	if resp.ContentLength > limit {
		return &attempt{fatal: true, err: tooLarge(what, limit)}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return c.unreachable(err)
	}
	if int64(len(body)) > limit {
		return &attempt{fatal: true, err: tooLarge(what, limit)}
	}
	if a := read(body); a != nil {
		return a
	}
	c.served.Store(true)
	return nil
}

// parseConnectHost reads the server's address.
func parseConnectHost(host string) (*url.URL, error) {
	bad := func(hint, what string) (*url.URL, error) {
		return nil, problem.Usagef(hint, "the Connect host %s", what)
	}
	const shape = "write it as http://host:8080 or https://host"
	if strings.TrimSpace(host) == "" {
		return bad(shape, "is empty")
	}
	if strings.HasPrefix(host, tokenPrefix) || looksLikeJWT(host) {
		return bad("the token belongs in OP_CONNECT_TOKEN", "is a token")
	}
	u, err := url.Parse(strings.TrimSpace(host))
	switch {
	case err != nil:
		return bad(shape, "is not an address")
	case u.Scheme != "http" && u.Scheme != "https":
		return bad(shape, "has no http:// or https://")
	case u.Hostname() == "":
		return bad(shape, "has no name in it")
	case u.User != nil:
		return bad("take user and password out of it", "holds a user")
	case u.RawQuery != "" || u.Fragment != "":
		return bad(shape, "has more than an address in it")
	}
	// People paste the API's base as the documentation's examples show it.
	u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/v1")
	u.RawPath = ""
	return u, nil
}
