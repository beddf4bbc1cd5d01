package cli

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// A signal ends a command that does not look for one, once its time is over. One that
// ends by itself has that time, and what it returns counts where it was done.
func TestPromptly(t *testing.T) {
	never := make(chan struct{})
	defer close(never)
	for name, test := range map[string]struct {
		grace         time.Duration
		returns, want error
	}{
		"deaf":                    {time.Millisecond, nil, exitStatus(problem.Terminated)},
		"an error after a signal": {time.Hour, errors.New("context canceled"), exitStatus(problem.Terminated)},
		"done all the same":       {time.Hour, nil, nil},
		"a status of its own":     {time.Hour, exitStatus(problem.Found), exitStatus(problem.Found)},
	} {
		signals, sent := make(chan os.Signal), make(chan struct{})
		go func() {
			signals <- syscall.SIGTERM // taken when it is seen
			close(sent)
		}()
		err := endedBy(signals, test.grace, func() {}, func() error {
			if test.grace < time.Hour {
				<-never
			}
			<-sent
			return test.returns
		})
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := promptly(func() {}, func() error { return errors.ErrUnsupported }); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("without a signal: %v", err)
	}
}
