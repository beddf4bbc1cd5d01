package deploy

import (
	"context"
	"errors"
	"time"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// OutOfTime is the cause of a context that ended because a run took too long. It
// is context.DeadlineExceeded too.
type OutOfTime struct{ Limit time.Duration }

// Error says how long the run was allowed to take.
func (o OutOfTime) Error() string { return "the run took longer than --timeout " + o.Limit.String() }

// Unwrap is context.DeadlineExceeded.
func (o OutOfTime) Unwrap() error { return context.DeadlineExceeded }

// beforeChild is where a run is that has not yet started what it is for.
const beforeChild = "before anything was started"

// outOfTime is the problem of a run whose time ran out, and nil of any other.
// where is what it was at.
func outOfTime(ctx context.Context, where string) *problem.Problem {
	var late OutOfTime
	if !errors.As(context.Cause(ctx), &late) {
		return nil
	}
	return late.Problem(where)
}

// contextError is why a context has ended: that time ran out, or its cause.
func contextError(ctx context.Context, where string) error {
	if late := outOfTime(ctx, where); late != nil {
		return late
	}
	return context.Cause(ctx)
}

// Problem is the problem of a run that was ended for it. where is what it was at,
// such as "while it booted the app".
func (o OutOfTime) Problem(where string) *problem.Problem {
	return &problem.Problem{
		Message: o.Error() + ", and was ended " + where,
		Hint:    "if nothing hangs there, give it more time with --timeout",
		Status:  problem.TimedOut,
		Cause:   o,
	}
}
