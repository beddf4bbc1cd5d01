package broker

import (
	"context"
	"time"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// Locks follows the deploy locks of the run's Kamals, and decides about those that others
// hold. Its methods may be called from several goroutines.
type Locks interface {
	// Mark is what the details of the run's locks say of their owner.
	Mark() kamal.Mark
	// Taking is called right before a lock is taken: from here on it may be ours.
	Taking(place kamal.LockPlace)
	// Taken is called when it has been taken.
	Taken(place kamal.LockPlace)
	// Released is called when Kamal has released it.
	Released(place kamal.LockPlace)
	// Kept is called for a lock that was taken to stay when the run is over.
	Kept(place kamal.LockPlace)
	// Held is called when another has it, again and again while Kamal waits.
	// patience is what Kamal's own --lock-wait-timeout says, 0 without --lock-wait.
	Held(ctx context.Context, place kamal.LockPlace, lock kamal.Lock, patience time.Duration) Verdict
	// Ran is called with how a release by nonce ended.
	Ran(place kamal.LockPlace, how kamal.Release)
}

// A Verdict is what becomes of a lock that another holds. The zero Verdict tries
// again to take it.
type Verdict struct {
	Release string           // the nonce: remove the lock that has it, then try again
	Wait    time.Duration    // look again after it
	Stop    *problem.Problem // Kamal ends, for this
}

// A lockRequest is a report or a question of the preload about a deploy lock.
type lockRequest struct {
	Event    string          `json:"event"`
	Place    kamal.LockPlace `json:"place"`
	Output   string          `json:"output"`   // of the command that was to be run
	Patience float64         `json:"patience"` // in seconds
}

// A lockReply is what the preload is to do.
type lockReply struct {
	Look    string  `json:"look,omitempty"`    // the command that reads the lock
	Do      string  `json:"do,omitempty"`      // release, wait, stop, or try again
	Command string  `json:"command,omitempty"` // that releases it
	Seconds float64 `json:"seconds,omitempty"` // to wait
	Why     string  `json:"why,omitempty"`     // to stop
}

// A markReply is the mark, as the preload writes it into the details.
type markReply struct {
	Message string `json:"message"` // of the locks that get it
	By      string `json:"by"`      // "" leaves Kamal's
	Lines   string `json:"lines"`   // to add
}

func (b *Broker) lock(ctx context.Context, l *lockRequest) any {
	if b.o.Locks == nil {
		return map[string]string{"error": "nothing is to be done about locks"}
	}
	reply := &lockReply{}
	switch l.Event {
	case "taking":
		b.o.Locks.Taking(l.Place)
		reply.Look = kamal.LookCommand(l.Place.Dir)
	case "taken":
		b.o.Locks.Taken(l.Place)
	case "released":
		b.o.Locks.Released(l.Place)
	case "kept":
		b.o.Locks.Kept(l.Place)
	case "release":
		reply.Command = kamal.ReleaseCommand(l.Place.Dir, b.o.Locks.Mark().Nonce)
	case "ran":
		how, ok := kamal.ParseRelease(l.Output)
		if !ok {
			how = kamal.ReleaseFails
		}
		b.o.Locks.Ran(l.Place, how)
	case "held":
		details, held := kamal.ParseLook(l.Output)
		if !held {
			break
		}
		verdict := b.o.Locks.Held(ctx, l.Place, kamal.ParseLock(details), time.Duration(l.Patience*float64(time.Second)))
		switch {
		case verdict.Stop != nil:
			reply.Do, reply.Why = "stop", b.stopFor(problem.List{verdict.Stop})
		case verdict.Release != "":
			reply.Do, reply.Command = "release", kamal.ReleaseCommand(l.Place.Dir, verdict.Release)
		case verdict.Wait > 0:
			reply.Do, reply.Seconds = "wait", verdict.Wait.Seconds()
		}
	default:
		return map[string]string{"error": "the request is not understood"}
	}
	return reply
}
