package onepassword

import (
	"context"
	"errors"
	"strings"

	sdk "github.com/1password/onepassword-sdk-go"
)

// loggingIn is what is asked for before anything else can be.
const loggingIn = "the login"

const reachHint = "is https://status.1password.com clear, and may this machine reach 1password.com (HTTPS_PROXY, SSL_CERT_FILE)?"

// recovered ends an error of the SDK's HTTP client: whatever that client could not
// do is a panic in the core, which wazero recovers from. What the server answers,
// whatever its status, comes back without it.
const recovered = "(recovered by wazero)"

// An sdkFailure is what a text of the SDK means. The SDK has a type for one of its
// errors; the texts of all others were seen with every status injected.
type sdkFailure struct {
	texts   []string // one of them is in the error
	reason  Reason
	message string
	hint    string
	fatal   bool // asking again cannot help
	tries   int  // how many tries it is worth; 0 is as many as the deadline allows
}

// sdkTransport are the failures of a request that never got its answer. All others
// of the kind are passing faults, and tried again until the deadline: the SDK is
// only used to read.
func sdkTransport() []sdkFailure {
	return []sdkFailure{
		{
			texts: []string{"is not allowed"}, reason: Denied, fatal: true, message: "the SDK does not allow the host",
			hint: "the token's sign-in address must be one of 1password.com, .ca or .eu",
		},
		{texts: []string{"no such host"}, reason: Unreachable, fatal: true, message: unreached, hint: reachHint},
		{
			texts: []string{"x509:", "tls: failed to verify"}, reason: Unreachable, fatal: true, message: "1Password could not be trusted",
			hint: "a proxy that opens TLS needs its certificate in the file that SSL_CERT_FILE names",
		},
		{
			texts: []string{"Proxy Authentication Required", ": Forbidden"}, reason: Denied, fatal: true,
			message: "the proxy of HTTPS_PROXY refused the connection to 1Password",
			hint:    "the proxy has to let this machine through to 1password.com; a user and password stand in HTTPS_PROXY",
		},
		{
			texts: []string{"Too Many Requests"}, reason: RateLimited, tries: 4,
			message: "something between here and 1Password limits requests", hint: "try again later",
		},
		{texts: []string{"connection refused", "proxyconnect"}, reason: Unreachable, tries: 4, message: unreached, hint: reachHint},
	}
}

const unreached = "1Password could not be reached"

// sdkAnswers are the failures that an answer of the server stands behind, or the
// SDK itself.
func sdkAnswers() []sdkFailure {
	return []sdkFailure{
		{
			texts: []string{"rate limit", "Too many requests"}, reason: RateLimited, tries: 4, message: "1Password's rate limit is used up",
			hint: "a service account has an hourly and a daily limit; `op service-account ratelimit` shows what is left; Connect has none",
		},
		{
			texts: []string{
				"bad service account token", "deserialization failed", "base64 decoding failed", "invalid service account token",
				"invalid format", "token was not specified",
			},
			reason: Denied, fatal: true, message: tokenRefused, hint: "make a new token for the service account",
		},
		{
			texts: []string{"not authenticated", "bad credentials", "failed to authenticate"}, reason: Denied, fatal: true, message: tokenRefused,
			hint: "the service account's token is revoked, expired or of another account: make a new one",
		},
		{
			texts: []string{"right permission"}, reason: Denied, fatal: true, message: "1Password refused access",
			hint: "give the service account read access to the vault",
		},
		{texts: []string{"not found", "no item matched", "no vault matched", "couldn't be found", "cannot be found"}, reason: NotFound, fatal: true, message: "1Password has none"},
		{
			texts: []string{
				"internal server error", "unexpected status code in response: 5", "request timeout", "dial tcp", "connection re", "EOF",
				"i/o timeout", "broken pipe", "Bad Gateway", "Service Unavailable", "Gateway Time", "http2: ", "stream error",
				"handshake timeout", "timeout awaiting", "misbehaving", "Temporary failure", "is unreachable", "no route to host",
			},
			reason: Unreachable, message: unreached, hint: reachHint,
		},
		{texts: []string{"wasm error", "invalid client id"}, reason: Broken, tries: 3, message: "the SDK could not read 1Password's answer", hint: reachHint},
	}
}

