package onepassword

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// explained adds to a failure what the server says of its own health. It is asked
// once in the client's life, and only when something failed.
func (c *Connect) explained(ctx context.Context, err error) error {
	var f *BackendError
	if !errors.As(err, &f) || f.Reason == NotFound || errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	c.explain.Do(func() {
		// The deadline of what failed may have passed: this has its own.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		c.health = c.askHealth(ctx)
	})
	if len(c.health) == 0 {
		return err
	}
	told := *f
	told.Details = append(append([]string(nil), f.Details...), c.health...)
	return &told
}

// askHealth gives lines for a message; none where nothing answers at all, which the
// failure itself says already.
func (c *Connect) askHealth(ctx context.Context) []string {
	health, err := c.Health(ctx)
	var f *BackendError
	switch {
	case err == nil:
		return []string{"the server says of itself: " + health.String()}
	case errors.As(err, &f) && f.Reason == Broken:
		return []string{f.Message}
	}
	return nil
}

// A Health is what a Connect server says of itself.
type Health struct {
	Version string
	Parts   []HealthPart
}

// A HealthPart is one part of the server, as its database and what fetches from
// 1Password. Its Status is ACTIVE where it works.
type HealthPart struct{ Name, Status, Message string }

// Works reports whether the part does what it is there for. What fetches from 1Password
// waits for the first request with a token.
func (p HealthPart) Works() bool { return p.Status == "ACTIVE" || p.Status == "TOKEN_NEEDED" }

// String is the part and how it is.
func (p HealthPart) String() string {
	if p.Message != "" && p.Status != "ACTIVE" {
		return p.Name + " " + p.Status + " (" + p.Message + ")"
	}
	return p.Name + " " + p.Status
}

// String is all of it in one line.
func (h Health) String() string {
	words := []string{"version " + h.Version}
	for _, p := range h.Parts {
		words = append(words, p.String())
	}
	return strings.Join(words, ", ")
}

// Health asks the server how it is; that takes no token. The error is a *BackendError:
// Unreachable where nothing answers, Broken where what answers is no Connect server.
func (c *Connect) Health(ctx context.Context) (Health, error) {
	unreachable := func(err error) (Health, error) {
		return Health{}, &BackendError{Reason: Unreachable, Message: c.Name() + " does not say how it is", Hint: serverLogs, Cause: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.JoinPath("health").String(), nil)
	if err != nil {
		return unreachable(err)
	}
	req.Header.Set("User-Agent", c.userAgent)
	resp, err := c.client.Do(req)
	if err != nil {
		return unreachable(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return unreachable(err)
	}
	var page struct {
		Version      string `json:"version"`
		Dependencies []struct {
			Service string `json:"service"`
			Status  string `json:"status"`
			Message string `json:"message"`
		} `json:"dependencies"`
	}
	if json.Unmarshal(body, &page) != nil || page.Version == "" {
		return Health{}, &BackendError{Reason: Broken, Message: "what answers there does not have the health page of a Connect server", Hint: "check the address of the Connect server"}
	}
	h := Health{Version: c.clean(page.Version)}
	for _, d := range page.Dependencies {
		h.Parts = append(h.Parts, HealthPart{c.clean(d.Service), c.clean(d.Status), c.clean(d.Message)})
	}
	return h, nil
}
