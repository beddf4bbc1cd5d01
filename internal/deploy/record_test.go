package deploy

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/history"
	"github.com/kamal-op/kamal-op/internal/kamal"
)

func TestNewRecord(t *testing.T) {
	mark := kamal.Mark{Nonce: "N", Repository: "example/myapp", Run: 3, Actor: "someone", Link: "https://github.com/run"}
	boots := []broker.HostVersions{{Host: "h1", Role: "web", Before: "v1", After: "v2"}, {Host: "h1", Role: "jobs", Before: "v1", Unknown: true}}
	secrets := []ci.SecretReport{
		{Name: "A", Vault: "MyApp", Item: "Production", Field: "A", ItemVersion: 7},
		{Name: "B", Item: "env://B"},
		{Name: sshKeyRow, Vault: "MyApp", Item: "Server"},
		{Name: readRow, Vault: "MyApp", Item: "Hook"},
	}
	now := time.Date(2026, 11, 22, 2, 0, 0, 5, time.UTC)
	want := history.Record{
		Run: "N", Command: "rotate", Version: "v2", How: "failed", By: "someone (example/myapp, run 3)", Link: "https://github.com/run", Ended: now.Truncate(time.Second), Took: 1.2,
		Boots: []history.Boot{{Host: "h1", Role: "web", Before: "v1", After: "v2"}, {Host: "h1", Role: "jobs", Before: "v1", After: "?"}},
		Items: []history.Item{{From: "MyApp/Production", Version: 7, Secrets: []string{"A"}}, {From: "env://B", Secrets: []string{"B"}}},
	}
	kept, hosts, worth := newRecord(mark, broker.Result{Command: "rotate", Version: "v2", How: "failed", Took: 1234 * time.Millisecond}, boots, secrets, now)
	if d := cmp.Diff(want, kept) + cmp.Diff([]string{"h1"}, hosts); d != "" || !worth {
		t.Error(d)
	}
	for e, want := range map[broker.Result]bool{
		{Command: "rollback", How: "done"}: false, {Command: "rotate", How: "done"}: false, {Command: "rollback", How: "failed"}: true, {Command: "deploy", How: "done"}: true,
	} {
		if _, hosts, worth := newRecord(mark, e, nil, nil, now); worth != want || hosts != nil {
			t.Errorf("%+v: %v, %v", e, worth, hosts)
		}
	}
}
