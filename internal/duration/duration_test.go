package duration_test

import (
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/duration"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10d": 240 * time.Hour, " 36h ": 36 * time.Hour, "1h30m": 90 * time.Minute, "0d": 0, "0": 0, "-1d": -24 * time.Hour, "-1s": -time.Second,
	} {
		if got, err := duration.Parse(text); got != want || err != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "1.5d", "1d12h", "10001d", "99999999999999999999d", "10x", "3"} {
		if got, err := duration.Parse(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
