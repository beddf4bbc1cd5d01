package testkit

import (
	"testing"
	"time"
)

// WaitFor waits until something is done, for a minute at most: what is waited for
// is named in the failure.
func WaitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waiting for %s", what)
		}
	}
}
