package mask

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// A value is often not printed as it is stored, but as what a program makes of it
// that undoes an encoding: a key with \n for its line ends, a password in a URL, a
// token in JSON in base64. These are its inner values.
const (
	innerDepth = 4       // so many encodings, one in the other, are undone
	innerCount = 256     // inner values of one value
	innerBytes = 1 << 20 // of all of them together

	// innerEncoded is how many bytes of them are masked in their encoded forms too.
	innerEncoded = 64 << 10

	// An inner value is masked by itself only if it is so long: shorter ones are words.
	innerMin      = 8
	innerMinMixed = 6 // if it has letters and digits

	// bytesMin is how long bytes without a line end must be to be masked.
	bytesMin = 12

	// tokenMin is how long the user in a URL without a password is that is a token.
	tokenMin = 16
)

// inner is a value within another.
type inner struct {
	text   string
	sure   bool // is masked however short or common
	told   bool // is told if it is too short or common: it is one, not perhaps one
	public bool // is not masked, and not told either
}

// addInner takes the inner values of a value, and theirs.
func (f *forms) addInner(value string) {
	type level struct {
		text  string
		depth int
	}
	known := map[string]bool{value: true}
	size := 0
	for queue := []level{{value, 0}}; len(queue) > 0; queue = queue[1:] {
		from := queue[0]
		f.addKey(from.text)
		if from.depth == innerDepth {
			continue
		}
		for _, v := range innersOf(from.text) {
			if text := strings.TrimSpace(v.text); known[text] || v.public {
				continue
			} else if known[text] = true; len(known)-1 > innerCount || size+len(text) > innerBytes || !v.sure && tooPlain(text) {
				if v.told {
					f.within++
				}
			} else {
				size += len(text)
				f.addInnerText(text, size <= innerEncoded)
				queue = append(queue, level{text, from.depth + 1})
			}
		}
	}
}

// addInnerText takes an inner value as it is and line by line, and in its encoded
// forms if it is text and encoded is set.
func (f *forms) addInnerText(text string, encoded bool) {
	if !isText(text) {
		// Bytes, as of a key: they are printed raw, or in hexadecimal.
		for _, piece := range splitLines(text) {
			if len(piece) >= bytesMin {
				f.add(piece)
			}
		}
		f.addHex(text)
		return
	}
	f.add(text)
	lines := splitLines(text)
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
		if len(lines) > 1 && noise(lines[i]) == "" {
			f.add(lines[i])
		}
	}
	f.add(strings.Join(lines, ""))
	if encoded {
		f.addEncoded(text)
	}
}

// tooPlain reports whether an inner value is too short or too common to be masked.
func tooPlain(text string) bool {
	switch {
	case noise(text) != "" || len(text) < innerMinMixed:
		return true
	case len(text) >= innerMin:
		return false
	}
	return strings.IndexFunc(text, unicode.IsLetter) < 0 || strings.IndexFunc(text, unicode.IsDigit) < 0
}

// isText reports whether text is for people to read.
func isText(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' && r != '\x1b'
	})
}

// innersOf is what a value holds, one level deep.
func innersOf(value string) (found []inner) {
	found = append(found, unescapes(value)...)
	if text, is := unquoted(value); is {
		found = append(found, inner{text: text})
	}
	if text, is := unbase64(value); is {
		found = append(found, inner{text: text})
	}
	found = append(found, jsonStrings(value)...)
	return append(found, credentials(value)...)
}

// unquoted is what stands between a pair of quotes.
func unquoted(value string) (string, bool) {
	last := len(value) - 1
	if last < 1 || value[0] != value[last] || strings.IndexByte("\"'`", value[0]) < 0 {
		return "", false
	}
	return value[1:last], true
}

// base64Alphabet decodes both alphabets.
var base64Alphabet = strings.NewReplacer("-", "+", "_", "/", " ", "", "\t", "", "\r", "", "\n", "")

