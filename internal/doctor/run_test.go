package doctor

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/problem"
)

func finding(state State, text string) Check {
	return Check{Area: "an area", Name: text, Look: func(context.Context) []Finding {
		return []Finding{{Area: "an area", Check: "a check", State: state, Text: text}}
	}}
}

// The status says the worst that was found.
func TestReport_Status(t *testing.T) {
	for _, c := range []struct {
		states []State
		want   int
	}{
		{nil, problem.Done},
		{[]State{Well, Notice}, problem.Done},
		{[]State{Well, Unseen, Notice}, problem.Partial},
		{[]State{Unseen, Wrong, Well}, problem.Found},
	} {
		var checks []Check
		for _, state := range c.states {
			checks = append(checks, finding(state, string(state)))
		}
		if got := Run(t.Context(), checks, func(string) {}).Status(); got != c.want {
			t.Errorf("%v: %d, not %d", c.states, got, c.want)
		}
	}
}

// Findings stand in the order of the checks, whichever ends first, and what two checks
// have met is told once.
func TestRun_TellsInOrderAndOnce(t *testing.T) {
	counted := make(chan struct{}) // closed when the second check was told as done
	slow := finding(Wrong, "first")
	look := slow.Look
	slow.Look = func(ctx context.Context) []Finding { <-counted; return look(ctx) }
	quick := finding(Wrong, "second")
	quick.Look = func(context.Context) []Finding {
		return []Finding{
			{Area: "an area", State: Wrong, Text: "second"},
			{Area: "an area", State: Wrong, Text: "first"},
			{Area: "an area", State: Wrong, Text: "first", About: "another host"},
			{Area: "an area", State: Wrong, Text: "first", Place: "a.yml:3"},
			{Area: "an area", State: Wrong, Text: "first", Place: "a.yml:9"},
		}
	}
	var told []string
	r := Run(t.Context(), []Check{slow, quick}, func(text string) {
		if told = append(told, text); len(told) == 2 {
			close(counted)
		}
	})
	var texts []string
	for _, f := range r.Findings {
		texts = append(texts, f.About+f.Text+f.Place)
	}
	if diff := cmp.Diff([]string{"first", "second", "another hostfirst", "firsta.yml:3", "firsta.yml:9"}, texts); diff != "" {
		t.Error(diff)
	}
	want := []string{"looking: 0 of 2, waiting for first, second", "looking: 1 of 2, waiting for first", ""}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
}

// A check that takes too long is not looked at, and the others are.
func TestRun_BoundsEachCheck(t *testing.T) {
	endless := Check{Area: "an area", Name: "endless", Limit: time.Millisecond, Look: func(ctx context.Context) []Finding {
		<-ctx.Done()
		return []Finding{{Area: "an area", State: Wrong, Text: ctx.Err().Error()}}
	}}
	r := Run(t.Context(), []Check{endless, finding(Well, "other")}, func(string) {})
	if len(r.Findings) != 2 || r.Findings[0].State != Unseen || r.Findings[0].Text != "endless: it took longer than 1ms" || r.Findings[1].State != Well {
		t.Errorf("%+v", r.Findings)
	}
}

// What was found until somebody ended the looking is told.
func TestRun_EndedTellsWhatWasFound(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := finding(Wrong, "found")
	look := ended.Look
	ended.Look = func(ctx context.Context) []Finding { cancel(); return look(ctx) }
	if r := Run(ctx, []Check{ended}, func(string) {}); len(r.Findings) != 1 || r.Findings[0].Text != "found" {
		t.Errorf("%+v", r.Findings)
	}
}

// A question is asked once, and who waits for it may go.
func TestShare_AsksOnce(t *testing.T) {
	q := Ask(t.Context())
	var asked atomic.Int32
	begun := make(chan struct{})
	ask := Share(q, func(ctx context.Context) (int, error) {
		if asked.Add(1) == 1 {
			close(begun)
		}
		<-ctx.Done()
		return 7, errors.New("it has ended")
	})
	impatient, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	answers := make([]error, 3)
	for i := range answers {
		wg.Go(func() { _, answers[i] = ask(impatient) })
	}
	<-begun
	cancel()
	wg.Wait()
	if slices.ContainsFunc(answers, func(err error) bool { return !errors.Is(err, context.Canceled) }) {
		t.Errorf("%v", answers)
	}
	q.Close()
	for range 50 { // also who may not wait has it
		if n, err := ask(impatient); n != 7 || err == nil || asked.Load() != 1 {
			t.Fatalf("%d, %v, asked %d times", n, err, asked.Load())
		}
	}
}

// What a person reads: signs, hints, what is well of a host in one line.
func TestReport_Text(t *testing.T) {
	r := report([]Finding{
		{Area: "hosts", Check: "login", About: "root@a", State: Well, Text: "logs in"},
		{Area: "hosts", Check: "disk", About: "root@a", State: Well, Text: "9.0 GiB free"},
		{Area: "hosts", Check: "clock", About: "root@a", State: Notice, Text: "late\n::error::x", Hint: "wait"},
		{Area: "hosts", Check: "disk", About: "root@b", State: Well, Text: "1.0 GiB free"},
		{Area: "Kamal", Check: "version", State: Wrong, Text: "is not there", Details: []string{"nowhere"}, Hint: "install it", Place: "a.yml:3"},
		{Area: "Kamal", Check: "preload", State: Unseen, Text: "its parts", Hint: "it could not be asked"},
	})
	want := `hosts
  ✓ root@a: logs in; 9.0 GiB free
  ! root@a: late ::error::x
    hint: wait
  ✓ root@b: 1.0 GiB free

Kamal
  ✗ a.yml:3: is not there
      nowhere
    hint: install it
    help: https://github.com/kamal-op/kamal-op/blob/main/docs/doctor.md
  ? its parts
    it could not be asked

3 well, 1 to know, 1 wrong, 1 not looked at
`
	if diff := cmp.Diff(want, r.Text(false)); diff != "" {
		t.Error(diff)
	}
	if coloured := r.Text(true); !holds([]string{coloured}, "\x1b[31m✗\x1b[0m a.yml:3") {
		t.Errorf("%q", coloured)
	}
}
