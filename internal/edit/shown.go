package edit

import (
	"slices"
	"strings"
	"unicode"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/onepassword"
)

var (
	// privateKey is a key as OpenSSL and OpenSSH write it, to its end or that of
	// the text.
	privateKey = lazy.Regexp(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)`)
	// inURL are a user and a password in a URL, wherever it stands in a word.
	inURL = lazy.Regexp(`[a-z][a-z0-9+.-]*://[^/:@\s]*:[^/@\s]+@`)
	// inBase64 is a private key's beginning, as people put keys on one line.
	inBase64 = lazy.Regexp(`LS0tLS1CRUdJTi`)
	// commentedOut is a definition in a secrets file that is switched off.
	commentedOut = lazy.Regexp(`(?m)^([ \t]*#[# \t]*(?:export[ \t]+)?\w+=)[^$\s][^\r\n]*`)
	// embedded is an expression of GitHub's without a literal, within a text.
	embedded = lazy.Regexp(`\$\{\{[^'"}]*\}\}`)
	// assigned is what a comment says a name to be: a definition that is switched off,
	// or a word about a secret and what it is.
	assigned = lazy.Regexp(`((?:\bexport[ \t]+)?\b[A-Z_][A-Z0-9_]*["']?[ \t]*[:=][ \t]*|(?i:[\w.-]*(?:passw|secret|token|key|credential|pwd)[\w.-]*["']?[ \t]*(?:[:=]|[ \t](?:is|was|now)[ \t]|->)[ \t]*))([^\s:=].*)`)
	// noValue are parts of a text that lead to a value, and are none.
	noValue = lazy.Regexp(`\$\{\{[^'"}]*\}\}|\$\{?\w+\}?|\$\(.*\)|(?:op|env)://.*|^[|>][+-]?$|\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|[\[\]"',.\s]|\b(?:true|false)\b`)
	// secretKey is the name of an input or a variable whose value is no one's
	// business.
	secretKey = lazy.Regexp(`(?i)passw|secret|token|key|credential`)
)

// shownText is a text without private keys, without the words that look like a
// secret's value, and without what could be one in a comment.
func shownText(text string) string {
	text = privateKey().ReplaceAllString(text, "***")
	under := false // a key that is switched off, whose value stands in the next lines
	text = comment().ReplaceAllStringFunc(text, func(c string) string {
		if m := itsOwn().FindStringSubmatch(c); under && m != nil {
			if noValue().ReplaceAllString(m[2], "") == "" {
				return c
			}
			return m[1] + "***"
		}
		under = opened().MatchString(c)
		return shownComment(c)
	})
	var b strings.Builder
	word := func(w string) {
		if check.KnownSecret().MatchString(w) || inURL().MatchString(w) || inBase64().MatchString(w) {
			w = "***"
		}
		b.WriteString(w)
	}
	start := 0
	for i := range len(text) {
		if strings.IndexByte(" \t\r\n\"',", text[i]) >= 0 {
			word(text[start:i])
			b.WriteByte(text[i])
			start = i + 1
		}
	}
	word(text[start:])
	return b.String()
}

// comment is what YAML, a shell and dotenv take for one, wherever it stands.
var comment = lazy.Regexp(`(?m)(?:^|[ \t])#[^\r\n]*`)

var (
	// opened is a comment that ends with a secret's key, or with the name of a variable.
	opened = lazy.Regexp(`(?:[A-Z_][A-Z0-9_]*|(?i:[\w.-]*(?:passw|secret|token|key|credential|pwd)[\w.-]*))["']?[ \t]*[:=][ \t]*[|>]?[+-]?[ \t]*$`)
	// itsOwn is a comment without a key.
	itsOwn = lazy.Regexp(`^([ \t]*#[# \t-]*)([^\s:=]+)[ \t]*$`)
)

// shownComment is a comment without what could be a secret's value.
func shownComment(text string) string {
	if m := assigned().FindStringSubmatchIndex(text); m != nil && !remark().MatchString(text[m[2]:m[3]]) && noValue().ReplaceAllString(text[m[4]:m[5]], "") != "" {
		text = text[:m[4]] + "***"
	}
	return aWord().ReplaceAllStringFunc(text, func(word string) string {
		if mayBeSecret(word) {
			return "***"
		}
		return word
	})
}

