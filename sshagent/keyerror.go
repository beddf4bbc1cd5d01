package sshagent

// A KeyErrorKind is what a text turned out to be instead of a usable key.
type KeyErrorKind string

// The kinds of a KeyError. They are stable: programs may act on them.
const (
	NotKey         KeyErrorKind = "not a key"
	Encrypted      KeyErrorKind = "encrypted"
	Mismatch       KeyErrorKind = "mismatch"
	NotPublic      KeyErrorKind = "not a public key"
	NotCertificate KeyErrorKind = "not a certificate"
)

// A KeyError says why a text is not a key that can be used, and what to do. None
// of its texts holds a byte of the input.
type KeyError struct {
	Kind    KeyErrorKind
	Message string // reads on from the name of the text: "is a public key"
	Hint    string // the next step, reads on from a colon: "put the private key there"
}

// Error is the message.
func (e *KeyError) Error() string { return "the key " + e.Message }
