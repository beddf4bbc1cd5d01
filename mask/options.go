package mask

const (
	// DefaultToken stands in place of a value.
	DefaultToken = "***"
	// DefaultMinLength is the shortest value or line that is masked, in bytes.
	// Shorter ones are in every log by accident.
	DefaultMinLength = 4
)

// An Option changes what New makes.
type Option func(*options)

type options struct {
	token     string
	minLength int
	encodings bool
	ansi      bool
	named     bool
	fragments bool
	public    map[string]bool
	hosts     map[string]bool
}

func defaults() options {
	return options{token: DefaultToken, minLength: DefaultMinLength, encodings: true, ansi: true}
}

// Token is what stands in place of a value; DefaultToken if not given. It may be
// empty. A token that itself holds a value is not masked again.
func Token(token string) Option { return func(o *options) { o.token = token } }

// MinLength is the length in bytes below which a value, or a line of a value, is
// refused; DefaultMinLength if not given, and 1 at the least.
func MinLength(n int) Option { return func(o *options) { o.minLength = max(n, 1) } }

// Encodings says whether values are masked in their encoded forms too: base64,
// percent-encoding, JSON, shell quoting and so on; true if not given. Without,
// a value is masked as is, trimmed, and line by line.
func Encodings(on bool) Option { return func(o *options) { o.encodings = on } }

// ANSI says whether values are found also where escape sequences (colours, links)
// or overstriking stand between their characters; true if not given.
func ANSI(on bool) Option { return func(o *options) { o.ansi = on } }

// Named makes the token carry the name of the secret it stands for, between two
// tokens: ***DB_PASSWORD***. Where several values overlap it is the name of the
// one that begins first, the longest of those. A value without a name gives the
// plain token.
func Named() Option { return func(o *options) { o.named = true } }

// Fragments masks any 24 consecutive characters of a value of 40 and more, of its
// base64 and of the lines of a value of several lines: for output that is cut
// short or wrapped. Off if not given: it takes a pattern for each offset, and
// masks what two long values have in common with harmless text.
func Fragments(on bool) Option { return func(o *options) { o.fragments = on } }

// Public declares names of secrets that AddSecret shall not add: a value that is
// in the vault but no secret, such as a host, a user name, a publishable key.
func Public(names ...string) Option {
	return func(o *options) {
		if o.public == nil {
			o.public = map[string]bool{}
		}
		for _, name := range names {
			o.public[name] = true
		}
	}
}

// Hosts declares names and addresses that the log will hold, so that a value that
// equals one is reported by Noisy.
func Hosts(names ...string) Option {
	return func(o *options) {
		if o.hosts == nil {
			o.hosts = map[string]bool{}
		}
		for _, name := range names {
			o.hosts[name] = true
		}
	}
}
