package onepassword

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// A Reference is a parsed secret reference, op://vault/item/[section/]field. Its
// parts are names or ids, already decoded. Field is empty where the reference
// names a whole item. References are comparable.
type Reference struct {
	Vault, Item, Section, Field string

	// Attribute is what of the field or file is meant: "" and "value" are its
	// value; otp, totp, type, title, id, purpose; content, name and size of a file.
	Attribute string

	// SSHFormat is "" or "openssh": the format a private key is given in.
	SSHFormat string

	// text is the reference as it was written, "" where it was put together.
	text string
}

const scheme = "op://"

// attributes are those of the op CLI. The SDK knows otp and totp only.
var attributes = []string{"otp", "totp", "type", "title", "value", "id", "purpose", "content", "name", "size"}

// Quotes as people write them, and what to do about them where no shell has taken
// them away.
const (
	quotes  = "\"'`“”‘’"
	unquote = "take the quotes away: only a shell does that by itself, an input or a variable keeps them"
)

const referenceShape = "a secret reference is op://vault/item/field or op://vault/item/section/field"

// ParseReference reads a secret reference. What the SDK's parser accepts is
// accepted and means the same, but for an empty part, which there ends in a
// misleading error and here in a plain one. Wider than the SDK's syntax are:
//
//   - op://vault/item, a whole item, also with ?section=NAME;
//   - every character in a name, but for / ? % and control characters;
//   - %XX in a name, percent-encoded UTF-8, for those three and for any other
//     character; a % that is not followed by two hexadecimal digits is an error;
//   - the attributes of the op CLI beside otp and totp.
//
// The error is a *problem.Problem of wrong usage; it quotes the text, which is no
// secret unless somebody put one where a reference belongs: what does not begin
// with op:// is not quoted.
func ParseReference(text string) (Reference, error) {
	rest, ok := strings.CutPrefix(text, scheme)
	if !ok {
		return Reference{}, noScheme(text).About(problem.Reference)
	}
	ref := Reference{text: text}
	path, query, hasQuery := strings.Cut(rest, "?")
	parts := strings.Split(path, "/")
	switch {
	case len(parts) < 2:
		return ref.bad(referenceShape, "the item is missing")
	case len(parts) > 4:
		return ref.bad(referenceShape+"; a / in a name is written %2F", "too many '/'")
	}
	for i, part := range parts {
		if part == "" {
			return ref.bad(referenceShape, "its %s is empty", partName(i, len(parts)))
		}
		decoded, err := decodePart(part)
		if err != nil {
			return ref.bad("write a % in a name as %25", "its %s %v", partName(i, len(parts)), err)
		}
		parts[i] = decoded
	}
	ref.Vault, ref.Item = parts[0], parts[1]
	switch len(parts) {
	case 3:
		ref.Field = parts[2]
	case 4:
		ref.Section, ref.Field = parts[2], parts[3]
	}
	if !hasQuery {
		return ref, nil
	}
	return ref.parameter(query)
}

// ParseName reads a name as it stands in a secret reference for a vault or an item; ok is
// false where it cannot stand there.
func ParseName(text string) (name string, ok bool) {
	ref, err := ParseReference(scheme + text + "/item")
	return ref.Vault, err == nil && ref.Item == "item" && ref.WholeItem()
}

// noScheme says why text is no reference.
func noScheme(text string) *problem.Problem {
	switch trimmed := strings.TrimSpace(text); {
	case trimmed == "":
		return problem.Usagef(referenceShape, "the secret reference is empty")
	case strings.HasPrefix(trimmed, scheme):
		return problem.Usagef("take the white space away", "the secret reference begins with white space")
	case strings.HasPrefix(strings.TrimLeft(trimmed, quotes), scheme):
		return problem.Usagef(unquote, "the secret reference stands in quotes")
	case len(trimmed) >= 5 && strings.EqualFold(trimmed[:5], scheme):
		return problem.Usagef("write op:// in lower case", "the secret reference does not begin with op://")
	}
	return problem.Usagef(referenceShape, "not a secret reference: it does not begin with op://")
}

