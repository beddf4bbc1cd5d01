// Package gate is the one way out of the program. It owns the two standard
// streams, the files that a CI system names, the arguments and the input of the
// system's helper programs, and what is sent to GitHub's API. Whatever leaves is
// masked with the run's masker, and then made harmless for who reads it:
//
//   - a runner's log: nothing in it is a command of GitHub's, Gitea's, Azure's or
//     TeamCity's, nor a mark of GitLab's or Buildkite's, but our own;
//   - a terminal: in our own lines no foreign byte is obeyed;
//   - JSON: it is masked a string at a time, before it is encoded, so that it stays
//     JSON;
//   - a file or a pipe of a person's: what a child writes there is masked, and
//     nothing else is changed.
//
// A Gate has one masker. It is made when the program begins, and a value counts
// from the moment it is registered, in every way out that is open by then.
//
// # By construction
//
// A Stream can be made here only, and is what every room below main gets to write
// to. Two of its methods let text pass unmasked, since it is a command of ours that
// was put together of masked parts: Prepared and MaskCommands. A test over the
// syntax tree holds that nobody but the room ci calls them, and that nobody writes
// past the gate.
//
// # What is not gated
//
//   - The bytes of a project's own files that are edited: every other byte of them
//     is kept, and *** would become part of the project. What is shown of an edit is
//     gated.
//   - The answers of the broker to the run's own children, over its private socket:
//     they are how a secret arrives.
//   - What a child writes to files, sockets and descriptors of its own. Those that
//     it would inherit of us are closed: see supervise.
package gate

import (
	"io"
	"net/http"
	"sync"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// Options are what a gate is made of.
type Options struct {
	// Env is the environment, which says who reads.
	Env map[string]string
	// Stdout and Stderr are the standard streams; nil is nowhere.
	Stdout, Stderr io.Writer
	// Cancelled is closed when the run is cancelled: a reader that takes nothing
	// is then given up. nil is never.
	Cancelled <-chan struct{}
	// Run runs a helper program with this standard input; nil is
	// errors.ErrUnsupported.
	Run func(stdin io.Reader, name string, args ...string) error
}

// A Gate is the way out of one run.
type Gate struct {
	masker         *mask.Masker
	rare           *mask.Masker // of the values that stand nowhere by accident
	o              Options
	stdout, stderr *Stream

	mu     sync.Mutex
	told   map[string]bool // what was said of values that are not masked, or too much
	asked  int             // how many values children have asked to have masked
	screen []*Stream       // on a terminal, beside the two
}

// New makes the gate of a run, which knows no value yet.
func New(o Options) *Gate {
	g := &Gate{masker: mask.New(), rare: mask.New(), o: o, told: map[string]bool{}}
	g.stdout, g.stderr = g.stream(o.Stdout), g.stream(o.Stderr)
	return g
}

// Close ends what the streams hold. They can be written to no more.
func (g *Gate) Close() {
	for _, s := range append([]*Stream{g.stdout, g.stderr}, g.screen...) {
		s.to.close()
	}
}

// Stdout is standard output.
func (g *Gate) Stdout() *Stream { return g.stdout }

// Stderr is standard error.
func (g *Gate) Stderr() *Stream { return g.stderr }

// Nowhere is a stream that nobody reads.
func (g *Gate) Nowhere() *Stream { return g.stream(nil) }

// Mask has values masked from now on in everything that leaves.
func (g *Gate) Mask(secrets ...mask.Secret) {
	for _, s := range secrets {
		noisy := len(g.masker.Noisy())
		g.masker.AddSecret(s)
		if len(g.masker.Noisy()) == noisy {
			g.rare.AddSecret(s)
		}
	}
}

// Text is text, masked. It is for parts of what is then encoded or cut: a value of
// which a part is cut off is not recognised any more.
func (g *Gate) Text(text string) string { return g.masker.String(text) }

// Masked is a writer to w, for what stays in the program: the last words of a
// child, which become part of a problem.
func (g *Gate) Masked(w io.Writer) *mask.Writer { return g.masker.Writer(w) }

// Problem is a problem with all its texts masked.
func (g *Gate) Problem(p *problem.Problem) *problem.Problem {
	if p == nil {
		return nil
	}
	q := *p
	q.Message, q.Hint, q.Place.File = g.Text(p.Message), g.Text(p.Hint), g.Text(p.Place.File)
	q.Details = nil
	for _, d := range p.Details {
		q.Details = append(q.Details, g.Text(d))
	}
	return &q
}

// Error is an error with the texts of all its problems masked.
func (g *Gate) Error(err error) error {
	var list problem.List
	for _, p := range problem.Of(err) {
		list = append(list, g.Problem(p))
	}
	return list.Err()
}

// Unmasked says, of each value once, that it is not masked or will blank much of
// the log, by its name: what is new since the last call.
func (g *Gate) Unmasked() problem.List {
	g.mu.Lock()
	defer g.mu.Unlock()
	var list problem.List
	once := func(text, hint string) {
		if !g.told[text] {
			g.told[text] = true
			list = append(list, problem.New(g.masker.String(text), hint).About(problem.Masking))
		}
	}
	for _, s := range g.masker.Skipped() {
		switch {
		case s.Name == "" || s.Reason == "empty":
		case s.Within > 0:
			once(s.String(), "where one of them must not be seen, declare it by itself")
		default:
			once(s.String()+", and not masked", "every such text would vanish from the log: a secret should be longer")
		}
	}
	for _, n := range g.masker.Noisy() {
		if n.Name != "" {
			once(n.String()+": wherever it stands, the log has *** in its place", "choose another value; or, if it is no secret, name it in --public")
		}
	}
	return list
}

// Transport carries requests to GitHub's API: what they have in their bodies is
// masked.
func (g *Gate) Transport(next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport.(*http.Transport).Clone()
	}
	return &transport{gate: g, next: next}
}
