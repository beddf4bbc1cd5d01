package deploy

import (
	"fmt"
	"time"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// whose is whose a lock is. A freeze names what is frozen.
func whose(place kamal.LockPlace, lock kamal.Lock, now time.Time) string {
	if lock.Owner == kamal.LockFrozen {
		return lock.Frozen(place.App(), now)
	}
	return lock.Describe(now)
}

// refusal is why the run ends here.
func (k *locks) refusal(place kamal.LockPlace, lock kamal.Lock, owner ownerStatus, patience time.Duration) *problem.Problem {
	p := problem.New("the deploy lock on "+place.Host+" is not free: "+lock.Describe(k.now()), "").About(problem.DeployLock)
	if owner.why != "" {
		p.Details = []string{owner.why}
	}
	release, thaw := "kamal-op kamal -- lock release", "kamal-op thaw"
	if place.Destination != "" {
		release += " --destination " + place.Destination
		thaw += " --destination " + place.Destination
	}
	if lock.Owner == kamal.LockFrozen {
		p.Message, p.Hint = lock.Frozen(place.App(), k.now()), thaw+" ends it, if that is for you to say; or wait for it with --lock-wait 30m"
		if owner.why != "" { // its time is over, and it was tried
			p.Hint = thaw + " would not end it either: log in as who took it; by hand: " + release
		}
	}
	switch {
	case owner.over:
		p.Hint = "--stale-lock release would have released it; by hand: " + release
	case patience > 0:
		p.Status = problem.TimedOut
		if lock.Owner == kamal.LockFrozen {
			p.Message += fmt.Sprintf("; waited %s for it", patience)
			break
		}
		p.Message = fmt.Sprintf("the deploy lock on %s did not become free in %s: %s", place.Host, patience, lock.Describe(k.now()))
		p.Hint = "wait longer with --lock-wait; if you are sure that nothing is being deployed: " + release
	case lock.Owner == kamal.LockFrozen:
	case lock.Owner == kamal.LockByHand:
		p.Hint = "ask whoever took it, or wait for it with --lock-wait 30m"
	default:
		p.Hint = "wait for it with --lock-wait 15m; if you are sure that nothing is being deployed: " + release
	}
	k.events = append(k.events, p.Message)
	return p
}
