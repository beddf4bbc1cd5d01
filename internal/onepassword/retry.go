package onepassword

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// DefaultDeadline is how long a batch of requests may take, retries included.
const DefaultDeadline = 60 * time.Second

// attempt is the outcome of one try: nil, or why it did not do.
type attempt struct {
	err   error
	after time.Duration // what the server asked to wait, 0 if it did not
	tries int           // how many tries a failure of this reason is worth; 0 as many as the deadline allows
	fatal bool          // not transient: trying again cannot help
}

// retry runs try until it succeeds, fails for good, has used up the tries that
// its kind of failure is worth, or the context ends. Waits grow from 100 ms to 8 s
// with jitter, and of a rate limit from 1 s. Where the deadline passes, the error is that of the last try.
func retry(ctx context.Context, try func(ctx context.Context) *attempt) error {
	exponential := backoff.NewExponentialBackOff()
	exponential.InitialInterval = 100 * time.Millisecond
	exponential.MaxInterval = 8 * time.Second
	exponential.Multiplier = 2
	var last error
	counts := map[Reason]int{}
	total := 0
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		a := try(ctx)
		if a == nil {
			return struct{}{}, nil
		}
		total++
		if ctx.Err() == nil || last == nil {
			last = a.err
		}
		if a.fatal {
			return struct{}{}, backoff.Permanent(a.err)
		}
		reason := reasonOf(a.err)
		if counts[reason]++; a.tries > 0 && counts[reason] >= a.tries {
			return struct{}{}, backoff.Permanent(a.err)
		}
		if reason == RateLimited && a.after == 0 {
			// Whoever asks for fewer requests and names no time is not asked again
			// within milliseconds.
			a.after = min(time.Second<<(counts[RateLimited]-1), 8*time.Second)
		}
		if a.after > 0 {
			if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= a.after {
				return struct{}{}, backoff.Permanent(a.err)
			}
			return struct{}{}, &backoff.RetryAfterError{Duration: a.after}
		}
		return struct{}{}, a.err
	}, backoff.WithBackOff(exponential), backoff.WithMaxElapsedTime(0))
	if err == nil {
		return nil
	}
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return context.Canceled
	}
	if last == nil {
		last = err
	}
	if ctx.Err() != nil && total > 1 {
		var f *BackendError
		if errors.As(last, &f) {
			told := *f
			told.Message = fmt.Sprintf("%s, still so after %d tries when the time ran out", f.Message, total)
			return &told
		}
	}
	return last
}
