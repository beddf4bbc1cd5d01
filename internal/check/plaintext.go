package check

import (
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// KnownSecret are beginnings and parts that only secrets have, as their makers
// document them for scanners: GitHub, GitLab, Docker Hub, AWS, Slack, Discord,
// Stripe, SendGrid, 1Password, Google, npm, PyPI, RubyGems, DigitalOcean, Hugging
// Face, OpenAI, Anthropic, Twilio, Shopify, Square, Mailgun, Sentry, Vault, age;
// private keys and JSON web tokens.
var KnownSecret = lazy.Regexp(
	`-----BEGIN [A-Z ]*PRIVATE KEY` +
		`|\b(gh[pousr]_\w{16}|github_pat_\w{16}|gl(pat|dt|rt|cbt|ptt|ft|soat)-[\w-]{16}|dckr_(pat|oat)_[\w-]{16}` +
		`|(AKIA|ASIA)[0-9A-Z]{12}|xox[abeoprs]-[\w-]{8}|xapp-\d-\w{8}|[rs]k_(live|test|prod)_\w{8}|whsec_[\w+/]{16}|SG\.[\w-]{8}|ops_eyJ|AIza[\w-]{16}` +
		`|npm_\w{24}|pypi-[\w-]{16}|rubygems_[0-9a-f]{16}|do[por]_v1_[0-9a-f]{16}|hf_\w{16}|sk-(ant-|proj-|svcacct-|or-)?[\w-]{20}|SK[0-9a-f]{32}` +
		`|shp(at|ca|pa|ss)_[0-9a-fA-F]{16}|sq0(atp|csp)-[\w-]{16}|key-[0-9a-f]{32}|sntr[yus]+_\w{16}|hv[sbr]\.[\w-]{16}|lin_api_\w{16}|tfp_\w{16}|pul-[0-9a-f]{16}|AGE-SECRET-KEY-1` +
		`|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,})` +
		`|hooks\.slack\.com/(services|workflows)/T|discord(app)?\.com/api/webhooks/\d`)

// credentialURL is a URL, or a data source's name, with a password in it.
var credentialURL = lazy.Regexp(`^(?:[a-z][a-z0-9+.-]*://)?[^/:@\s]+:([^/@\s]+)@[\w(\[]`)

// secretParameter is a parameter of a URL or of a connection string that holds a
// secret.
var secretParameter = lazy.Regexp(`(?i)(?:^|[?&;])\s*(?:password|passwd|pwd|secret|token|api_?key|access_?key|account_?key|sig)=([^&;\s]{6,})`)

// structured are texts that may look like a secret and are none: a UUID, an address
// with its port, a URL or a path, an image, a list, a number, a version or a date, a
// public key or a certificate, a digest, an identifier that a cloud gives.
var structured = lazy.Regexp(
	`^(?i:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}` + // UUID
		`|(\*\.)?([\w-]+\.)*[\w-]+(:\d{1,5})?(/[\w./-]*)?(,([\w-]+\.)*[\w-]+:\d{1,5}(/[\w./-]*)?)*` + // hosts, images, paths: judged by their parts
		`|[\w.+-]+@[\w-]+(\.[\w-]+)+` + // mail
		`|[0-9a-f:]+(/\d+)?|\[[0-9a-f:.]+\](:\d+)?` + // IPv6
		`)$`)

var (
	plainURL   = lazy.Regexp(`^[a-z][a-z0-9+.-]*://`)
	publicText = lazy.Regexp(`^(ssh-(rsa|ed25519|dss) |ecdsa-sha2-|sk-(ssh|ecdsa)-|-----BEGIN (RSA |EC )?(PUBLIC KEY|CERTIFICATE|CERTIFICATE REQUEST|SSH2 PUBLIC KEY)|age1[0-9a-z]{58}$|SHA256:|sha(256|384|512)[:-]|arn:|pk_(live|test)_|(ami|i|vpc|subnet|sg|vol|snap|eni|igw|nat|rtb|acl|eipalloc|fs|lt)-[0-9a-f]{8,17}$)`)
	numeric    = lazy.Regexp(`^[-+0-9.,:/TZ _eE%]+$`)
	publicName = lazy.Regexp(`(?i)(^|_)(public|publishable|pub_?key|site_?key|sitekey|id|ids|sid|sha|commit|revision|version|digest|checksum|fingerprint|dsn_host|host|hosts|user|username|region|bucket|image|url_base)$|public_key|publishable_key|site_?key_|anon_key|search_(only_)?(api_)?key`)
)

// checkPlaintext looks for a value in the clear where a secret belongs. The value
// itself is never told.
func (c *destinationCheck) checkPlaintext(d *kamal.Definition) {
	if d.Kind != kamal.Literal && d.Kind != kamal.Composed {
		return
	}
	var literal strings.Builder
	for _, p := range d.Parts {
		if p.Kind == kamal.Literal {
			literal.WriteString(p.Text)
		} else if d.Kind == kamal.Composed {
			literal.WriteString("\x00") // postgres://app:$PW@db has no password in the clear
		}
	}
	text := literal.String()
	if isPublicAs(d.Name, text) || !LooksSecret(text) {
		return
	}
	if _, _, hidden := IgnoredByGit(c.o.Dir, d.Place.File); hidden {
		return // a person's own file, which is never committed
	}
	c.report(RulePlaintext, Error, d.Name, problem.New(
		d.Name+" has a value in the clear that looks like a secret, in a file that belongs in git",
		"stop and rotate it: it is in the repository's history. Then keep the new one in 1Password, and write "+d.Name+"=$"+d.Name+" here"), d.Place)
}

// LooksSecret guesses whether a text in the clear is a secret: it is one of the
// forms that only secrets have, or it is long and reads like nothing that people
// name things with.
func LooksSecret(text string) bool {
	if isPublic(text) {
		return false
	}
	if KnownSecret().MatchString(text) {
		return true
	}
	if m := credentialURL().FindStringSubmatch(text); m != nil {
		return isPassword(m[1])
	}
	if m := secretParameter().FindStringSubmatch(text); m != nil && isPassword(m[1]) {
		return true
	}
	if len(text) < minSecret || strings.ContainsAny(text, " \t\n\x00") || publicText().MatchString(text) || numeric().MatchString(text) || plainURL().MatchString(text) {
		return false
	}
	if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		return false // what JSON has in it is not looked at
	}
	if structured().MatchString(text) {
		return randomPart(text)
	}
	// A list is as secret as what stands in it.
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' }) {
		_, value, named := strings.Cut(part, "=")
		if !named || strings.Trim(value, "=") == "" { // base64 ends in =
			value = part
		}
		if len(value) >= minSecret && !structured().MatchString(value) && isRandom(value) || structured().MatchString(value) && randomPart(value) {
			return true
		}
	}
	return false
}

// minSecret is how long a text must be before it is guessed at.
const minSecret = 12

// isPassword tells a password from what stands for one.
func isPassword(text string) bool {
	switch strings.ToLower(text) {
	case "password", "pass", "secret", "changeme", "example", "xxx", "***":
		return false
	}
	return !strings.ContainsAny(text, "\x00$<>{}")
}

// randomPart reports whether a part of a host's name, a path or an image is too long
// and too random for one. A UUID, a digest behind @ and a port are no such parts.
func randomPart(text string) bool {
	if uuid().MatchString(text) || ipv6().MatchString(text) {
		return false
	}
	if len(text) >= 20 && !strings.ContainsAny(text, ".:") && isRandom(text) {
		return true // base64 has slashes, too
	}
	return slices.ContainsFunc(
		strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("./:@,", r) }),
		func(part string) bool { return len(part) >= 16 && isRandom(part) }) // a shorter one is a name with a number
}

var (
	uuid = lazy.Regexp(`^(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	ipv6 = lazy.Regexp(`^(?i)\[?[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,7}(/\d+)?\]?(:\d+)?$`)
)
