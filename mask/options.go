package mask

const (
	// Token stands in place of a value.
	Token = "***"
	// MinLength is the shortest value or line that is masked, in bytes. Shorter ones
	// are in every log by accident.
	MinLength = 4
)

// An Option changes what New makes.
type Option func(*options)

// options are what a Masker is made with. Tests vary all of them.
type options struct {
	token     string
	minLength int
	encodings bool
}

func defaults() options {
	return options{token: Token, minLength: MinLength, encodings: true}
}

// Encodings says whether values are masked in their encoded and decoded forms too:
// base64, percent-encoding, JSON, shell quoting and so on; true if not given. Without,
// a value is masked as is, trimmed, and line by line.
func Encodings(on bool) Option { return func(o *options) { o.encodings = on } }
