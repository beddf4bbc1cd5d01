package gate_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/mask"
)

// What a child asks its runner to mask is masked from then on, and the line that
// shows it goes no further, however the output is cut.
func TestMaskRequests_TakeAChildsMask(t *testing.T) {
	const output = "before\n::add-mask::the value%0Aof%25 two lines\r\n  ::ADD-MASK foo=bar::another\n##[add-mask]third one\n::add-maskx::no\n::add\n" +
		"the value, of% two lines, another, third one\n: prompt"
	const want = "before\n:\\:add-maskx::no\n:\\:add\n***, ***, ***, ***\n: prompt"
	for size := 1; size < len(output)+7; size += 6 {
		var out bytes.Buffer
		g := onGitHub(&out, nil)
		var asked []string
		var told []string
		child := g.Stdout().Child(g.Stdout(), gate.ChildOptions{
			Asked:  func(s mask.Secret) bool { asked = append(asked, s.Reveal()); return len(asked) > 1 },
			Notice: func(text, _ string) { told = append(told, text) },
		})
		for rest := output; rest != ""; {
			n := min(size, len(rest))
			fmt.Fprint(child, rest[:n])
			rest = rest[n:]
		}
		if err := child.Close(); err != nil {
			t.Fatal(err)
		}
		// White space before such a line may have been let out already.
		if got := strings.NewReplacer("\n :", "\n:", "\n  :", "\n:").Replace(out.String()); got != want {
			t.Errorf("cut at %d: %q, want %q", size, got, want)
		}
		if got := strings.Join(asked, "|"); got != "the value\nof% two lines|another|third one" {
			t.Errorf("asked for %q", got)
		}
		if len(told) != 1 || !strings.Contains(told[0], "it is, and the line is dropped") {
			t.Errorf("told %q", told)
		}
	}
}

// A server's output cannot blank the log.
func TestMaskRequests_RefuseAServersMask(t *testing.T) {
	var out bytes.Buffer
	g := onGitHub(&out, nil)
	var told []string
	child := g.Stdout().Child(g.Stdout(), gate.ChildOptions{
		Source: gate.Remote,
		Asked:  func(mask.Secret) bool { t.Error("the runner was told"); return true },
		Notice: func(text, _ string) { told = append(told, text) },
	})
	fmt.Fprint(child, "::add-mask::deploying\nstill deploying\n::add-mask::x\n")
	if out.String() != "still deploying\n" || len(told) != 1 {
		t.Errorf("%q, told %q", out.String(), told)
	}
}

func TestMaskRequests_HaveBounds(t *testing.T) {
	var out bytes.Buffer
	g := onGitHub(&out, nil)
	child := g.Stdout().Child(g.Stdout(), gate.ChildOptions{})
	for i := range 300 {
		fmt.Fprintf(child, "::add-mask::value number %d.\n", i)
	}
	fmt.Fprint(child, "value number 255. and value number 256.\n::add-mask::"+strings.Repeat("long", 1<<15)+"\nlong\n::add-mask::ab\nab\n")
	if want := "*** and value number 256.\nlong\nab\n"; out.String() != want {
		t.Errorf("got %.200q", out.String())
	}
}

// The longest value that is taken is known to the byte, and of a line that is dropped
// nothing is shown, however it comes.
func TestAsks_TakeALineOf64KiB(t *testing.T) {
	const ask = "::add-mask::"
	var numbers strings.Builder
	for i := range 1 << 14 {
		fmt.Fprint(&numbers, i)
	}
	for _, end := range []string{"\n", "\r\n"} {
		for _, more := range []int{0, 1} {
			long := numbers.String()[:64<<10-len(ask)+more]
			shown := []string{"***", long}[more]
			output := ask + long + end + long + "\n"
			for _, size := range []int{len(output), len(ask + long), 20 << 10} {
				var out bytes.Buffer
				g := onGitHub(&out, nil)
				child := g.Stdout().Child(g.Stdout(), gate.ChildOptions{})
				for rest := output; rest != ""; {
					n := min(size, len(rest))
					fmt.Fprint(child, rest[:n])
					rest = rest[n:]
				}
				if err := child.Close(); err != nil || out.String() != shown+"\n" {
					t.Errorf("%d more, cut at %d, %q: %.80q, %v", more, size, end, out.String(), err)
				}
			}
		}
	}
}

// A person's file has the line that asks, masked; of one that is too long it has nothing.
func TestAsks_OfAFile(t *testing.T) {
	for ask, want := range map[string]string{
		"::add-mask::a value of 20 letters":            "::add-mask::***\n",
		"::add-mask::" + strings.Repeat("long", 1<<15): "",
	} {
		name := filepath.Join(t.TempDir(), "out")
		file, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		g := onGitHub(file, nil)
		child := g.Stdout().Child(g.Stdout(), gate.ChildOptions{})
		fmt.Fprint(child, ask+"\nafter\n")
		text, err := os.ReadFile(name)
		if closed := errors.Join(err, child.Close(), file.Close()); closed != nil || string(text) != want+"after\n" {
			t.Errorf("%.80q, %v", text, closed)
		}
	}
}

// What cannot become such a line any more is not held, and a prompt shows.
func TestMaskRequests_HoldBackOnlyWhatMayBecomeOne(t *testing.T) {
	var out bytes.Buffer
	g := onGitHub(&out, nil)
	child := g.Stdout().Child(g.Stdout(), gate.ChildOptions{})
	for _, test := range []struct{ in, want string }{
		{"a prompt: ", "a prompt: "},
		{"\n:", "a prompt: \n"},
		{" x", "a prompt: \n: x"},
		{"\n  ", "a prompt: \n: x\n  "},
		{"::add-m", "a prompt: \n: x\n  "},
	} {
		fmt.Fprint(child, test.in)
		if out.String() != test.want {
			t.Errorf("after %q: %q, want %q", test.in, out.String(), test.want)
		}
	}
	if err := child.Flush(); err != nil || !strings.HasSuffix(out.String(), "\n  :\\:add-m") {
		t.Errorf("flushed %q, %v", out.String(), err)
	}
}
