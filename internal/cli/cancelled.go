package cli

import (
	"context"
	"errors"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// cancelled is the status of a run that failed with err, where a signal has ended it:
// whatever was asked then (1Password, GitHub, Kamal) says no more than that nobody waits
// for its answer.
func (a *app) cancelled(err error) (status int, cancelled bool) {
	var cause error
	if a.cause != nil {
		cause = a.cause()
	}
	var signalled supervise.Signalled
	if err != nil && (errors.As(cause, &signalled) || errors.As(err, &signalled)) {
		return signalled.Status(), true
	}
	return 0, false
}

// uncancelled is err without what says only that the run was cancelled: whoever sent the
// signal knows.
func uncancelled(err error) error {
	var rest problem.List
	for _, p := range problem.Of(err) {
		if !errors.As(p, new(supervise.Signalled)) && !errors.Is(p, context.Canceled) {
			rest = append(rest, p)
		}
	}
	return rest.Err()
}
