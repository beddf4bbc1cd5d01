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
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.JoinPath("health").String(), nil)
	if err != nil {
		return nil
	}
	req.Header.Set("User-Agent", c.userAgent)
	resp, err := c.client.Do(req)
	if err != nil {
		return nil
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil
	}
	var health struct {
		Name         string `json:"name"`
		Version      string `json:"version"`
		Dependencies []struct {
			Service string `json:"service"`
			Status  string `json:"status"`
			Message string `json:"message"`
		} `json:"dependencies"`
	}
	if json.Unmarshal(body, &health) != nil || health.Version == "" {
		return []string{"what answers there does not have the health page of a Connect server"}
	}
	parts := []string{"version " + c.clean(health.Version)}
	for _, d := range health.Dependencies {
		part := d.Service + " " + d.Status
		if d.Message != "" && d.Status != "ACTIVE" {
			part += " (" + d.Message + ")"
		}
		parts = append(parts, c.clean(part))
	}
	return []string{"the server says of itself: " + strings.Join(parts, ", ")}
}
