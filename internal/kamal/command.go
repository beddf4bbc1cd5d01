package kamal

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// NewCommand is a command of the Kamal at path that ends with ctx whole. A binstub may
// be a shell script with children: the group is ended, and a pipe that one of them
// still holds does not keep us.
func NewCommand(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
			return os.ErrProcessDone
		}
		return nil
	}
	cmd.WaitDelay = time.Second
	return cmd
}

// LastLine is the last line of text that says something, shortened.
func LastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	// Ruby's own last lines are the backtrace: the message is the line with the
	// error's class in parentheses, where there is one.
	best := strings.TrimSpace(lines[len(lines)-1])
	for _, line := range lines {
		if strings.Contains(line, "Error)") || strings.Contains(line, "NotFound)") {
			best = strings.TrimSpace(line)
			break
		}
	}
	if len(best) > 300 {
		best = best[:300] + "…"
	}
	return best
}
