package onepassword

import (
	"errors"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// Refusals collects, of many questions, those that 1Password refused or could not be
// asked. They say nothing about a project, and one cause stands behind many of
// them: it is reported once, with the names it stands in the way of.
type Refusals struct {
	failures failures
}

// Add takes the error of asking for the secret of the name, and says whether it was
// a refusal. What it was not, an item that is not there, is the caller's to tell.
func (r *Refusals) Add(name string, err error) bool {
	var backend *BackendError
	if !errors.As(err, &backend) || problem.Status(err) != problem.Refused {
		return false
	}
	r.failures.add(Declaration{Name: name}, err)
	return true
}

// Err is one problem for each cause, or nil where nothing was refused.
func (r *Refusals) Err() error { return r.failures.list() }
