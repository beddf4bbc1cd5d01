package broker_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/broker/opclient"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// testLocks writes down what it is told, and gives its verdict.
type testLocks struct {
	mu      sync.Mutex
	told    []string
	verdict broker.Verdict
}

func (l *testLocks) tell(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = append(l.told, what)
}

func (l *testLocks) Mark() kamal.Mark {
	return kamal.Mark{Nonce: strings.Repeat("A", 26), Repository: "example/myapp", Actor: "someone"}
}
func (l *testLocks) Taking(p kamal.LockPlace)   { l.tell("taking " + p.Host) }
func (l *testLocks) Taken(p kamal.LockPlace)    { l.tell("taken " + p.Host) }
func (l *testLocks) Released(p kamal.LockPlace) { l.tell("released " + p.Host) }
func (l *testLocks) Kept(p kamal.LockPlace)     { l.tell("kept " + p.Host) }
func (l *testLocks) Ran(p kamal.LockPlace, how kamal.Release) {
	l.tell("ran " + p.Host + " " + string(how))
}

func (l *testLocks) Held(_ context.Context, p kamal.LockPlace, lock kamal.Lock, patience time.Duration) broker.Verdict {
	l.tell("held " + p.Host + " by " + lock.By + " " + patience.String())
	return l.verdict
}

// ask sends one request over the run's socket.
func (r *run) ask(request any) map[string]any {
	r.t.Helper()
	var socket string
	for _, entry := range r.env {
		if path, ok := strings.CutPrefix(entry, opclient.SocketVariable+"="); ok {
			socket = path
		}
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	if err := json.NewEncoder(conn).Encode(request); err != nil {
		r.t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadBytes('\n')
	if err != nil {
		r.t.Fatal(err)
	}
	var reply map[string]any
	if err := json.Unmarshal(line, &reply); err != nil {
		r.t.Fatal(err)
	}
	return reply
}

func TestLock_ReportsEachStep(t *testing.T) {
	locks := &testLocks{}
	r := start(t, nil, nil, func(o *broker.Options) { o.Locks = locks })
	place := map[string]string{"host": "192.0.2.1", "dir": ".kamal/lock-app"}
	event := func(name string, more ...any) map[string]any {
		content := map[string]any{"event": name, "place": place}
		for i := 0; i < len(more); i += 2 {
			content[more[i].(string)] = more[i+1]
		}
		return r.ask(map[string]any{"lock": content})
	}
	mark := r.ask(map[string]any{"hello": map[string]any{}})["mark"].(map[string]any)
	if lock := kamal.ParseLock("Message: Automatic deploy lock\n" + mark["lines"].(string)); lock.Mark != locks.Mark() || mark["by"] != "someone (example/myapp)" || mark["message"] != "Automatic deploy lock" {
		t.Errorf("the mark is %q", mark)
	}
	if look := event("taking")["look"]; look != kamal.LookCommand(".kamal/lock-app") {
		t.Errorf("the look is %q", look)
	}
	event("taken")
	event("released")
	event("kept")
	if got := event("release")["command"]; got != kamal.ReleaseCommand(".kamal/lock-app", strings.Repeat("A", 26)) {
		t.Errorf("the release is %q", got)
	}
	event("ran", "output", "kamal-op lock: gone\n")
	event("ran", "output", "sh: not found\n")

	held := []any{"output", "kamal-op lock held:\nLocked by: Jane at 2026-11-22T02:00:00Z\nMessage: x", "patience", 2.5}
	for _, test := range []struct {
		verdict broker.Verdict
		want    map[string]any
	}{
		{broker.Verdict{}, map[string]any{}},
		{broker.Verdict{Wait: 1500 * time.Millisecond}, map[string]any{"do": "wait", "seconds": 1.5}},
		{broker.Verdict{Release: strings.Repeat("B", 26)}, map[string]any{"do": "release", "command": kamal.ReleaseCommand(".kamal/lock-app", strings.Repeat("B", 26))}},
		{broker.Verdict{Stop: problem.New("Jane has it", "ask her")}, map[string]any{"do": "stop", "why": "Jane has it\n    hint: ask her"}},
	} {
		locks.verdict = test.verdict
		if diff := cmp.Diff(test.want, event("held", held...)); diff != "" {
			t.Error(diff)
		}
	}
	if reply := event("held", "output", ""); len(reply) != 0 {
		t.Errorf("a lock that is gone: %v", reply)
	}
	if p := r.Problems(); len(p) != 1 || p[0].Message != "Jane has it" {
		t.Errorf("the problems are %v", p)
	}
	if event("something")["error"] == nil {
		t.Error("an event that is none is understood")
	}
	h := "192.0.2.1"
	byJane := "held " + h + " by Jane 2.5s"
	want := []string{"taking " + h, "taken " + h, "released " + h, "kept " + h, "ran " + h + " gone", "ran " + h + " failed", byJane, byJane, byJane, byJane}
	if diff := cmp.Diff(want, locks.told); diff != "" {
		t.Error(diff)
	}
}

func TestLock_IsKamalsWithoutLocks(t *testing.T) {
	r := start(t, nil, nil)
	if reply := r.ask(map[string]any{"hello": map[string]any{}}); reply["mark"] != nil {
		t.Errorf("there is a mark: %v", reply)
	}
	if reply := r.ask(map[string]any{"lock": map[string]any{"event": "taking"}}); reply["error"] == nil {
		t.Errorf("the answer is %v", reply)
	}
}
