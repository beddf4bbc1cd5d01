package history_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/history"
)

// What a deploy is held beside: those that were done by the same command, at most five of
// them, the newest, and never itself.
func TestPast(t *testing.T) {
	var log strings.Builder
	for n, r := range []history.Record{
		{Run: "1", Command: "deploy", How: "done", Phases: []history.Phase{{Name: "Build", Seconds: 100}}},
		{Run: "2", Command: "deploy", How: "done", Phases: []history.Phase{{Name: "Build", Seconds: 41}, {Name: "Boot", Seconds: 2.5}}},
		{Run: "3", Command: "redeploy", How: "done", Phases: []history.Phase{{Name: "Build", Seconds: 1}}},
		{Run: "4", Command: "deploy", How: "done", Phases: []history.Phase{{Name: "Build", Seconds: 42}}},
		{Run: "5", Command: "deploy", How: "done"}, // by an older kamal-op
		{Run: "6", Command: "deploy", How: "done", Phases: []history.Phase{{Name: "Build", Seconds: 43}}},
		{Run: "7", Command: "deploy", How: "done", Phases: []history.Phase{{Name: "Build", Seconds: 44}, {Name: "Build", Seconds: 4}, {Name: "Build", Seconds: 44}}},
		{Run: "8", Command: "deploy", How: "done", Phases: []history.Phase{{Name: "Build", Seconds: 45}}, Items: []history.Item{{From: "V/I", Version: 1, Secrets: []string{"A", "A2", "B"}}, {From: "V/J", Version: 1, Secrets: []string{"C"}}}},
		{Run: "9", Command: "deploy", How: "failed", Phases: []history.Phase{{Name: "Build", Seconds: 7}}},
		{Run: "10", Command: "rollback", How: "done"},
		{Run: "now", Command: "deploy", How: "done", Phases: []history.Phase{{Name: "Build", Seconds: 9}}},
	} {
		r.Version, r.Ended = fmt.Sprint("v", n), time.Date(2026, 11, 1, n, 0, 0, 0, time.UTC)
		log.WriteString("[" + r.Ended.Format(time.RFC3339) + "] [root] [staging] " + r.Line() + "\n")
	}
	past := history.ReadPast(log.String()+"a line that is none kamal-op: {\n", "staging", "now")
	want := map[string][]time.Duration{
		"Build": {45 * time.Second, 44 * time.Second, 43 * time.Second, 42 * time.Second, 41 * time.Second}, "Boot": {2500 * time.Millisecond},
	}
	if d := cmp.Diff(want, past.Times("deploy")); d != "" {
		t.Error(d)
	}
	if times := past.Times("setup"); len(times) > 0 {
		t.Errorf("%v", times)
	}
	changed, known := past.Secrets(history.Record{Items: []history.Item{{From: "V/I", Version: 2, Secrets: []string{"A", "A2"}}, {From: "V/J", Version: 1, Secrets: []string{"C", "D"}}}})
	var lines []string
	for _, c := range changed {
		lines = append(lines, c.String())
	}
	if d := cmp.Diff([]string{"- B  V/I, version 1", "+ D  V/J, version 1", "~ A, A2  V/I, version 1 → 2"}, lines); d != "" || !known {
		t.Error(d)
	}
	if _, known := (history.Past{{How: "failed"}}).Secrets(history.Record{}); known {
		t.Error("a deploy that failed is what now is compared with")
	}
}
