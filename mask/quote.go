package mask

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// addQuoted takes value as it stands within quotes, escapes and entities.
func (f *forms) addQuoted(value string) {
	special := func(r rune) bool {
		return r >= utf8.RuneSelf || !isAlphanumeric(byte(r)) && r != '-' && r != '_' && r != '.'
	}
	if !strings.ContainsFunc(value, special) {
		return
	}
	have := bytesOf(value)
	q := quoters()
	for _, e := range q.plain {
		if e.changes.meets(&have) {
			f.add(e.quote(value))
		}
	}
	// What is quoted is often quoted again on its way to the log.
	for _, pair := range q.nested {
		inner := value
		if pair[0].changes.meets(&have) {
			inner = pair[0].quote(value)
		}
		if outer := pair[1].quote(inner); outer != inner {
			f.add(outer)
		}
	}
	f.add(dashQuote(value))
	f.addRuby(value)
}

// dashQuote is value as dash's set and export -p write it between single quotes: what
// is a run of quotes in it stands between double ones.
func dashQuote(value string) string {
	var b strings.Builder
	for value != "" {
		text := strings.TrimLeft(value, "'")
		if quotes := value[:len(value)-len(text)]; quotes != "" {
			b.WriteString(`'"` + quotes + `"`)
			if text != "" {
				b.WriteByte('\'')
			}
		}
		end := strings.IndexByte(text+"'", '\'')
		b.WriteString(text[:end])
		value = text[end:]
	}
	return b.String()
}

// A quoter is one way to write text so that something else reads it back.
type quoter struct {
	ascii   [utf8.RuneSelf]string         // what is written for a byte; "" is the byte itself
	wide    func(b []byte, r rune) []byte // writes another character; nil leaves it
	invalid func(b []byte, c byte) []byte // writes a byte that is no UTF-8; nil leaves it
	changes byteBits                      // the bytes that are not left
}

// note sets changes.
func (q *quoter) note() {
	q.changes = byteBits{}
	for c := range q.ascii {
		if q.ascii[c] != "" {
			q.changes.set(byte(c))
		}
	}
	if q.wide != nil || q.invalid != nil {
		q.changes[2], q.changes[3] = ^uint64(0), ^uint64(0)
	}
}

// byteBits is a set of bytes that is quickly held against another.
type byteBits [4]uint64

// bytesOf is those of text.
func bytesOf(text string) (b byteBits) {
	for i := range len(text) {
		b.set(text[i])
	}
	return b
}

func (b *byteBits) set(c byte) { b[c/64] |= 1 << (c % 64) }

// meets reports whether the two have a byte in common.
func (b *byteBits) meets(other *byteBits) bool {
	return b[0]&other[0]|b[1]&other[1]|b[2]&other[2]|b[3]&other[3] != 0
}

func (q *quoter) quote(value string) string {
	b := make([]byte, 0, len(value)+len(value)/4+8)
	for i := 0; i < len(value); {
		c := value[i]
		if c < utf8.RuneSelf {
			if s := q.ascii[c]; s != "" {
				b = append(b, s...)
			} else {
				b = append(b, c)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(value[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			if q.invalid != nil {
				b = q.invalid(b, c)
			} else {
				b = append(b, c)
			}
		case q.wide != nil:
			b = q.wide(b, r)
		default:
			b = append(b, value[i:i+n]...)
		}
		i += n
	}
	return string(b)
}

// with is a copy of q that writes what the pairs say: a character, and what is
// written for it.
func (q quoter) with(pairs ...string) *quoter {
	for pair := range slices.Chunk(pairs, 2) {
		q.ascii[pair[0][0]] = pair[1]
	}
	return &q
}

// controls is a copy of q that writes control characters that it does not know
// yet, and DEL if del is set, as format says: \x01, \u0001, \u0001.
func (q quoter) controls(prefix, digits string, width int, del bool) *quoter {
	for c := range len(q.ascii) {
		if (c < ' ' || c == 0x7f && del) && q.ascii[c] == "" {
			q.ascii[c] = prefix + number(rune(c), digits, width)
		}
	}
	return &q
}

const (
	lowerDigits = "0123456789abcdef"
	upperDigits = "0123456789ABCDEF"
)

// number is r in the base that there are digits for, with zeros in front.
func number(r rune, digits string, width int) string {
	var b [12]byte
	i := len(b)
	for ; r > 0 || width > 0; width-- {
		i--
		b[i] = digits[int(r)%len(digits)]
		r /= rune(len(digits))
	}
	return string(b[i:])
}
