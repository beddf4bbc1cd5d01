package registry

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// A failing transport fails for a reason that may pass, or one that does not.
type failing bool

func (failing) Error() string     { return "the name server is busy" }
func (f failing) Temporary() bool { return bool(f) }
func (f failing) Timeout() bool   { return false }
func (f failing) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, &url.Error{Op: "Get", URL: "https://registry.example.com", Err: f}
}

// Whose request it was keeps nobody from trying again what may pass.
func TestEncrypted_SaysWhatMayPass(t *testing.T) {
	for _, passes := range []bool{true, false} {
		req, err := http.NewRequestWithContext(asking(t.Context(), "staging"), http.MethodGet, "https://registry.example.com/v2/", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = encrypted{failing(passes)}.RoundTrip(req)
		temporary, ok := err.(interface{ Temporary() bool }) // as go-containerregistry asks
		if !ok || temporary.Temporary() != passes {
			t.Errorf("%v: %v", passes, err)
		}
	}
}

type answers struct{}

func (answers) RoundTrip(*http.Request) (*http.Response, error) { return &http.Response{}, nil }

// A login goes to no other machine without TLS, whatever the registry is called.
func TestEncrypted(t *testing.T) {
	for url, want := range map[string]bool{
		"https://registry.example.com/v2/": true, "http://127.0.0.1:5000/v2/": true, "http://[::1]:5000/v2/": true, "http://localhost:5000/v2/": true, "https://10.0.0.7/v2/": true,
		"http://10.0.0.7:5000/v2/": false, "http://registry.local/v2/": false, "http://registry.example.com/v2/": false, "http://localhost.example.com/v2/": false,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = encrypted{answers{}}.RoundTrip(req)
		if (err == nil) != want || err != nil && !strings.Contains(err.Error(), "has no TLS that is trusted here") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// An address that a registry leads to may be signed: it is in no problem.
func TestSaid_HasNoAddress(t *testing.T) {
	err := fmt.Errorf("a layer: %w", &url.Error{Op: "Get", URL: "https://store.example.com/layer?signature=abc", Err: &unanswered{err: &url.Error{Op: "Get", URL: "https://store.example.com/?signature=abc", Err: errors.New("connection reset")}}})
	if got := said(err); got != "connection reset" {
		t.Errorf("%q", got)
	}
}
