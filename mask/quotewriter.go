package mask

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// utf16Units writes characters as JSON and JavaScript do: in two halves beyond
// the first 65536.
func utf16Units(digits string) func(b []byte, r rune) []byte {
	return func(b []byte, r rune) []byte {
		if r >= 0x10000 {
			r -= 0x10000
			b = append(append(b, `\u`...), number(0xd800+r>>10, digits, 4)...)
			r = 0xdc00 + r&0x3ff
		}
		return append(append(b, `\u`...), number(r, digits, 4)...)
	}
}

// onlyLineSeparators writes U+2028 and U+2029 as JSON does for JavaScript's sake.
func onlyLineSeparators(b []byte, r rune) []byte {
	if r == 0x2028 || r == 0x2029 {
		return append(append(b, `\u`...), number(r, lowerDigits, 4)...)
	}
	return utf8.AppendRune(b, r)
}

// eachByte writes each byte of a character.
func eachByte(write func(b []byte, c byte) []byte) func(b []byte, r rune) []byte {
	return func(b []byte, r rune) []byte {
		for _, c := range utf8.AppendRune(nil, r) {
			b = write(b, c)
		}
		return b
	}
}

// inBase writes a byte as a number with something before it.
func inBase(prefix, digits string, width int) func(b []byte, c byte) []byte {
	return func(b []byte, c byte) []byte {
		return append(append(b, prefix...), number(rune(c), digits, width)...)
	}
}

// pythonRune writes characters as Python's repr does, or its ascii.
func pythonRune(ascii bool) func(b []byte, r rune) []byte {
	return func(b []byte, r rune) []byte {
		switch {
		case !ascii && unicode.IsPrint(r):
			return utf8.AppendRune(b, r)
		case r < 0x100:
			return append(append(b, `\x`...), number(r, lowerDigits, 2)...)
		case r < 0x10000:
			return append(append(b, `\u`...), number(r, lowerDigits, 4)...)
		}
		return append(append(b, `\U`...), number(r, lowerDigits, 8)...)
	}
}

// yamlRune writes characters as libyaml does within double quotes.
func yamlRune(b []byte, r rune) []byte {
	switch {
	case r == 0x85:
		return append(b, `\N`...)
	case r == 0x2028:
		return append(b, `\L`...)
	case r == 0x2029:
		return append(b, `\P`...)
	case r >= 0x10000:
		return append(append(b, `\U`...), number(r, upperDigits, 8)...)
	}
	return utf8.AppendRune(b, r)
}

// yamlASCII writes characters as Python's yaml does within double quotes.
func yamlASCII(b []byte, r rune) []byte {
	switch {
	case r == 0xa0:
		return append(b, `\_`...)
	case r == 0x85 || r == 0x2028 || r == 0x2029 || r >= 0x10000:
		return yamlRune(b, r)
	case r < 0x100:
		return append(append(b, `\x`...), number(r, upperDigits, 2)...)
	}
	return append(append(b, `\u`...), number(r, upperDigits, 4)...)
}

// replaced writes U+FFFD for a byte that is no UTF-8.
func replaced(as string) func(b []byte, c byte) []byte {
	return func(b []byte, _ byte) []byte { return append(b, as...) }
}

// backslashed puts a backslash before the characters of set.
func backslashed(set string) *quoter {
	q := &quoter{}
	for i := range len(set) {
		q.ascii[set[i]] = `\` + set[i:i+1]
	}
	return q
}

// entities writes characters as XML or HTML does.
func entities(pairs ...string) *quoter {
	return (quoter{}).with(append([]string{"&", "&amp;", "<", "&lt;", ">", "&gt;"}, pairs...)...)
}

// numeric writes characters as numeric entities.
func numeric(prefix, digits string) func(b []byte, r rune) []byte {
	return func(b []byte, r rune) []byte {
		return append(append(append(b, prefix...), number(r, digits, 0)...), ';')
	}
}

// escapeAllBut puts a backslash before every character but letters, digits and
// those of safe.
func escapeAllBut(safe string) *quoter {
	q := &quoter{wide: func(b []byte, r rune) []byte { return utf8.AppendRune(append(b, '\\'), r) }}
	for c := range len(q.ascii) {
		if !isAlphanumeric(byte(c)) && strings.IndexByte(safe, byte(c)) < 0 {
			q.ascii[c] = `\` + string(rune(c))
		}
	}
	return q
}
