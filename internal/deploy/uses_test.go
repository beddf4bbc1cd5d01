package deploy

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/gate"
)

// Every kind of event that is for no person's eyes at once is a use of the run.
func TestNoteBrokerEvent_RecordsEachKind(t *testing.T) {
	var out bytes.Buffer
	way := gate.New(gate.Options{Stdout: &out})
	s := &resources{Process: Process{Gate: way, System: ci.Detect(nil, way, way.Stdout(), ci.Options{JSON: true})}}
	notify := s.brokerListenOptions(Job{Process: s.Process, Wanted: Wanted{}}, "").Notify
	kinds := map[broker.EventKind]string{
		broker.Lookup: "lookup", broker.Failed: "refusal", broker.Attach: "attached", broker.Checked: "checked", broker.Login: "login",
	}
	for kind := broker.Lookup; kind < broker.Notice; kind++ {
		notify(broker.Event{Kind: kind, Message: "message " + strconv.Itoa(int(kind)), Process: "kamal (7)"})
	}
	all, more := s.uses.all()
	if len(all) != len(kinds) || more != 0 {
		t.Fatalf("%d uses and %d more: %v", len(all), more, all)
	}
	for kind, name := range kinds {
		if want := `"event":"` + name + `","text":"message ` + strconv.Itoa(int(kind)) + `","process":"kamal (7)"`; !strings.Contains(out.String(), want) {
			t.Errorf("no event %s in %s", want, out.String())
		}
	}
}

// What repeats is told once with its number, and a hook that asks for ever fills
// neither the page nor the memory.
func TestUseLog_IsBounded(t *testing.T) {
	var u useLog
	for n := range 3 {
		u.add(ci.Use{Time: time.Unix(int64(n), 0), Kind: ci.Lookup, What: "one"})
	}
	for n := range mostUses + 5 {
		u.add(ci.Use{Kind: ci.Refusal, What: strconv.Itoa(n)})
	}
	all, more := u.all()
	if len(all) != mostUses || more != 6 || all[0].Times != 3 || all[0].Time != time.Unix(0, 0) {
		t.Errorf("%d and %d more, the first %v", len(all), more, all[0])
	}
	var out bytes.Buffer
	way := gate.New(gate.Options{Stdout: &out})
	u.log(ci.Detect(nil, way, way.Stdout(), ci.Options{}))
	for _, text := range []string{"00:00:00 lookup: one (3 times)", "and 6 more"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("the log has no %q", text)
		}
	}
}

// A boot has a phase for each host, within the one that Kamal's output has.
func TestAddBootPhases_GivesEachHostItsOwn(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	phases := []ci.Phase{
		{Name: "build and push", Begun: at(0), Took: 10 * time.Second},
		{Name: "boot", Begun: at(10), Took: 10 * time.Second, Failed: true},
		{Name: "rollback", Begun: at(20), Took: 5 * time.Second},
	}
	boots := []broker.BootTime{
		{Host: "a", Role: "web", Begun: at(11), Ended: at(15)},
		{Host: "b", Role: "web", Begun: at(11), Ended: at(18), Failed: true},
		{Host: "a", Role: "job", Begun: at(12)}, // the run ended in between
		{Host: "a", Role: "web", Begun: at(21), Ended: at(23)},
	}
	want := []ci.Phase{
		phases[0], phases[1],
		{Name: "boot web", Host: "a", Begun: at(11), Took: 4 * time.Second},
		{Name: "boot web", Host: "b", Begun: at(11), Took: 7 * time.Second, Failed: true},
		{Name: "boot job", Host: "a", Begun: at(12), Took: 13 * time.Second, Failed: true},
		phases[2],
		{Name: "rollback web", Host: "a", Begun: at(21), Took: 2 * time.Second},
	}
	if diff := cmp.Diff(want, addBootPhases(phases, boots, at(25))); diff != "" {
		t.Error(diff)
	}
}
