package mask

// A Secret is a value with the name it goes by. It prints as *** through every
// verb of fmt, as JSON and text, and in log/slog. Reveal is the only way out.
type Secret struct {
	name  string
	value *string // behind a pointer, so that a dump of the struct shows an address
}

// NewSecret makes a Secret of a value and the name it may be spoken of by.
func NewSecret(name, value string) Secret { return Secret{name: name, value: &value} }

// Name is the name the secret may be spoken of by.
func (s Secret) Name() string { return s.name }

// Reveal is the value itself. Whoever calls it answers for where it goes.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Len is the length of the value in bytes.
func (s Secret) Len() int { return len(s.Reveal()) }
