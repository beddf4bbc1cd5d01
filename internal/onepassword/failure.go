package onepassword

import (
	"cmp"
	"errors"
	"slices"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// A Reason is the kind of a failure, the same on every backend.
type Reason int

// The reasons.
const (
	NotFound    Reason = iota + 1 // no vault, item or file of that id, or not for these credentials
	Denied                        // the credentials were refused, or do not reach this far
	RateLimited                   // 1Password asked for fewer requests
	Unreachable                   // no connection, or no whole answer
	Broken                        // an answer that is not what it should be
	Unsupported                   // the backend cannot do this at all
	RanOut                        // the deadline passed while it was tried again
)

// A BackendError is why a backend did not answer. Message and Hint are written to be
// shown; no value stands in them.
type BackendError struct {
	Reason  Reason
	Message string
	Details []string // what else is known, a line each
	Hint    string
	Cause   error // for errors.Is; not shown
}

func (f *BackendError) Error() string { return f.Message }

// Unwrap is the cause.
func (f *BackendError) Unwrap() error { return f.Cause }

// reasonOf is the reason of an error of a backend, 0 where it has none.
func reasonOf(err error) Reason {
	var f *BackendError
	if errors.As(err, &f) {
		return f.Reason
	}
	return 0
}

// problemOf tells a backend's failure as a problem; what names the thing that was
// wanted: "DATABASE_PASSWORD (op://MyApp/Production/DATABASE_PASSWORD)".
func problemOf(what string, err error) *problem.Problem {
	p := &problem.Problem{Message: what + ": " + err.Error(), Status: problem.Refused, Cause: err}
	var f *BackendError
	if errors.As(err, &f) {
		p.Hint, p.Details = f.Hint, f.Details
		if f.Reason == NotFound {
			p.Status = problem.Found
			p.Help = cmp.Or(p.Help, problem.DeclaredMissing)
		}
	}
	return p
}

// failures collects what failed of a batch in the order of declaration. Where one
// cause stands in the way of several secrets it is reported once, with their names.
type failures struct {
	groups []failureGroup
}

type failureGroup struct {
	cause    error // that several problems may share, or nil
	problem  *problem.Problem
	declared []Declaration
}

func (f *failures) add(d Declaration, err error) {
	for _, p := range problem.Of(err) {
		cause := p.Cause
		var backend *BackendError
		var other *problem.Problem
		if !errors.As(cause, &backend) && !errors.As(cause, &other) {
			cause = nil
		}
		shared := false
		for n := range f.groups {
			if g := &f.groups[n]; cause != nil && sameCause(g.cause, cause) {
				g.declared = append(g.declared, d)
				shared = true
			}
		}
		if !shared {
			f.groups = append(f.groups, failureGroup{cause, p, []Declaration{d}})
		}
	}
}

// sameCause reports whether two causes are one: the same problem, or failures of a
// backend that say the same.
func sameCause(a, b error) bool {
	if errors.Is(a, b) {
		return true
	}
	var first, second *BackendError
	return errors.As(a, &first) && errors.As(b, &second) && first.Reason == second.Reason && first.Message == second.Message
}

func (f *failures) list() error {
	var all problem.List
	for _, g := range f.groups {
		p := g.problem
		if len(g.declared) > 1 {
			told := *p
			told.Message = g.cause.Error()
			var names []string
			for _, d := range g.declared {
				if name := d.title(); !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
			told.Details = append([]string{"wanted for " + list(names)}, p.Details...)
			p = &told
		}
		all = append(all, p)
	}
	return all.Err()
}