const tokenRefused = "1Password refused the service account token"

// failed explains an error of the SDK.
func (s *ServiceAccount) failed(what string, err error) *attempt {
	var own *BackendError
	if errors.As(err, &own) {
		return &attempt{err: own, fatal: own.Reason != Unreachable && own.Reason != Broken, tries: 2}
	}
	said := s.clean(err)
	tell := func(f sdkFailure) *attempt {
		return &attempt{fatal: f.fatal, tries: f.tries, err: &BackendError{
			Reason: f.reason, Message: f.message + " for " + what + ": " + said, Hint: f.hint, Cause: err,
		}}
	}
	var limited *sdk.RateLimitExceededError
	switch {
	case errors.As(err, &limited):
		return tell(sdkAnswers()[0])
	case errors.Is(err, context.DeadlineExceeded), strings.Contains(said, "context deadline exceeded"):
		return &attempt{err: &BackendError{Reason: Unreachable, Message: "1Password did not answer in time for " + what, Hint: reachHint, Cause: err}}
	case strings.Contains(said, "is not in an active state"):
		return &attempt{fatal: true, err: &BackendError{Reason: NotFound, Message: errInTrash.Message, Hint: errInTrash.Hint, Cause: errInTrash}}
	case what == loggingIn && strings.Contains(said, "resource not found"):
		return tell(sdkFailure{reason: Denied, fatal: true, message: tokenRefused, hint: "the account that the token belongs to is not there any more"})
	}
	if f, ok := among(sdkTransport(), said); ok {
		return tell(f)
	}
	if unanswered(err) {
		return tell(sdkFailure{reason: Unreachable, message: unreached, hint: reachHint})
	}
	if f, ok := among(sdkAnswers(), said); ok {
		if f.reason == Broken {
			s.forget() // a core that trapped, or a client that it does not know any more
		}
		return tell(f)
	}
	return tell(sdkFailure{reason: Broken, fatal: true, message: "the SDK reported an error", hint: "run again; where it stays, try the token with the op CLI"})
}

// unanswered reports whether the error is one of the SDK's HTTP client, and not of
// what a server answered.
func unanswered(err error) bool {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.Contains(line, recovered) || strings.Contains(line, ` "https://`)
}

// spoiled reports whether the error is one of a core that answers nothing any more.
func spoiled(err error) bool {
	return err != nil && strings.Contains(err.Error(), "wasm error: out of bounds memory access")
}

// among is the first of the failures of which a text is in what was said.
func among(failures []sdkFailure, said string) (sdkFailure, bool) {
	for _, f := range failures {
		for _, text := range f.texts {
			if strings.Contains(said, text) {
				return f, true
			}
		}
	}
	return sdkFailure{}, false
}

// clean is the first line of an SDK error, without its prefixes: behind a failed
// request stands a whole WebAssembly stack trace.
func (s *ServiceAccount) clean(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	for _, prefix := range []string{"error initializing client: ", "error resolving secret reference: ", "authentication error: ", "invalid user input: ", "encountered the following errors: "} {
		line = strings.TrimPrefix(line, prefix)
	}
	line = strings.TrimSuffix(line, " "+recovered)
	for _, part := range TokenParts(s.token.Reveal()) {
		line = strings.ReplaceAll(line, part.Reveal(), "***")
	}
	line = strings.Join(strings.Fields(strings.ToValidUTF8(line, "?")), " ")
	const longest = 300
	if len(line) > longest {
		line = strings.ToValidUTF8(line[:longest], "") + "…"
	}
	return line
}
