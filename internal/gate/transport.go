package gate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// texts are the members of what GitHub is sent that people read. The others are what
// things are found again by, and addresses: a common word stays what it is there, or
// a secret of that value would have the API make other things.
var texts = map[string]bool{"body": true, "description": true}

// identifiers are those whose form is checked where they are made.
var identifiers = map[string]bool{"sha": true, "ref": true, "environment": true, "task": true, "state": true, "service": true, "nonce": true, "content": true}

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
		body = t.gate.members(body, t.masked)
	} else {
		body = []byte(t.gate.Text(string(body)))
	}
	out := req.Clone(req.Context())
	out.ContentLength = int64(len(body))
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	out.Body, _ = out.GetBody() // which gives no error
	return t.next.RoundTrip(out)
}

// masked is the value of a member.
func (t *transport) masked(member, text string) string {
	switch {
	case texts[member] || member == "":
		return t.gate.Text(text)
	case identifiers[member]:
		return text
	}
	return t.gate.rare.String(text)
}

// CloseIdleConnections is what http.Client asks of its transport.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
