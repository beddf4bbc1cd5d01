package onepassword

import (
	"context"
	"time"
)

// hold runs f alone with the backend and under the deadline of a batch. The
// context of whoever waits for its turn counts. Where a batch has run out of time,
// whoever comes within as long again gets its failure at once, or else each of
// them would wait for the deadline anew.
func (r *Resolver) hold(ctx context.Context, f func(context.Context) error) error {
	select {
	case r.fetching <- struct{}{}:
		defer func() { <-r.fetching }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.outage.err != nil && time.Since(r.outage.at) < r.deadline {
		return r.outage.err
	}
	left := r.deadline
	if until, ok := ctx.Value(deadlineKey{}).(time.Time); ok {
		left = min(left, time.Until(until))
	}
	batch, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	r.outage = outage{}
	_ = r.failure() // of a batch that had time enough
	err := f(batch)
	if batch.Err() != nil && ctx.Err() == nil {
		r.outage = outage{err: r.failure(), at: time.Now()}
	}
	return err
}

// An outage is why a batch ran out of time, and when it did.
type outage struct {
	err error // nil where none did
	at  time.Time
}

// note keeps a failure of the backend that another try may mend, for the outage
// that it may be a part of.
func (r *Resolver) note(err error) {
	switch reasonOf(err) {
	case Unreachable, RateLimited, RanOut:
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.failed == nil || reasonOf(r.failed) == RanOut {
			r.failed = err
		}
	}
}

// failure is the first of the failures noted since it was asked last.
func (r *Resolver) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.failed
	r.failed = nil
	return err
}

// deadlineKey is the context's key of the time at which a batch that holds the
// backend several times has to be done. It is no deadline of the context, so that
// what runs out of time is reported with what it wanted.
type deadlineKey struct{}
