package sshagent

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// await reads a file until it holds one of the marks.
func await(t testing.TB, path string, marks ...string) string {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		b, _ := os.ReadFile(path)
		for _, mark := range marks {
			if strings.Contains(string(b), mark) {
				return string(b)
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q never came: %s", marks, b)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestJournal_KeepsTheNewest(t *testing.T) {
	var j journal
	for i := range keptEvents + 7 {
		j.add(Event{Signed: true, User: "root", Key: strconv.Itoa(i)})
	}
	events := j.events()
	if len(events) != keptEvents || events[0].Key != "7" || events[keptEvents-1].Key != strconv.Itoa(keptEvents+6) {
		t.Errorf("%d events from %s to %s", len(events), events[0].Key, events[len(events)-1].Key)
	}
	if got := j.total().Signed; got != keptEvents+7 {
		t.Errorf("%d signatures counted", got)
	}
}

func TestJournal_BoundsTheUsers(t *testing.T) {
	var j journal
	for i := range keptUsers + 50 {
		j.add(Event{Signed: true, User: fmt.Sprintf("user%03d", i)})
	}
	j.add(Event{Signed: true, User: "user000"})
	c := j.total()
	if len(c.Users) != keptUsers+1 || c.Users[""] != 50 || c.Users["user000"] != 2 {
		t.Errorf("%d users, %d others, %d for the first", len(c.Users), c.Users[""], c.Users["user000"])
	}
	c.Users["user000"] = 99
	if j.total().Users["user000"] != 2 {
		t.Error("the caller's copy is the journal's own")
	}
}

func TestCounts_String(t *testing.T) {
	for want, c := range map[string]Counts{
		"no signatures":                                  {},
		"no signatures, 2 refused":                       {Refused: 2},
		"1 signature for root":                           {Signed: 1, Users: map[string]int{"root": 1}},
		"3 signatures for root, 1 refused":               {Signed: 3, Refused: 1, Users: map[string]int{"root": 3}},
		"2 signatures for deploy, 1 for root, 1 refused": {Signed: 3, Refused: 1, Users: map[string]int{"root": 1, "deploy": 2}},
		"4 signatures for other users, 1 for root":       {Signed: 5, Users: map[string]int{"root": 1, "": 4}},
	} {
		if got := c.String(); got != want {
			t.Errorf("counts are %q, want %q", got, want)
		}
	}
}

func TestLog_ToldBeforeTheAnswerInOrder(t *testing.T) {
	var told []Event
	var a *Agent
	a, k := startAgent(t, Options{Log: func(e Event) {
		if a.Counts().Signed+a.Counts().Refused != len(told)+1 { // may ask, and is told each
			t.Error("the counts are not those of the events told")
		}
		told = append(told, e)
	}})
	w := dial(t, a)
	w.login(k, request{}, 0)
	w.ask([]byte{msgLock})
	w.login(k, request{user: "git"}, 0)
	if len(told) != 3 { // read without a lock: the answers came after
		t.Fatalf("%d events told", len(told))
	}
	if diff := cmp.Diff(told, a.Events()); diff != "" {
		t.Error(diff)
	}
	e := told[2]
	if !e.Signed || e.User != "git" || e.Algorithm != "ssh-ed25519" || e.Key != k.Fingerprint() ||
		e.Request != "sign" || e.Reason != "" || time.Since(e.Time) > time.Minute {
		t.Errorf("the event is %+v", e)
	}
}
