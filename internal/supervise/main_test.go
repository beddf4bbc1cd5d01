//go:build linux

package supervise_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/supervise"
	"github.com/kamal-op/kamal-op/internal/testkit"
	"go.uber.org/goleak"
	"golang.org/x/term"
)

// children are what the test binary can be as a child of itself.
var children = map[string]func(args []string) int{
	"environment": func([]string) int {
		env := os.Environ()
		slices.Sort(env)
		for _, e := range env {
			fmt.Println(e)
		}
		return 0
	},
	"killself": func(args []string) int {
		signal.Reset()
		n, _ := strconv.Atoi(args[0])
		_ = syscall.Kill(os.Getpid(), syscall.Signal(n))
		time.Sleep(10 * time.Second)
		return 99
	},
	// obeys ends with 40 and the number of the first signal it is given.
	"obeys": func([]string) int {
		got := make(chan os.Signal, 1)
		signal.Notify(got, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1)
		fmt.Println("ready")
		sig := <-got
		fmt.Println("got", sig)
		return 40 + int(sig.(syscall.Signal))
	},
	// stubborn ignores whatever can be ignored.
	"stubborn": func([]string) int {
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
		fmt.Println("ready")
		time.Sleep(time.Minute)
		return 99
	},
	"flood": func(args []string) int {
		total, _ := strconv.Atoi(args[0])
		piece := bytes.Repeat([]byte("x"), 1<<16)
		for ; total > 0; total -= len(piece) {
			if _, err := os.Stdout.Write(piece); err != nil {
				return 98
			}
		}
		return 0
	},
	"alternate": func(args []string) int {
		n, _ := strconv.Atoi(args[0])
		for i := range n {
			fmt.Fprintf(os.Stdout, "out %d\n", i)
			fmt.Fprintf(os.Stderr, "err %d\n", i)
		}
		return 0
	},
	// slowly writes a byte and waits until it is told that it came.
	"slowly": func(args []string) int {
		for _, b := range []byte(args[0]) {
			_, _ = os.Stdout.Write([]byte{b})
			if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
				return 99
			}
		}
		return 0
	},
	// raw reads keys as they are, up to a q.
	"raw": func([]string) int {
		if _, err := term.MakeRaw(0); err != nil {
			return 99
		}
		fmt.Print("ready")
		for key := make([]byte, 1); ; {
			if _, err := os.Stdin.Read(key); err != nil || key[0] == 'q' {
				return 8
			}
			fmt.Printf("[%d]", key[0])
		}
	},
	// terminal says what its streams are, and then repeats lines.
	"terminal": func([]string) int {
		width, height, _ := term.GetSize(0)
		fmt.Fprintf(os.Stderr, "tty %v %v %v size %dx%d foreground %v blocking %v\n", term.IsTerminal(0), term.IsTerminal(1), term.IsTerminal(2), width, height, foreground(), blocking())
		resized := make(chan os.Signal, 1)
		signal.Notify(resized, syscall.SIGWINCH)
		go func() {
			for range resized {
				w, h, _ := term.GetSize(0)
				fmt.Fprintf(os.Stderr, "resized %dx%d\n", w, h)
			}
		}()
		fmt.Println("ready")
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			fmt.Println("read:", lines.Text())
			if lines.Text() == "exit" {
				return 5
			}
		}
		fmt.Println("end of input")
		return 6
	},
	"supervisor": superviseRaw,
	"daemons":    endDaemons,
	"reaper":     reapMany,
	"first":      beFirst,
	"daemoniser": daemonise,
}

func TestMain(m *testing.M) {
	if name := os.Getenv("SUPERVISE_CHILD"); name != "" {
		os.Exit(children[name](os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// ample is the time of a stage that a test does not wait for: on a busy machine a child
// may take long to heed a signal.
const ample = 10 * time.Minute

// self is a command that runs a part of this test binary.
func self(t testing.TB, child string, args ...string) *supervise.Command {
	t.Helper()
	return &supervise.Command{
		Path: executable(t), Args: args, Env: []string{"SUPERVISE_CHILD=" + child, "PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0"},
		Grace: ample, TermGrace: ample,
	}
}

// shell is a command that runs a line of sh.
func shell(line string) *supervise.Command {
	return &supervise.Command{Path: "sh", Args: []string{"-c", line}, Env: []string{"PATH=" + os.Getenv("PATH")}, Grace: ample, TermGrace: ample}
}

func executable(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a command that is expected to be started and to pass on its output.
func run(t testing.TB, c *supervise.Command) supervise.Exit {
	t.Helper()
	exit, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return exit
}

// A page is a buffer that can be waited for.
type page struct {
	mu      sync.Mutex
	text    bytes.Buffer
	at      []time.Time // when each write came
	changed chan struct{}
}

func newPage() *page { return &page{changed: make(chan struct{}, 1)} }

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = append(p.at, time.Now())
	select {
	case p.changed <- struct{}{}:
	default:
	}
	return p.text.Write(b)
}

func (p *page) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// await waits until the page shows a text.
func (p *page) await(t testing.TB, text string) {
	t.Helper()
	late := time.After(time.Minute)
	for !bytes.Contains([]byte(p.String()), []byte(text)) {
		select {
		case <-p.changed:
		case <-late:
			t.Fatalf("waited for %q, got %q", text, p.String())
		}
	}
}

// alive reports whether a process lives; a zombie does not.
func alive(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	rest := line[bytes.LastIndexByte(line, ')')+2:]
	return rest[0] != 'Z' && rest[0] != 'X'
}

// awaitDeath waits for the end of a process.
func awaitDeath(t testing.TB, pid int) {
	t.Helper()
	testkit.WaitFor(t, fmt.Sprintf("the end of process %d", pid), func() bool { return !alive(pid) })
}

// pidIn is the number that a file or text holds.
func pidIn(t testing.TB, text string) int {
	t.Helper()
	pid, err := strconv.Atoi(string(bytes.TrimSpace([]byte(text))))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// rawSelf is the same as self, by os/exec.
func rawSelf(t testing.TB, child string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(executable(t), args...)
	cmd.Env = append(os.Environ(), "SUPERVISE_CHILD="+child, "GORACE=atexit_sleep_ms=0")
	return cmd
}