// bad is what is wrong with r.
func (r Reference) bad(hint, format string, args ...any) (Reference, error) {
	return Reference{}, problem.Usagef(hint, "%s: %s", quoteReference(r.text), fmt.Sprintf(format, args...)).About(problem.Reference)
}

// parameter is r with what stands behind its ?.
func (r Reference) parameter(query string) (Reference, error) {
	key, value, hasValue := strings.Cut(query, "=")
	switch {
	case !hasValue || strings.Contains(query, "&"):
		return r.bad("write ?attribute=otp or ?ssh-format=openssh", "after the ? stands one parameter with its value")
	case r.Field == "":
		if key != "section" {
			return r.bad("name the field, or write ?section=NAME", "a whole item has no %s", "parameter "+quote(key))
		}
		section, err := decodePart(value)
		if err != nil || section == "" {
			return r.bad("write ?section=NAME", "its section is not a name")
		}
		r.Section = section
	case key == "attribute":
		for _, known := range attributes {
			if value == known {
				r.Attribute = value
				return r, nil
			}
		}
		return r.bad("known are "+strings.Join(attributes, ", "), "unknown attribute %s", quote(value))
	case key == "ssh-format":
		if value != "openssh" {
			return r.bad("write ?ssh-format=openssh", "unknown ssh-format %s", quote(value))
		}
		r.SSHFormat = value
	default:
		return r.bad("known are attribute and ssh-format", "unknown parameter %s", quote(key))
	}
	return r, nil
}

// WholeItem reports whether the reference names an item, not a field of it.
func (r Reference) WholeItem() bool { return r.Field == "" }

// String is the reference as it was written; one that was put together is
// written so that ParseReference reads the same from it.
func (r Reference) String() string {
	if r.text != "" {
		return r.text
	}
	var b strings.Builder
	b.WriteString(scheme + encodePart(r.Vault) + "/" + encodePart(r.Item))
	if r.Field != "" {
		if r.Section != "" {
			b.WriteString("/" + encodePart(r.Section))
		}
		b.WriteString("/" + encodePart(r.Field))
	}
	switch {
	case r.Field == "" && r.Section != "":
		b.WriteString("?section=" + encodePart(r.Section))
	case r.Attribute != "":
		b.WriteString("?attribute=" + r.Attribute)
	case r.SSHFormat != "":
		b.WriteString("?ssh-format=" + r.SSHFormat)
	}
	return b.String()
}

// IsID reports whether s has the form of a 1Password id: 26 lower-case letters and
// digits.
func IsID(s string) bool {
	if len(s) != 26 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

func partName(i, n int) string {
	switch {
	case i == 0:
		return "vault"
	case i == 1:
		return "item"
	case i == 2 && n == 4:
		return "section"
	}
	return "field"
}

// decodePart undoes percent-encoding and refuses what no name can hold.
func decodePart(s string) (string, error) {
	if strings.Contains(s, "%") {
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			if s[i] != '%' {
				b.WriteByte(s[i])
				continue
			}
			if i+2 >= len(s) || unhex(s[i+1]) < 0 || unhex(s[i+2]) < 0 {
				return "", errors.New("has a % without two hexadecimal digits after it")
			}
			b.WriteByte(byte(unhex(s[i+1])<<4 | unhex(s[i+2])))
			i += 2
		}
		s = b.String()
	}
	if !utf8.ValidString(s) {
		return "", errors.New("is not UTF-8")
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return "", fmt.Errorf("has the control character %U in it", r)
		}
	}
	return s, nil
}

func encodePart(s string) string {
	if !strings.ContainsAny(s, "%/?") {
		return s
	}
	return strings.NewReplacer("%", "%25", "/", "%2F", "?", "%3F").Replace(s)
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// quoteReference makes a text that came from outside fit for one line.
func quoteReference(text string) string {
	if !utf8.ValidString(text) {
		return quote(text)
	}
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return quote(text)
		}
	}
	if len(text) > 200 {
		return quote(text)
	}
	return text
}

func quote(s string) string {
	const longest = 200
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}
