package gate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// identifiers are members of what GitHub is sent by which it finds things again.
// They are the project's names and ours, checked for their form where they are
// made; a secret that equals one must not have the API make another.
var identifiers = map[string]bool{
	"sha": true, "ref": true, "environment": true, "task": true, "state": true, "service": true, "nonce": true, "content": true,
}

// A transport masks what a request has in its body.
type transport struct {
	gate *Gate
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return t.next.RoundTrip(req)
	}
	body, err := io.ReadAll(req.Body)
	_ = req.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("reading what is to be sent: %w", err)
	}
	if json.Valid(body) {
		body = t.gate.strings(body, identifiers)
	} else {
		body = []byte(t.gate.Text(string(body)))
	}
	out := req.Clone(req.Context())
	out.ContentLength = int64(len(body))
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	out.Body, _ = out.GetBody() // which gives no error
	return t.next.RoundTrip(out)
}

// CloseIdleConnections is what http.Client asks of its transport.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
