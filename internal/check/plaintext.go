package check

import (
	"math"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// KnownSecret are beginnings and parts that only secrets have: tokens of GitHub,
// GitLab, Docker Hub, AWS, Slack, Stripe, SendGrid, 1Password, Google; private
// keys.
var KnownSecret = lazy.Regexp(
	`-----BEGIN [A-Z ]*PRIVATE KEY|\b(gh[pousr]_|github_pat_|glpat-|dckr_(pat|oat)_|AKIA[0-9A-Z]{8}|xox[abprs]-|[rs]k_live_|SG\.[\w-]{8}|ops_eyJ|AIza[\w-]{8})`)

// credentialURL is a URL with a password in it.
var credentialURL = lazy.Regexp(`^[a-z][a-z0-9+.-]*://[^/:@\s]+:([^/@\s]+)@`)

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
	if !LooksSecret(literal.String()) {
		return
	}
	if _, _, hidden := IgnoredByGit(c.o.Dir, d.Place.File); hidden {
		return // a person's own file, which is never committed
	}
	c.find(RulePlaintext, Error, d.Name, problem.New(
		d.Name+" has a value in the clear that looks like a secret, in a file that belongs in git",
		"stop and rotate it: it is in the repository's history. Then keep the new one in 1Password, and write "+d.Name+"=$"+d.Name+" here"), d.Place)
}

// LooksSecret guesses whether a text in the clear is a secret: it is one of the
// forms that only secrets have, or long, of mixed characters and without order. A
// host name, a URL without a password, a word, a number and a path are none.
func LooksSecret(text string) bool {
	if KnownSecret().MatchString(text) {
		return true
	}
	if m := credentialURL().FindStringSubmatch(text); m != nil {
		return !strings.Contains(m[1], "\x00") && m[1] != "password" && !strings.HasPrefix(m[1], "$")
	}
	if len(text) < 12 || isWords(text) || strings.ContainsAny(text, " \x00") || strings.Contains(text, "://") || strings.HasPrefix(text, "/") {
		return false
	}
	var letters, digits, dots int
	for i := range len(text) {
		switch b := text[i]; {
		case b >= '0' && b <= '9':
			digits++
		case b|0x20 >= 'a' && b|0x20 <= 'z':
			letters++
		case b == '.':
			dots++
		}
	}
	if digits == 0 || letters == 0 || dots > 1 {
		return false
	}
	return entropy(text) > 3
}

// isWords tells whether a text is made of words and numbers, such as the name of
// a region or a bucket: eu-central-1, my-app-uploads-2024.
func isWords(text string) bool {
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == '-' || r == '_' || r == '.' }) {
		letters := strings.Trim(part, "0123456789")
		if letters != "" && (letters != part || strings.ToLower(part) != part && strings.ToUpper(part) != part) {
			return false
		}
	}
	return true
}

// entropy is Shannon's, in bits a byte, of the text's own frequencies.
func entropy(text string) float64 {
	var count [256]int
	for i := range len(text) {
		count[text[i]]++
	}
	bits := 0.0
	for _, n := range count {
		if n > 0 {
			share := float64(n) / float64(len(text))
			bits -= share * math.Log2(share)
		}
	}
	return bits
}
