package mask

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"html"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzWriter holds a stream against the reference: the first values are added, the
// text is written in pieces of the sizes that cuts say, and the last value is
// added, or the stream flushed, where cuts say so.
func FuzzWriter(f *testing.F) {
	f.Add("aab", "abaab", "b\nab", []byte("aaabaabab\nab"), []byte{1, 2, 3})
	f.Add("hunter", "r2d2", "", []byte("hun\x1b[31mter2d2 hu\bun"), []byte{7, 0x80, 3})
	f.Add("\x1b[m", "a\x1b]0;x\a", "ab", []byte("a\x1b[mb\x1b]0;x\ab\x1b"), []byte{2, 0x81})
	f.Add("hunter22", "r2d2c3po", "line", []byte("a line of more than sixty-four bytes, with \x1b[1ma colour\x1b[0m in it\nand hun\x1b[31m\x1b[1mter22 in the next, which is \x1b[2Klong too\n"), []byte{70, 20, 120})
	f.Fuzz(func(t *testing.T, one, two, late string, text, cuts []byte) {
		if len(one)+len(two)+len(late)+len(text) > 400 {
			t.Skip("the reference is slow")
		}
		var got bytes.Buffer
		m := New(Encodings(false), withMinLength(2), withToken("#"))
		w := m.Writer(&got)
		want := &reference{token: "#", patterns: map[string]bool{}}
		add := func(value string) {
			m.Add(value)
			want.add(literal(value, 2)...)
		}
		add(one)
		add(two)
		steady := true
		rest := text
		for _, c := range cuts {
			switch {
			case c == 0x80:
				add(late)
				steady = false
			case c == 0x81:
				if err := w.Flush(); err != nil {
					t.Fatal(err)
				}
				want.write(nil, true)
				steady = false
			default:
				n := min(int(c), len(rest))
				if _, err := w.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				want.write(rest[:n], false)
				rest = rest[n:]
			}
			if got.String() != string(want.out) {
				t.Fatalf("after %q: %q, want %q", text[:len(text)-len(rest)], got.String(), want.out)
			}
		}
		if _, err := w.Write(rest); err != nil {
			t.Fatal(err)
		}
		want.write(rest, false)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		want.write(nil, true)
		if got.String() != string(want.out) {
			t.Fatalf("%q: %q, want %q", text, got.String(), want.out)
		}
		if steady {
			for _, size := range []int{0, 1, 3, 7} {
				if again := cut(t, m, text, size); again != got.String() {
					t.Fatalf("cut at %d: %q, want %q", size, again, got.String())
				}
			}
		}
	})
}

// encoders are the forms that the standard library can make, and some that are
// easily made.
var encoders = map[string]func(value string) string{
	"as is":     func(v string) string { return v },
	"hex":       func(v string) string { return hex.EncodeToString([]byte(v)) },
	"HEX":       func(v string) string { return strings.ToUpper(hex.EncodeToString([]byte(v))) },
	"query":     url.QueryEscape,
	"path":      url.PathEscape,
	"user":      func(v string) string { return url.UserPassword("u", v).String()[2:] },
	"html":      html.EscapeString,
	"%q":        func(v string) string { q := strconv.Quote(v); return q[1 : len(q)-1] },
	"%+q":       func(v string) string { q := strconv.QuoteToASCII(v); return q[1 : len(q)-1] },
	"single":    func(v string) string { return strings.ReplaceAll(v, "'", `'\''`) },
	"double":    strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace,
	"twice":     func(v string) string { return strings.ReplaceAll(v, "'", "''") },
	"slashes":   func(v string) string { return strings.ReplaceAll(toJSON(v, false), "/", `\/`) },
	"JSON":      func(v string) string { return toJSON(v, false) },
	"Go's JSON": func(v string) string { return toJSON(v, true) },
	"JSON in JSON": func(v string) string {
		return toJSON(toJSON(v, false), false)
	},
	"XML": func(v string) string {
		var b bytes.Buffer
		_ = xml.EscapeText(&b, []byte(v)) // a buffer does not fail
		return b.String()
	},
	"base32": func(v string) string { return base32.StdEncoding.EncodeToString([]byte(v)) },
	"base64 of base64": func(v string) string {
		return base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(v))))
	},
	"every %":    func(v string) string { return eachByteIn("%", v, strings.ToUpper) },
	"addslashes": strings.NewReplacer("'", `\'`, `"`, `\"`, `\`, `\\`, "\x00", `\0`).Replace,
	"MySQL":      strings.NewReplacer("'", `\'`, `"`, `\"`, `\`, `\\`, "\x00", `\0`, "\n", `\n`, "\r", `\r`, "\x1a", `\Z`).Replace,
	"E''":        strings.NewReplacer("'", `''`, `\`, `\\`).Replace,
	"dash": func(v string) string { // runs of quotes between double ones, and no empty '' behind
		var b strings.Builder
		for i := 0; i < len(v); {
			n := len(v[i:]) - len(strings.TrimLeft(v[i:], "'"))
			if n == 0 {
				b.WriteByte(v[i])
				i++
				continue
			}
			b.WriteString(`'"` + v[i:i+n] + `"`)
			if i += n; i < len(v) {
				b.WriteByte('\'')
			}
		}
		return b.String()
	},
	"lower %": func(v string) string {
		var b strings.Builder
		for _, c := range []byte(v) {
			if isAlphanumeric(c) || strings.IndexByte("-_.~", c) >= 0 {
				b.WriteByte(c)
			} else {
				b.WriteString("%" + hex.EncodeToString([]byte{c}))
			}
		}
		return b.String()
	},
}

