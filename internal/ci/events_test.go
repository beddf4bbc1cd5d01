package ci_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/mask"
)

func TestEvents_StandOneALine(t *testing.T) {
	var log, errs bytes.Buffer
	s := detect(map[string]string{"GITHUB_ACTIONS": "true"}, &log, setup{JSON: true, Commands: &errs, Now: clock()})
	session(t, s, &log)
	golden(t, "sessions/events.txt", log.String())
	for _, line := range strings.Split(strings.TrimSpace(log.String()), "\n") {
		var event struct{ Time, Event string }
		if err := json.Unmarshal([]byte(line), &event); err != nil || event.Time == "" || event.Event == "" {
			t.Errorf("%q: %v", line, err)
		}
	}
	for _, command := range commands("GitHub", log.String()) {
		t.Errorf("%q is a command", command)
	}
	if !strings.HasPrefix(errs.String(), "\n::add-mask::correct%25horse\n") {
		t.Errorf("the runner got %q", errs.String())
	}
}

func TestEvents_HoldAChildsOutput(t *testing.T) {
	long := strings.Repeat("€", 6_667) // of three bytes each
	for _, size := range []int{1, 7, 1 << 20} {
		var log bytes.Buffer
		s := detect(nil, &log, setup{JSON: true})
		if err := s.Mask(mask.NewSecret("A", "value")); err != nil {
			t.Fatal(err)
		}
		child := s.Child(&log)
		text := "one\n\n<two> & \x1b[0m\n" + long + "\nlast"
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			if _, err := io.WriteString(child, rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := child.Close(); err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		events := 0
		for lines := json.NewDecoder(&log); ; events++ {
			var event struct {
				Event, Text string
				More        bool
			}
			if err := lines.Decode(&event); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if event.Event != "line" || len(event.Text) > 8<<10 {
				t.Errorf("%s of %d bytes", event.Event, len(event.Text))
			}
			got.WriteString(event.Text)
			if !event.More {
				got.WriteByte('\n')
			}
		}
		if got.String() != text+"\n" || events != 7 {
			t.Errorf("by %d: %d events, %d bytes of %d", size, events, got.Len(), len(text)+1)
		}
	}
}

// A use of the secrets or the key is an event at once; a log for people has it at the
// end of the run.
func TestReportUse_EmitsAnEvent(t *testing.T) {
	use := ci.Use{Kind: ci.Signature, What: "a login with SHA256:x", Host: "192.0.2.1", User: "root", Process: "ssh (7)"}
	var log bytes.Buffer
	ci.ReportUse(detect(nil, &log, setup{JSON: true, Now: clock()}).System, use)
	var got struct{ Time, Event, Text, Host, User, Process string }
	if err := json.Unmarshal(log.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Event != "signature" || got.Text != use.What || got.Host != use.Host || got.User != use.User || got.Process != use.Process || got.Time == "" {
		t.Errorf("%+v", got)
	}
	log.Reset()
	ci.ReportUse(detect(nil, &log, setup{}).System, use)
	if log.Len() > 0 {
		t.Errorf("a person is told %q", log.String())
	}
}
