package onepassword_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kamal-op/kamal-op/internal/onepassword"
)

// TestConnect_TriesAgain: how often each answer is asked for again, and how long that takes.
func TestConnect_TriesAgain(t *testing.T) {
	soon := func(d time.Duration) bool { return d < time.Second }
	for _, test := range []struct {
		name   string
		status int
		header string // Retry-After
		tries  int64
		took   func(time.Duration) bool
		reason onepassword.Reason
	}{
		{"400", 400, "", 1, soon, onepassword.Broken},
		{"302", 302, "", 1, soon, onepassword.Broken},
		{"401", 401, "", 2, soon, onepassword.Denied}, // Connect before 1.7.2
		{"403", 403, "", 4, func(d time.Duration) bool { return d < 2*time.Second }, onepassword.Denied},
		{"404", 404, "", 1, soon, onepassword.NotFound},
		{"407", 407, "", 1, soon, onepassword.Denied},
		{"501", 501, "", 1, soon, onepassword.Broken},
		{"429 that names a time", 429, "20", 3, func(d time.Duration) bool { return d == 40*time.Second }, onepassword.RateLimited},
		{"503 that names a time", 503, "25", 3, func(d time.Duration) bool { return d == 50*time.Second }, onepassword.Unreachable},
		{"429 that names too long a time", 429, "61", 1, soon, onepassword.RateLimited},
		// 1, 2, 4 and then 8 seconds, as long as there is time.
		{"429 that names none", 429, "", 10, func(d time.Duration) bool { return d == 55*time.Second }, onepassword.RateLimited},
		{"429 that names no time at all", 429, "0", 10, func(d time.Duration) bool { return d == 55*time.Second }, onepassword.RateLimited},
		{"429 that names nonsense", 429, "soon", 10, func(d time.Duration) bool { return d == 55*time.Second }, onepassword.RateLimited},
	} {
		synctest.Test(t, func(t *testing.T) {
			var asked atomic.Int64
			backend := connectTo(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/health" {
					return
				}
				asked.Add(1)
				if test.header != "" {
					w.Header().Set("Retry-After", test.header)
				}
				w.WriteHeader(test.status)
			})
			began := time.Now()
			_, err := onepassword.NewResolver(backend, onepassword.Options{}).Vaults(t.Context())
			var failed *onepassword.BackendError
			if !errors.As(err, &failed) || failed.Reason != test.reason || failed.Hint == "" && test.status != 404 {
				t.Errorf("%s: %+v", test.name, failed)
			}
			if took := time.Since(began); asked.Load() != test.tries || !test.took(took) {
				t.Errorf("%s: %d requests in %v, want %d", test.name, asked.Load(), took, test.tries)
			}
		})
	}
}

// TestConnect_WaitsBetweenTries: from a tenth of a second to eight seconds.
func TestConnect_WaitsBetweenTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		backend := connectTo(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/health" {
				at = append(at, time.Now())
			}
			w.WriteHeader(http.StatusBadGateway)
		})
		_, err := onepassword.NewResolver(backend, onepassword.Options{}).Vaults(t.Context())
		if err == nil || !strings.Contains(err.Error(), "tries when the time ran out") {
			t.Errorf("%v", err)
		}
		if len(at) < 10 || len(at) > 20 {
			t.Errorf("%d tries in a minute", len(at))
		}
		for n := 1; n < len(at); n++ {
			if wait := at[n].Sub(at[n-1]); wait < 50*time.Millisecond || wait > 12*time.Second {
				t.Errorf("wait %d: %v", n, wait)
			}
		}
	})
}
