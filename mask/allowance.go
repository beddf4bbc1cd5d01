package mask

import (
	"errors"
	"sync"
)

// ErrAllowance is what Allowance.Add returns if it may not add the value.
var ErrAllowance = errors.New("more values than may be added")

// An Allowance adds values to a Masker for a source that may add some, but not fill
// the memory or blank the whole log: a child that prints ::add-mask::. Its methods may
// be called at the same time.
type Allowance struct {
	masker *Masker

	mu     sync.Mutex // guards what follows
	values int
	bytes  int
}

// Allow makes an Allowance of so many values, and so many bytes of all of them
// together.
func (m *Masker) Allow(values, bytes int) *Allowance {
	return &Allowance{masker: m, values: values, bytes: bytes}
}

// Add is AddSecret, unless the secret is one too many or too large: then the error is
// ErrAllowance, and nothing is added. A value that was added before takes nothing of
// the allowance; one that is too short does, since it is reported.
func (a *Allowance) Add(s Secret) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.masker.knows(s.Reveal()) {
		return nil
	}
	if a.values < 1 || s.Len() > a.bytes {
		return ErrAllowance
	}
	a.values--
	a.bytes -= s.Len()
	a.masker.AddSecret(s)
	return nil
}