// remark is how a comment begins that is one to a reader.
var remark = lazy.Regexp(`^(?:TODO|FIXME|NOTE|NB|XXX|HACK|WARNING|IMPORTANT)\b`)

// aWord is a word as it stands between quotes, commas and blanks.
var aWord = lazy.Regexp(`[^\s"',]+`)

// shownSecrets is a secrets file without the values that stand in it.
func shownSecrets(name, text string) string {
	text = kamal.EditSecrets(name, text, nil).Shown()
	return shownText(commentedOut().ReplaceAllString(text, "$1***"))
}

// shownConfig is deploy.yml without its values in the clear: what is under
// env.clear, a registry's user and password where they are no names of secrets,
// keys for SSH, and what looks like a secret anywhere else.
func shownConfig(text string) string {
	return shownText(kamal.HideScalars(text, hiddenInConfig))
}

func hiddenInConfig(keys []string, value string) bool {
	if i := lastIndex(keys, "env"); i >= 0 {
		rest := keys[i+1:]
		if len(rest) > 1 && rest[0] == "tags" {
			rest = rest[2:]
		}
		// An env without the keys clear and secret is all in the clear.
		if len(rest) > 0 {
			return rest[0] != "secret" || len(rest) == 1 && !onepassword.IsEnvironmentName(value)
		}
	}
	name, items := keys, false
	for len(name) > 0 && name[len(name)-1] == "[]" {
		name, items = name[:len(name)-1], true
	}
	if len(name) == 0 {
		return mayBeSecret(value)
	}
	switch last := name[len(name)-1]; last {
	case "username", "password", "key_data":
		return !items || !onepassword.IsEnvironmentName(value)
	case "certificate_pem", "private_key_pem":
		return !onepassword.IsEnvironmentName(value)
	case "secret", "secrets", "service", "image", "server", "servers", "host", "hosts", "files", "directories", "volumes":
		return false
	}
	return holdsSecret(value)
}

// shownWorkflow is a workflow without the secrets that are written out in its
// env and with blocks.
func shownWorkflow(text string) string {
	return shownText(kamal.HideScalars(text, hiddenInWorkflow))
}

func hiddenInWorkflow(keys []string, value string) bool {
	if len(keys) < 2 {
		return false
	}
	if block := keys[len(keys)-2]; block != "env" && block != "with" {
		return false
	}
	secret := secretKey().MatchString(keys[len(keys)-1])
	for line := range strings.Lines(value) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line == "true" || line == "false" || strings.Contains(line, "op://"), strings.Contains(line, "env://"):
		case secret && strings.TrimSpace(embedded().ReplaceAllString(line, "")) != "", holdsSecret(line):
			return true
		}
	}
	return false
}

// shownProjectFile is the project file without what could be a secret's value.
func shownProjectFile(text string) string {
	return shownText(kamal.HideScalars(text, hiddenInProjectFile))
}

func hiddenInProjectFile(keys []string, value string) bool {
	declares := slices.ContainsFunc(keys, func(key string) bool { return key == "secret" || key == "secrets" })
	for line := range strings.Lines(value) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || strings.Contains(line, "op://") || strings.Contains(line, "env://"):
		case declares, holdsSecret(line):
			return true
		}
	}
	return false
}

// holdsSecret tells whether a word of a text looks like a secret.
func holdsSecret(text string) bool {
	return slices.ContainsFunc(strings.Fields(text), mayBeSecret)
}

func lastIndex(list []string, word string) int {
	for i, w := range slices.Backward(list) {
		if w == word {
			return i
		}
	}
	return -1
}

// mayBeSecret tells whether a value is better not shown: it looks like a secret, or
// has a word of letters and digits as long as one. What is hidden for nothing in a
// diff costs less than what is shown.
func mayBeSecret(value string) bool {
	return check.LooksSecret(value) || slices.ContainsFunc(wordsOf(value), func(word string) bool {
		return len(word) >= 12 && strings.ContainsAny(word, "0123456789") && strings.Trim(word, "0123456789") != ""
	})
}

// wordsOf are the runs of letters and digits in a text.
func wordsOf(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
