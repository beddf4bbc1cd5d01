package ci_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kamal-op/kamal-op/internal/ci"
)

func TestPhases_KnowTheirTimes(t *testing.T) {
	var log bytes.Buffer
	now := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	p := ci.NewPhases(detect(nil, &log, setup{}).System, func() time.Time { return now })
	p.End()
	p.Fail()
	p.Begin("build and push", "")
	now = now.Add(83 * time.Second)
	p.Begin("boot", "192.0.2.10")
	now = now.Add(1234 * time.Millisecond)
	got, err := json.Marshal(p.All())
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"name":"build and push","begun":"2026-11-21T09:30:00.000Z","seconds":83},` +
		`{"name":"boot","host":"192.0.2.10","begun":"2026-11-21T09:31:23.000Z","seconds":1.234}]`
	if string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	p.Fail()
	p.End()
	if got, want := log.String(), "== build and push\n✓ build and push, 1 min 23 s\n== boot on 192.0.2.10\n✗ boot on 192.0.2.10, after 1.2 s\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if all := p.All(); !all[1].Failed || all[0].Failed || all[1].Took != 1234*time.Millisecond {
		t.Errorf("got %+v", all)
	}
}

func TestTail_KeepsTheLastLines(t *testing.T) {
	var tail ci.Tail
	for i := range 100 {
		fmt.Fprintf(&tail, "line %d\n", i)
	}
	fmt.Fprint(&tail, "\n  \n\x1b[31mERROR\x1b[0m (SSHKit::Command::Failed):\r\n10%\r50%\r100%\nunfini")
	fmt.Fprint(&tail, "shed")
	want := []string{"line 99", "ERROR (SSHKit::Command::Failed):", "100%", "unfinished"}
	if diff := cmp.Diff(want, tail.Lines(4)); diff != "" {
		t.Error(diff)
	}
	fmt.Fprint(&tail, " no more\n")
	if diff := cmp.Diff([]string{"unfinished no more"}, tail.Lines(1)); diff != "" {
		t.Error(diff)
	}
	if got := len(tail.Lines(1000)); got != 20 {
		t.Errorf("%d lines", got)
	}
}

func TestTail_WorksByteByByte(t *testing.T) {
	text := "one\r\ntwo\x1b[0m\n\n" + strings.Repeat("x", 3000) + "\nlast"
	var whole, bytewise ci.Tail
	fmt.Fprint(&whole, text)
	for i := range len(text) {
		_, _ = bytewise.Write([]byte{text[i]})
	}
	if diff := cmp.Diff(whole.Lines(20), bytewise.Lines(20)); diff != "" {
		t.Error(diff)
	}
	if got := whole.Lines(2)[0]; len(got) != 1<<10 {
		t.Errorf("a line of %d bytes", len(got))
	}
}

func TestTail_StaysSmall(t *testing.T) {
	var tail ci.Tail
	piece := bytes.Repeat([]byte("x"), 64<<10)
	if n := testing.AllocsPerRun(100, func() { _, _ = tail.Write(piece) }); n > 0 {
		t.Errorf("%v allocations for a piece without a newline", n)
	}
}

// An error that says more than a tail holds is remembered from its beginning.
func TestTail_KeepsTheBeginningOfALongError(t *testing.T) {
	tail := ci.Tail{Keep: func(line string) bool { return strings.HasPrefix(line, "ERROR") }}
	_, _ = io.WriteString(&tail, "ERROR earlier\nmore\nERROR it\n")
	for i := range 100 {
		_, _ = fmt.Fprintf(&tail, "line %d\n", i)
		lines := tail.Lines(20)
		first := slices.Index(lines, "ERROR it")
		if first < 0 || lines[first+1] != "line 0" || lines[len(lines)-1] != fmt.Sprintf("line %d", i) || len(lines) > 40 {
			t.Fatalf("after %d lines: %q", i+1, lines)
		}
		for k := first + 2; k < len(lines) && i < 38; k++ {
			if lines[k] != fmt.Sprintf("line %d", k-first-1) {
				t.Fatalf("after %d lines one is twice or missing: %q", i+1, lines)
			}
		}
	}
}
