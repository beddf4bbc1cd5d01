package check

import (
	"crypto/ecdh"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// publicForm are values whose makers say that they may be shown, though they look
// random: what a browser is given (Mapbox, Stripe, Supabase, PostHog, Datadog,
// Statsig, Square, Razorpay, Braintree, Google Analytics), names of things at
// Google, Twilio, Stripe, GitHub and AWS, addresses of chains and of files in IPFS,
// and the keys in AWS's documentation.
var publicForm = lazy.Regexp(
	`^(pk\.eyJ[\w-]+\.[\w-]+|pk_(live|test|dev|prod)_\w+|sb_publishable_[\w-]+|phc_\w+|pub[0-9a-f]{32}|client-\w{20,}` +
		`|(sandbox-)?sq0id[bp]-[\w-]+|rzp_(live|test)_\w+|(sandbox|production)_[0-9a-z]{8}_[0-9a-z]{16}|(G|GT|GTM|AW|DC|UA)-[0-9A-Z-]+` +
		`|\d+-[0-9a-z]+\.apps\.googleusercontent\.com|(AC|VA|MG|PN|IS|AP|HX)[0-9a-f]{32}|(price|prod|acct|plan|promo|prctbl|ca)_\w+|Iv\d+[.0-9a-zA-Z]+` +
		`|[a-z]{2}(-[a-z]+)+-\d_\w{9}|0x[0-9a-fA-F]{40}|bc1[0-9a-z]{39,59}|npub1[0-9a-z]{58}|Qm[1-9A-HJ-NP-Za-km-z]{44}|baf[ky][0-9a-z]{50,}` +
		`|[\w./:-]+@sha256:[0-9a-f]{64}|(AKIA|ASIA)[0-9A-Z]+EXAMPLE|wJalrXUtnFEMI[\w/+]*EXAMPLEKEY` +
		`|([\w-]+\.)+(com|net|org|io|co|dev|app|tech|cloud|run|sh|eu|internal)(:\d+)?(/\d*)?)$`) // a host's name may be made by a machine

// placeholder stands where a person is to write a secret.
var placeholder = lazy.Regexp(`(?i)x{6,}|\*{4,}|\.{3}|your[_-]|[_-]here$|replace[_-]?me|change[_-]?me|placeholder|0{12,}`)

// publicPrefix begins the names of what a build puts into the pages that it makes.
var publicPrefix = lazy.Regexp(`^(NEXT_PUBLIC|NUXT_PUBLIC|EXPO_PUBLIC|REACT_APP|VITE|VUE_APP|NG_APP|GATSBY|PUBLIC)_`)

// browserName is where a key of Google's is one that pages hold, and is bound to
// their address.
var browserName = lazy.Regexp(`(?i)firebase|browser|public|(^|_)(web|maps?|places)_`)

// isPublic reports whether a value is one that may be shown, whatever it is called.
func isPublic(text string) bool {
	return publicForm().MatchString(text) || isPoint(text) || isAnonymous(text) ||
		KnownSecret().MatchString(text) && placeholder().MatchString(text) && !strings.Contains(text, "PRIVATE KEY")
}

// isPublicAs reports whether a value may be shown under the name that it has.
func isPublicAs(name, text string) bool {
	inPage := publicPrefix().MatchString(name)
	if strings.HasPrefix(text, "AIza") {
		return inPage || browserName().MatchString(name)
	}
	return !KnownSecret().MatchString(text) && (inPage || publicName().MatchString(name))
}

// isPoint reports whether a text is a public key for push messages: a point of P-256
// without compression (RFC 8292, 3.2).
func isPoint(text string) bool {
	text = strings.TrimRight(text, "=")
	if len(text) != 87 {
		return false
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return false
	}
	_, err = ecdh.P256().NewPublicKey(raw)
	return err == nil
}

// isAnonymous reports whether a JSON web token is Supabase's for those who have not
// logged in, which every page holds.
func isAnonymous(text string) bool {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || !strings.HasPrefix(text, "eyJ") {
		return false
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct{ Role string }
	return err == nil && json.Unmarshal(raw, &claims) == nil && claims.Role == "anon"
}
