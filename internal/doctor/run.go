package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Check looks at one thing.
type Check struct {
	Area  string
	Name  string        // what it looks at
	Limit time.Duration // 0 is usualLimit
	Look  func(ctx context.Context) []Finding
}

// usualLimit is how long a check may take: the slowest waits for hosts that do not
// answer, or for a Kamal that loads on a busy machine.
const usualLimit = 90 * time.Second

// Run does all checks, side by side, and reports in their order. tell is told which
// are still going on. Where ctx ends, the report is of what was found until then.
func Run(ctx context.Context, checks []Check, tell func(text string)) Report {
	var (
		mu      sync.Mutex
		found   = make([][]Finding, len(checks))
		waiting []string
		wg      sync.WaitGroup
	)
	progress := func() {
		names := slices.Compact(slices.Clone(waiting))
		tell(fmt.Sprintf("looking: %d of %d, waiting for %s", len(checks)-len(waiting), len(checks), strings.Join(names, ", ")))
	}
	for _, c := range checks {
		waiting = append(waiting, c.Name)
	}
	if len(checks) > 0 {
		progress()
	}
	for i, c := range checks {
		wg.Go(func() {
			seen := c.look(ctx)
			mu.Lock()
			defer mu.Unlock()
			found[i] = seen
			at := slices.Index(waiting, c.Name)
			if waiting = slices.Delete(waiting, at, at+1); len(waiting) > 0 {
				progress()
			}
		})
	}
	wg.Wait()
	tell("")
	return report(slices.Concat(found...))
}

// look is Look within its time.
func (c Check) look(ctx context.Context) []Finding {
	limit := c.Limit
	if limit == 0 {
		limit = usualLimit
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	found := c.Look(limited)
	if limited.Err() != nil && ctx.Err() == nil {
		return []Finding{unseen(c.Area, c.Name, c.Name+": it took longer than "+limit.String(), "")}
	}
	return found
}

// Questions are asked once, whoever wants the answer. They are to be closed.
type Questions struct {
	ctx    context.Context
	cancel func()
	asked  sync.WaitGroup
}

// Ask makes questions that end with ctx.
func Ask(ctx context.Context) *Questions {
	ctx, cancel := context.WithCancel(ctx)
	return &Questions{ctx: ctx, cancel: cancel}
}

// Close ends what is still asked, and waits for its end.
func (q *Questions) Close() {
	q.cancel()
	q.asked.Wait()
}

// Share is a question of which the first who wants the answer asks, and all wait for
// it, each as long as it may. An answer that is there is given also to who may not wait
// any more.
func Share[T any](q *Questions, ask func(ctx context.Context) (T, error)) func(ctx context.Context) (T, error) {
	var (
		once   sync.Once
		answer T
		failed error
		done   = make(chan struct{})
	)
	return func(ctx context.Context) (T, error) {
		once.Do(func() {
			q.asked.Go(func() {
				defer close(done)
				answer, failed = ask(q.ctx)
			})
		})
		select {
		case <-done:
		case <-ctx.Done():
			select {
			case <-done:
			default:
				var none T
				return none, ctx.Err()
			}
		}
		return answer, failed
	}
}
