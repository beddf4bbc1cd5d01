package kamal

import (
	"strings"
	"testing"
	"time"
)

func TestFreeze(t *testing.T) {
	until := time.Date(2026, 12, 24, 18, 0, 0, 0, time.FixedZone("", 3600))
	f := Freeze{Why: "the database moves", Until: until}
	if got := (Mark{Freeze: &f}).Message(); got != "Deploys are frozen: the database moves, until 2026-12-24 17:00:00 UTC (kamal-op thaw ends it)" {
		t.Error(got)
	}
	if got := (Mark{}).Message(); got != automaticLock {
		t.Error(got)
	}
	// What the shell on the server writes is one line, whatever the reason is.
	if got := (Mark{Freeze: &Freeze{Why: "a\nMessage: " + automaticLock + strings.Repeat("x", 300)}}).Message(); strings.Contains(got, "\n") || len(got) > 300 {
		t.Error(got)
	}
	for _, test := range []struct {
		now  time.Time
		over bool
	}{{until.Add(-time.Second), false}, {until, true}, {until.Add(time.Hour), true}} {
		if f.Over(test.now) != test.over {
			t.Errorf("over at %s: %v", test.now, !test.over)
		}
	}
	if (Freeze{Why: "x"}).Over(until) {
		t.Error("a freeze without an end is over")
	}
	if !f.Same(Freeze{f.Why, until.UTC()}) || f.Same(Freeze{Why: f.Why}) || f.Same(Freeze{"y", until}) {
		t.Error("freezes are compared otherwise")
	}
}

func TestLockPlace_App(t *testing.T) {
	for want, place := range map[string]LockPlace{
		"my-app":              {Dir: ".kamal/lock-my-app"},
		"my-app (staging)":    {Dir: ".kamal/lock-my-app-staging", Destination: "staging"},
		"my-app-staging (eu)": {Dir: ".kamal/lock-my-app-staging-eu", Destination: "eu"},
	} {
		if got := place.App(); got != want {
			t.Errorf("%+v is %q", place, got)
		}
	}
}
