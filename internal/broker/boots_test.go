package broker_test

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/broker"
)

func TestVersions(t *testing.T) {
	var told []broker.Event
	r := start(t, nil, nil, func(o *broker.Options) {
		o.RollbackOnFailure = true
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

// When each boot began and ended is known by host and role: Kamal boots several side by
// side, and a rollback boots once more.
func TestBootTimes_HaveOneForEachBoot(t *testing.T) {
	begun := time.Now() // connections have their deadlines by the same clock
	at := func(second int) time.Time { return begun.Add(time.Duration(second) * time.Second) }
	var now atomic.Int64 // seconds
	r := start(t, nil, nil, func(o *broker.Options) { o.Now = func() time.Time { return at(int(now.Load())) } })
	for second, boot := range [][3]string{
		{"a", "web", "kept"},
		{"a", "web", "unknown"},
		{"b", "web", "kept"},
		{"a", "job", "kept"},
		{"a", "web", "booted"},
		{"b", "web", "unknown"},
		{"b", "web", "kept"}, // it failed
		{"a", "web", "kept"}, // the rollback
		{"a", "web", "booted"},
		{"c", "web", "booted"}, // of which no beginning was told
	} {
		now.Store(int64(second))
		r.ask(map[string]any{"boot": map[string]string{"host": boot[0], "role": boot[1], "version": "v2", "before": "v1", "state": boot[2]}})
	}
	want := []broker.BootTime{
		{Host: "a", Role: "web", Begun: at(0), Ended: at(4)},
		{Host: "b", Role: "web", Begun: at(2), Ended: at(6), Failed: true},
		{Host: "a", Role: "job", Begun: at(3)},
		{Host: "a", Role: "web", Begun: at(7), Ended: at(8)},
	}
	if diff := cmp.Diff(want, r.Broker.BootTimes()); diff != "" {
		t.Error(diff)
	}
}

// An event of op says who has run it, one of a login which registry it is.
func TestNotify_TellsWhoAndWhere(t *testing.T) {
	var told []broker.Event
	r := start(t, nil, nil, func(o *broker.Options) { o.Notify = func(e broker.Event) { told = append(told, e) } })
	r.op("read", "op://MyApp/Production/NOPE")
	r.ask(map[string]any{"login": map[string]string{"server": "ghcr.io"}})
	r.ask(map[string]any{"login": map[string]string{}})
	if len(told) != 3 || told[0].Kind != broker.Failed || told[0].Of != "op read op://MyApp/Production/NOPE" || !strings.HasSuffix(told[0].Process, "("+strconv.Itoa(os.Getpid())+")") ||
		told[1].Kind != broker.Login || told[1].Message != "docker login ghcr.io" || told[2].Message != "docker login docker.io" {
		t.Errorf("told %+v", told)
	}
}
