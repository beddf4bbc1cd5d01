package broker

import (
	"errors"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/sshagent/peer"
)

// Whoever is turned away is told why, by what can be looked for.
func TestRefusal_SaysWhy(t *testing.T) {
	p := &peer.Peer{PID: 60, UID: 8}
	for verdict, want := range map[peer.Verdict]string{
		peer.OtherUser: "from user 8", peer.Unseen: "in a container", peer.Ended: "process 60, which opened it, has ended",
		peer.Stranger: "process 60 was not started by this run", peer.Verdict(99): "was not started by this run",
	} {
		if err := refusal(p, verdict); !errors.As(err, new(*peerError)) || !strings.Contains(err.Error(), want) {
			t.Errorf("verdict %d: %v, want %q", verdict, err, want)
		}
	}
	if err := refusal(p, peer.Served); err != nil {
		t.Error(err)
	}
}

// A Kamal that was killed while it connected is not told as a stranger. Every other
// that is turned away is, once.
func TestRefuse_IsSilentAboutADismissedKamal(t *testing.T) {
	var told []Event
	b := newBroker(ListenOptions{Now: fixedNow, Notify: func(e Event) { told = append(told, e) }})
	gone := &peerError{why: "process 1, which opened it, has ended", ended: true}
	b.Dismiss()
	b.refuse(gone)
	if len(told) > 0 {
		t.Errorf("told %+v", told)
	}
	b.refuse(&peerError{why: "process 2 was not started by this run"})
	b.refuse(gone)
	if len(told) != 1 {
		t.Errorf("told %+v", told)
	}
}
