package broker_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/broker"
)

func TestVersions(t *testing.T) {
	var told []broker.Event
	r := start(t, nil, nil, func(o *broker.Options) {
		o.RollBack = true
		o.Notify = func(e broker.Event) { told = append(told, e) }
	})
	boot := func(host, version, before, state string) {
		t.Helper()
		r.ask(map[string]any{"boot": map[string]string{"host": host, "role": "web", "version": version, "before": before, "state": state}})
	}
	for _, host := range []string{"a", "b", "c", "d", "e"} {
		before := map[string]string{"a": "v1", "b": "v1", "d": "v2_replaced_0f3c"}[host]
		boot(host, "v2", before, "kept")
		boot(host, "v2", before, "unknown")
	}
	boot("f", "v2", "$(reboot)", "kept") // the server says it, and people copy it
	boot("a", "v2", "v1", "booted")
	boot("b", "v2", "v1", "kept") // it failed there
	boot("c", "v2", "", "booted")
	boot("d", "v2", "v2_replaced_0f3c", "booted")
	// The rollback boots in a Kamal of its own, for which v2 is what ran before.
	boot("a", "v1", "v2", "booted")
	back := func(host, version string, failed bool) {
		r.ask(map[string]any{"rolled_back": map[string]any{"hosts": []string{host}, "role": "web", "version": version, "failed": failed}})
	}
	back("a", "v1", false)
	back("c", "", false)
	back("d", "v1", true)
	back("e;f", "$(reboot)", true)
	want := []broker.HostVersions{
		{Host: "a", Role: "web", Before: "v1", After: "v1", RolledBack: true},
		{Host: "b", Role: "web", Before: "v1", After: "v1"},
		{Host: "c", Role: "web", After: "v2"},
		{Host: "d", Role: "web", Before: "v2", After: "v2"},
		{Host: "e", Role: "web", Unknown: true},
		{Host: "f", Role: "web"},
	}
	if diff := cmp.Diff(want, r.Broker.Versions()); diff != "" {
		t.Error(diff)
	}
	events := []broker.Event{
		{Kind: broker.Notice, Message: "rolled back to v1 on a (web)"},
		{Kind: broker.Warning, Message: "the new version stays on c (web): nothing ran there before"},
		{Kind: broker.Warning, Message: "the rollback to v1 on d (web) failed", Hint: "why stands above; kamal-op rollback v1 --hosts d --roles web tries again"},
		{Kind: broker.Warning, Message: "the rollback to $(reboot) on e;f (web) failed", Hint: "why stands above; kamal-op rollback '$(reboot)' --hosts 'e;f' --roles web tries again"},
	}
	if diff := cmp.Diff(events, told); diff != "" {
		t.Error(diff)
	}
}