// unbase64 is what value is the base64 of, in any alphabet, padded or not, and broken
// into lines or not.
func unbase64(value string) (string, bool) {
	code := base64Alphabet.Replace(value)
	decoded, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(code, "="))
	text := string(decoded)
	// What makes no text is most often no base64 either, but a token. Programs that
	// make base64 of bytes pad it.
	return text, err == nil && len(text) >= innerMinMixed && (len(code)%4 == 0 || isText(text))
}

// publicKeys are names of what is no secret in the JSON of credentials, though it is
// as long as one: it is in the log for other reasons.
var publicKeys = map[string]bool{
	// a service account of Google
	"type": true, "project_id": true, "quota_project_id": true, "client_email": true, "client_id": true, "auth_uri": true, "token_uri": true,
	"auth_provider_x509_cert_url": true, "client_x509_cert_url": true, "universe_domain": true,
	// JSON web keys
	"kty": true, "alg": true, "use": true, "crv": true, "kid": true,
	// connections
	"host": true, "hostname": true, "server": true, "port": true, "region": true, "endpoint": true, "engine": true, "driver": true,
	"user": true, "username": true, "email": true, "database": true, "dbname": true, "name": true, "version": true, "env": true, "environment": true,
}

// jsonStrings are the strings in value if it is JSON; the names of what they are the
// values of are not among them.
func jsonStrings(value string) (found []inner) {
	if value == "" || strings.IndexByte(`{["`, value[0]) < 0 || !json.Valid([]byte(value)) {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(value))
	next := func() json.Token {
		token, _ := d.Token() // value is valid
		return token
	}
	var walk func(key string)
	walk = func(key string) {
		switch token := next().(type) {
		case string:
			found = append(found, inner{text: token, told: true, public: publicKeys[strings.ToLower(key)]})
		case json.Delim:
			for d.More() {
				name := key
				if token == '{' {
					name, _ = next().(string)
				}
				walk(name)
			}
			next()
		}
	}
	walk("")
	return found
}

var (
	// userPassword is what is sent in a header, or stands in a file of passwords.
	userPassword = lazy.Regexp(`^[^\s:/"{\[]{1,128}:([^\s/]\S*)$`)
	// assigned is a password in a query, in a connection string or in an env file.
	assigned = lazy.Regexp(`(?i)(?:^|[?&;\s])[\w.-]*(?:password|passwd|pwd|secret|token|key)=([^&;\s]+)`)
)

// credentials are the passwords in value: of a URL, of user:password, of name=value.
func credentials(value string) (found []inner) {
	both := func(text string) {
		found = append(found, inner{text: text, told: true})
		if meant, err := url.PathUnescape(text); err == nil && meant != text {
			found = append(found, inner{text: meant, told: true})
		}
	}
	if !strings.ContainsAny(value, " \t\r\n") {
		if user, password, is := userinfo(value); is && password != "" {
			// Together they are sent as base64 of their own, by curl and docker.
			found = append(found, inner{text: user + ":" + password, sure: true})
			if meant, err := url.PathUnescape(user + ":" + password); err == nil {
				found = append(found, inner{text: meant, sure: true})
			}
			both(password)
		} else if is && len(user) >= tokenMin {
			both(user)
		}
	}
	if strings.IndexByte(value, ':') > 0 {
		if m := userPassword().FindStringSubmatch(value); m != nil {
			found = append(found, inner{text: m[1]})
		}
	}
	if strings.IndexByte(value, '=') < 0 {
		return found
	}
	for _, m := range assigned().FindAllStringSubmatch(value, -1) {
		text, quoted := unquoted(m[1])
		if !quoted {
			text = m[1]
		}
		both(text)
	}
	return found
}

// userinfo is the user and the password of a URL, as they are written in it.
func userinfo(value string) (user, password string, is bool) {
	_, rest, isURL := strings.Cut(value, "://")
	if !isURL {
		return "", "", false
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return "", "", false
	}
	user, password, _ = strings.Cut(rest[:at], ":")
	return user, password, true
}