func eachByteIn(prefix, v string, digits func(string) string) string {
	var b strings.Builder
	for _, c := range []byte(v) {
		b.WriteString(prefix + digits(hex.EncodeToString([]byte{c})))
	}
	return b.String()
}

func toJSON(v string, forHTML bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(forHTML)
	_ = e.Encode(v) // a string does not fail
	return strings.TrimSuffix(b.String(), "\n")[1 : b.Len()-2]
}

// FuzzForms makes every form of a value and wants nothing left of it, however the
// text that it is in is cut.
func FuzzForms(f *testing.F) {
	for _, v := range []string{"it's \"a\" <b>&c/d", "p\\w$x`y`", "two\r\nlines here", "\xff\x00\x1b[0m~", "é日本😀\u2028", "postgres://u:pass%40word@h/d"} {
		f.Add(v, "u:", "\n")
	}
	f.Fuzz(func(t *testing.T, value, before, after string) {
		trimmed := strings.TrimSpace(value)
		if len(trimmed) < MinLength || len(value)+len(before)+len(after) > 300 {
			t.Skip("too short, or slow")
		}
		// An empty token leaves what is not masked, and nothing else.
		m := New(withToken(""))
		m.Add(value)
		for name, encode := range encoders {
			form := encode(trimmed)
			if name == "XML" && (!utf8.ValidString(trimmed) || strings.Contains(form, "\uFFFD")) {
				continue // these cannot be in XML
			}
			if strings.ContainsAny(form, "\r\n") {
				for _, line := range splitLines(trimmed) {
					// Lines that are too short are refused, however long their forms.
					if line = strings.TrimSpace(line); len(line) >= MinLength {
						if form := encode(line); strings.Contains(m.String(form), form) {
							t.Errorf("%s of a line: %q stays", name, form)
						}
					}
				}
				continue
			}
			text := "<" + form + ">"
			got := cut(t, m, []byte(text), 0)
			if len(strings.Trim(got, "<>")) > 0 || len(got) > 2 {
				t.Errorf("%s of %q: %q leaves %q", name, value, form, got)
			}
			for _, size := range []int{1, 3, 7} {
				if again := cut(t, m, []byte(text), size); again != got {
					t.Errorf("%s of %q cut at %d: %q, want %q", name, value, size, again, got)
				}
			}
		}
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
			code := encoding.EncodeToString([]byte(before + trimmed + after))
			from, to := (8*len(before)+5)/6, 8*(len(before)+len(trimmed))/6
			got := m.String(code)
			if want := len(code) - (to - from); len(got) > want {
				t.Errorf("base64 of %q between %q and %q: %q leaves %q", value, before, after, code, got)
			}
		}
	})
}
