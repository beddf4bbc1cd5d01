package ci_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

// screen is what a terminal shows after what was written to it: it knows CR,
// LF, and taking away the rest of a line.
func screen(text string) []string {
	lines, column := [][]rune{nil}, 0
	text = strings.ReplaceAll(text, "\x1b[K", "\x00")
	for _, r := range text {
		line := &lines[len(lines)-1]
		switch r {
		case '\n':
			lines, column = append(lines, nil), 0
		case '\r':
			column = 0
		case 0:
			*line = (*line)[:column]
		default:
			*line = append((*line)[:column], append([]rune{r}, (*line)[min(column+1, len(*line)):]...)...)
			column++
		}
	}
	shown := make([]string, len(lines))
	for i, line := range lines {
		shown[i] = string(line)
	}
	return shown
}

// onTerminal is a terminal without colours, of a width.
func onTerminal(log io.Writer, width int) *system {
	return detect(map[string]string{"NO_COLOR": "1"}, log, setup{Terminal: true, Width: func() int { return width }, Now: clock()})
}

func TestTerminal_ShowsTheStatusInItsLastLine(t *testing.T) {
	var log bytes.Buffer
	s := onTerminal(&log, 24)
	child := s.Child(&log)
	look := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, screen(log.String())); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	s.Status("pull")
	look("… pull (0 s)")
	fmt.Fprintln(child, "a line")
	look("a line", "… pull (1 s)")
	fmt.Fprint(child, "a prompt: ")
	look("a line", "a prompt: ")
	s.Info("ours")
	look("a line", "a prompt: ", "ours", "… pull (1 s)")
	s.Status("a long name of a phase that does not fit")
	look("a line", "a prompt: ", "ours", "… a long name of a pha…")
	s.Error(problem.New("wrong", ""))
	look("a line", "a prompt: ", "ours", "✗ wrong", "  help: "+problem.New("", "").URL(), "")
	if err := child.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTerminal_KeepsTheTimeRight(t *testing.T) {
	var log testkit.Buffer
	s := onTerminal(&log, 80)
	s.Status("boot")
	testkit.WaitFor(t, "the second of the time", func() bool { return strings.Contains(log.String(), "… boot (1 s)") })
	s.Status("")
	if shown := screen(log.String()); !cmp.Equal(shown, []string{""}) {
		t.Errorf("left: %q", shown)
	}
}

// However a child's output and ours come in between, what remains is all of it
// and nothing of the status line.
func TestTerminal_LosesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var log, aside bytes.Buffer
		s := onTerminal(&log, 20)
		out := s.Child(&log)
		other := s.Child(&aside)
		var childs, ours strings.Builder
		for range 30 {
			switch random.IntN(6) {
			case 0, 1, 2:
				piece := strings.Repeat("c", random.IntN(3)) + strings.Repeat("\n", random.IntN(2))
				childs.WriteString(piece)
				fmt.Fprint(out, piece)
			case 3:
				ours.WriteString("ours\n")
				s.Info("ours")
			case 4:
				s.Status(strings.Repeat("phase", random.IntN(3)))
			case 5:
				fmt.Fprint(other, "elsewhere\n")
			}
		}
		s.Status("")
		var gotChilds, gotOurs strings.Builder
		for _, line := range screen(log.String()) {
			if line == "ours" {
				gotOurs.WriteString("ours\n")
			} else {
				gotChilds.WriteString(line)
			}
		}
		if got, want := gotChilds.String(), strings.ReplaceAll(childs.String(), "\n", ""); got != want || gotOurs.String() != ours.String() {
			t.Fatalf("the child's %q, want %q; ours %q, want %q", got, want, gotOurs.String(), ours.String())
		}
		if strings.ReplaceAll(aside.String(), "elsewhere\n", "") != "" {
			t.Fatalf("beside it: %q", aside.String())
		}
	}
}

func TestTerminal_StaysWithinItsWidth(t *testing.T) {
	for width := 1; width < 40; width++ {
		var log bytes.Buffer
		s := onTerminal(&log, width)
		s.Status("build and push über alles")
		s.Status("")
		for _, line := range strings.Split(log.String(), "\r\x1b[K") {
			if n := utf8.RuneCountInString(line); n >= width {
				t.Errorf("%d columns of %d: %q", n, width, line)
			}
		}
	}
}
