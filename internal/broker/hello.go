package broker

import (
	"fmt"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A helloRequest comes from the preload when a Kamal has read its configuration.
type helloRequest struct {
	PID    int           `json:"pid"`
	Kamal  string        `json:"kamal"`
	Dotenv string        `json:"dotenv"`
	Ruby   string        `json:"ruby"`
	Aside  []skippedPart `json:"aside"` // the parts of the preload that stepped aside
	Early  bool          `json:"early"` // from a Kamal that was started before all was known
	Apart  string        `json:"apart"` // why such a one has ended instead; "" goes on
}

// An Arrival is a Kamal that was started before all is known and has loaded its
// commands. It waits, and has begun none.
type Arrival struct {
	Version string
	Apart   string // why it ends instead of waiting; "" for one that waits
}

// early reports whether it is from a Kamal that was started before all was known.
func (h *helloRequest) early() bool { return h.Early || h.Apart != "" }

// recordArrival records a Kamal that waits until all is known. It is false where that one
// is not needed any more.
func (b *Broker) recordArrival(h *helloRequest) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dismissed {
		return false
	}
	addPID(&b.kamals, h.PID)
	select {
	case b.arrival <- Arrival{Version: h.Kamal, Apart: h.Apart}:
	default: // there is one
	}
	return true
}

// Dismiss drops the Kamal that was started before all was known: the broker forgets it,
// and does not answer it. Call it before Open, and before that Kamal is killed: whoever
// comes afterwards is another.
func (b *Broker) Dismiss() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dismissed, b.kamals, b.needed = true, nil, nil
}

func (b *Broker) isDismissed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dismissed
}

// Arrival brings the first Kamal that waits.
func (b *Broker) Arrival() <-chan Arrival { return b.arrival }

// A skippedPart of the preload, and why it stepped aside.
type skippedPart struct {
	Part string `json:"part"`
	Why  string `json:"why"`
}

// A helloReply is what the preload is to do.
type helloReply struct {
	// Declared are the declared secrets: they answer $NAME. JSON has their bytes
	// in base64, since Ruby's and Go's ideas of a string differ.
	Declared map[string][]byte `json:"declared"`

	ForwardAgent bool              `json:"forward_agent"`
	RollBack     bool              `json:"roll_back"`
	FreshEnv     bool              `json:"fresh_env,omitempty"`
	ExactValues  kamal.ExactValues `json:"exact_values,omitzero"`
	ReuseImage   bool              `json:"reuse_image,omitempty"`
	BuildKey     string            `json:"build_key,omitempty"`   // of the label that says what an image was built of
	History      bool              `json:"history,omitempty"`     // ask what to write down of how it ended
	Mark         *markReply        `json:"mark,omitempty"`        // of deploy locks; nil leaves them to Kamal
	KnownHosts   string            `json:"known_hosts,omitempty"` // the file with the host keys that count
	Agent        string            `json:"agent,omitempty"`       // the socket of the run's agent
	LogIn        bool              `json:"log_in"`                // tell the hosts before connecting
	Stop         string            `json:"stop,omitempty"`        // why Kamal is not to go on
}

func (b *Broker) hello(h *helloRequest) *helloReply {
	r := &helloReply{Declared: map[string][]byte{}, ForwardAgent: b.o.ForwardAgent, RollBack: b.o.RollbackOnFailure, FreshEnv: b.o.FreshEnv, ExactValues: b.o.ExactValues, History: b.o.Record != nil, ReuseImage: b.o.ReuseImage}
	if b.o.ReuseImage {
		r.BuildKey = b.o.BuildKey.Reveal()
	}
	if b.o.Hosts != nil {
		r.KnownHosts, r.LogIn, r.Agent = b.o.Hosts.KnownHosts, b.o.Hosts.LogIn, b.o.Hosts.Agent
	}
	for _, d := range b.o.Declared {
		r.Declared[d.Secret.Name()] = []byte(d.Secret.Reveal())
	}
	b.mu.Lock()
	addPID(&b.kamals, h.PID)
	b.mu.Unlock()
	if b.o.Locks != nil {
		mark := b.o.Locks.Mark()
		r.Mark = &markReply{Message: mark.Message(), By: mark.By(), Lines: mark.Lines()}
	}
	b.notify(Event{Kind: Attach, Message: fmt.Sprintf("kamal %s, dotenv %s, ruby %s", h.Kamal, h.Dotenv, h.Ruby)})
	for _, aside := range h.Aside {
		if aside.Part == pinningPart && r.KnownHosts != "" {
			r.Stop = b.stopFor(problem.List{problem.New(
				"the host keys given with --host-keys cannot be enforced with kamal "+h.Kamal+": "+aside.Why,
				"run another Kamal, or a newer kamal-op that knows this one").About(problem.OtherKamal)})
		}
		if aside.Part == bootsPart && b.o.RollbackOnFailure {
			r.Stop = b.stopFor(problem.List{problem.New("--rollback-on-failure does not know this Kamal ("+h.Kamal+"): "+aside.Why,
				"leave the option away, or take a newer kamal-op").About(problem.OtherKamal)})
		}
		if aside.Part == exactPart && !b.o.ExactValues.IsZero() {
			r.Stop = b.stopFor(problem.List{problem.New("--exact-values does not know this Kamal ("+h.Kamal+"): "+aside.Why,
				"leave the option away, or take a newer kamal-op").About(problem.OtherKamal)})
		}
		b.notifyOnce(Event{
			Kind:    Warning,
			Message: fmt.Sprintf("kamal %s, dotenv %s: %s is left to Kamal, %s", h.Kamal, h.Dotenv, aside.Part, aside.Why),
			Hint:    "what arrives is still held against the vault; a newer kamal-op may know this version",
		})
	}
	return r
}

// stopFor records the problems that Kamal is stopped for, and gives the text that Kamal
// prints.
func (b *Broker) stopFor(problems problem.List) string {
	b.mu.Lock()
	b.problems = append(b.problems, problems...)
	b.mu.Unlock()
	var lines []string
	for _, p := range problems {
		lines = append(lines, "  "+p.Error())
		for _, detail := range p.Details {
			lines = append(lines, "    "+detail)
		}
		if p.Hint != "" {
			lines = append(lines, "    hint: "+p.Hint)
		}
	}
	// The first stands behind what Kamal says before it.
	return strings.TrimPrefix(strings.Join(lines, "\n"), "  ")
}
