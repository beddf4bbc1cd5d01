//go:build linux || darwin

package deploy

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/sshagent/peer"
)

// sleeper starts a shell that has said that it is ready, and gives its name. It is
// nobody's zombie: it is waited for as soon as it ends.
func sleeper(t *testing.T, trap string) (name string, ended <-chan error) {
	t.Helper()
	cmd := exec.Command("sh", "-c", trap+"; echo ready; while :; do sleep 0.01; done")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatal(line, err)
	}
	start, ok := peer.Began(cmd.Process.Pid)
	if !ok {
		t.Fatal("the system does not say when it began")
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	return fmt.Sprintf("%d %d", cmd.Process.Pid, start), done
}

func TestEndProcess(t *testing.T) {
	for name, test := range map[string]struct {
		trap, end string
		grace     time.Duration
	}{
		"that cleans up":        {"trap 'exit 7' TERM", "exit status 7", time.Minute},
		"that heeds no SIGTERM": {"trap '' TERM", "signal: killed", 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			process, ended := sleeper(t, test.trap)
			alive, err := endProcess(context.Background(), process, test.grace)
			if !alive || err != nil {
				t.Errorf("alive %v, %v", alive, err)
			}
			if err := <-ended; err.Error() != test.end {
				t.Errorf("it ended with %v", err)
			}
			if alive, err := EndProcess(context.Background(), process); alive || err != nil {
				t.Errorf("a second time: alive %v, %v", alive, err)
			}
		})
	}
}

// Another process with the number of the one that was meant is left alone.
func TestEndProcess_SparesAnotherOfThisNumber(t *testing.T) {
	process, ended := sleeper(t, ":")
	pid, start, _ := strings.Cut(process, " ")
	if alive, err := EndProcess(context.Background(), pid+" 1"+start); alive || err != nil {
		t.Errorf("alive %v, %v", alive, err)
	}
	select {
	case err := <-ended:
		t.Errorf("it ended: %v", err)
	default:
	}
}

func TestEndProcess_RefusesWhatIsNoProcess(t *testing.T) {
	for _, name := range []string{"", "1 1", "-1 1", "0 5", "12", "12 x", "12 1 1", " 12 1", OwnProcess()} {
		if alive, err := EndProcess(context.Background(), name); alive || err == nil {
			t.Errorf("%q: alive %v, %v", name, alive, err)
		}
	}
	var pid int
	if _, err := fmt.Sscanf(OwnProcess(), "%d", &pid); err != nil || pid != os.Getpid() || syscall.Kill(pid, 0) != nil {
		t.Errorf("we are %q", OwnProcess())
	}
}
