package mask

import (
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// A Masker knows values and masks them in any number of streams. All its methods
// may be called at the same time.
type Masker struct {
	opts options

	mu       sync.Mutex // guards what follows
	values   map[string]*verdict
	patterns map[string]bool
	skipped  []Skipped
	noisy    []Noisy

	// current is what the streams look for; nil after an Add, until a stream
	// needs it: many Adds cost one building.
	current atomic.Pointer[set]
}

// New makes a Masker that knows no value yet.
func New(opts ...Option) *Masker {
	m := &Masker{
		opts:     defaults(),
		values:   map[string]*verdict{},
		patterns: map[string]bool{},
	}
	for _, opt := range opts {
		opt(&m.opts)
	}
	return m
}

// Add makes every stream of m mask value from the next Write on, in all its
// forms. It may be called while streams are open: what has been written through
// is out, what a stream still holds back is looked at again.
//
// A value that is empty or shorter than MinLength is refused and reported by
// Skipped, as are the lines that are too short of a value of several lines.
func (m *Masker) Add(value string) { m.add("", value) }

// AddBytes is Add for a value in bytes, which it copies.
func (m *Masker) AddBytes(value []byte) { m.add("", string(value)) }

// AddSecret is Add for a Secret: reports carry its name.
func (m *Masker) AddSecret(s Secret) { m.add(s.name, s.Reveal()) }

// verdict is what there is to report of a value, and the names that it was reported by.
type verdict struct {
	skipped []Skipped
	noise   string
	names   []string
}

func (m *Masker) add(name, value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, known := m.values[value]
	if !known {
		v = &verdict{}
		m.values[value] = v
		var patterns []string
		patterns, v.skipped = expand(value, &m.opts)
		if len(patterns) > 0 {
			v.noise = noise(value)
		}
		for _, p := range patterns {
			if !m.patterns[p] {
				m.patterns[p] = true
				m.current.Store(nil)
			}
		}
	}
	if v.skipped == nil && v.noise == "" || slices.Contains(v.names, name) {
		return
	}
	// One value under several names is told under each.
	v.names = append(v.names, name)
	for _, s := range v.skipped {
		s.Name = name
		m.skipped = append(m.skipped, s)
	}
	if v.noise != "" {
		m.noisy = append(m.noisy, Noisy{Name: name, Reason: v.noise})
	}
}

// knows reports whether value was added.
func (m *Masker) knows(value string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values[value] != nil
}

// compiled is the set that the streams search for now.
func (m *Masker) compiled() *set {
	if s := m.current.Load(); s != nil {
		return s
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.current.Load(); s != nil {
		return s
	}
	s := newSet(m.patterns, m.opts.token)
	m.current.Store(s)
	return s
}

// Writer is a stream to w: what is written to it reaches w masked. It holds back
// the end of what was written only as long as that may be the beginning of a
// value; Flush and Close let it out. Values are found within one stream, not
// across two.
func (m *Masker) Writer(w io.Writer) *Writer { return &Writer{masker: m, out: w, steady: true} }

// String is s, masked: a stream of its own, written at once. What is to be encoded,
// such as a string of JSON, is masked before.
func (m *Masker) String(s string) string {
	var b strings.Builder
	w := m.Writer(&b)
	_, _ = io.WriteString(w, s) // a strings.Builder does not fail
	_ = w.Close()
	return b.String()
}

// Bytes is String for bytes: a copy of p, masked.
func (m *Masker) Bytes(p []byte) []byte { return []byte(m.String(string(p))) }

// Patterns is the number of byte strings that are searched for: all forms of all
// values and of their lines.
func (m *Masker) Patterns() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.patterns)
}

// Skipped is what was refused so far, in the order of adding, and why.
func (m *Masker) Skipped() []Skipped {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.skipped)
}

// Noisy is what was added although it will blank much of the log, in the order
// of adding: tell the user, who may want another value or to declare it public.
func (m *Masker) Noisy() []Noisy {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.noisy)
}
