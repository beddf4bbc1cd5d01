package mask

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// hidden is what a Secret prints as, whatever Token a Masker was given: a Secret
// knows of no Masker.
const hidden = "***"

// A Secret is a value with the name it goes by. It prints as *** through every
// verb of fmt, as JSON, text, gob and in log/slog. Reveal is the only way out.
//
// The zero Secret has no name and an empty value. A Secret is meant to be passed
// by value; two of them compare equal with == only if one is a copy of the other
// (see Equal).
type Secret struct {
	name string
	// A function behind a pointer. fmt cannot call our methods on a field that is
	// unexported in somebody else's struct; it then shows an address. Dumpers that
	// go through pointers and unexported fields find a function, not a string.
	value *reveal
}

type reveal func() string

// NewSecret makes a Secret of a value and the name it may be spoken of by.
func NewSecret(name, value string) Secret {
	r := reveal(func() string { return value })
	return Secret{name: name, value: &r}
}

// Name is the name the secret may be spoken of by.
func (s Secret) Name() string { return s.name }

// Reveal is the value itself. Whoever calls it answers for where it goes.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return (*s.value)()
}

// Len is the length of the value in bytes.
func (s Secret) Len() int { return len(s.Reveal()) }

// Equal reports whether both have the same name and the same value. The time it
// takes does not depend on where two values of one length differ.
func (s Secret) Equal(other Secret) bool {
	same := subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
	return same && s.name == other.name
}

// String is ***.
func (s Secret) String() string { return hidden }

// GoString is ***, for %#v.
func (s Secret) GoString() string { return hidden }

// Format prints *** for every verb, flag and width of fmt.
func (s Secret) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, hidden) // fmt keeps the error of its own writer
}

// MarshalJSON gives "***".
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// MarshalText gives ***: for XML, YAML, flags, and the keys of maps in JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalBinary gives ***, so that encoding/gob does not refuse a struct that
// holds a Secret. Nothing decodes it again.
func (s Secret) MarshalBinary() ([]byte, error) { return []byte(hidden), nil }

// LogValue is ***, for log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }
