package mask

import (
	"strings"
	"sync"
	"unicode"
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
	for i := 0; i < len(pairs); i += 2 {
		q.ascii[pairs[i][0]] = pairs[i+1]
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

// quoterTable is all of them.
type quoterTable struct {
	plain  []*quoter
	nested [][2]*quoter // the inner, the outer
	folded []*quoter    // of plain, those whose lines are broken at spaces
}

// quoters is made once: it is large, and not every program masks.
var quoters = sync.OnceValue(func() *quoterTable {
	var t quoterTable
	add := func(q *quoter) *quoter {
		t.plain = append(t.plain, q)
		return q
	}

	// JSON. Control characters but the five are \u00xx everywhere.
	five := (quoter{}).with(`"`, `\"`, `\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\b", `\b`, "\f", `\f`)
	three := (quoter{}).with(`"`, `\"`, `\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`)
	json := add(five.controls(`\u`, lowerDigits, 4, false))
	jsonUpper := add(five.controls(`\u`, upperDigits, 4, false))
	add(json.with("/", `\/`))
	wide := func(q *quoter, digits string) *quoter {
		q.wide = utf16Units(digits)
		q.invalid = replaced(`\ufffd`)
		return q
	}
	ascii := add(wide(json.with(), lowerDigits)) // ASCII only, by many
	python := add(wide(json.with("\x7f", `\u007f`), lowerDigits))
	add(wide(jsonUpper.with(), upperDigits))
	add(wide(json.with("/", `\/`), lowerDigits)) // PHP
	goRaw := json.with()                         // Go without HTML
	goRaw.wide, goRaw.invalid = onlyLineSeparators, replaced(`\ufffd`)
	add(goRaw)
	goSlashes := goRaw.with("/", `\/`)
	add(goSlashes)
	lossy := add(&quoter{invalid: replaced("\uFFFD")}) // read as text by a program that takes no other
	htmlSafe := []string{"<", `\u003c`, ">", `\u003e`, "&", `\u0026`}
	goJSON := json.with(htmlSafe...) // Go and Rails
	goJSON.wide, goJSON.invalid = onlyLineSeparators, replaced(`\ufffd`)
	add(goJSON)
	older := three.controls(`\u`, lowerDigits, 4, false).with(htmlSafe...) // Go before 1.22
	older.wide, older.invalid = onlyLineSeparators, replaced(`\ufffd`)
	add(older)
	add(goJSON.with("'", `\u0027`)) // Newtonsoft, for HTML
	add(goJSON.with("'", `\u0027`, `"`, `\u0022`, "/", `\/`))
	htmlUpper := []string{"<", `\u003C`, ">", `\u003E`, "&", `\u0026`, "'", `\u0027`}
	add(json.with(htmlUpper...)) // PHP with JSON_HEX_*
	add(json.with(append(htmlUpper, `"`, `\u0022`)...))
	add(json.with(append(htmlUpper, `"`, `\u0022`, "/", `\/`)...))
	dotNet := append([]string{`"`, `\u0022`, "+", `\u002B`, "`", `\u0060`, "\x7f", `\u007F`}, htmlUpper...)
	add(wide(jsonUpper.with(dotNet...), upperDigits))

	// XML and HTML.
	add(entities())
	add(entities(`"`, "&quot;"))
	add(entities(`"`, "&quot;", "'", "&#39;"))  // Ruby's CGI and ERB
	add(entities(`"`, "&quot;", "'", "&#039;")) // PHP
	add(entities(`"`, "&quot;", "'", "&apos;")) // XML
	add(entities(`"`, "&quot;", "'", "&#x27;")) // Python
	add(entities(`"`, "&quot;", "'", "&#x27;", "/", "&#x2F;"))
	add(entities(`"`, "&quot;", "'", "&#39;", "/", "&#x2F;", "`", "&#x60;", "=", "&#x3D;"))       // mustache
	add(entities(`"`, "&#34;", "'", "&#39;"))                                                     // Go's html
	add(entities(`"`, "&#34;", "'", "&#39;", "+", "&#43;", "`", "&#96;", "\x00", "\uFFFD"))       // Go's html/template
	xml := add(entities(`"`, "&#34;", "'", "&#39;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;")) // Go's encoding/xml
	add(entities(`"`, "&quot;", "\t", "&#9;", "\n", "&#10;", "\r", "&#13;"))                      // attributes in libxml
	for _, w := range []func(b []byte, r rune) []byte{numeric("&#", "0123456789"), numeric("&#x", upperDigits), numeric("&#x", lowerDigits)} {
		e := entities(`"`, "&quot;", "'", "&#39;")
		e.wide = w
		add(e)
	}

	// Shells.
	single := add((quoter{}).with("'", `'\''`))
	spliced := add((quoter{}).with("'", `'"'"'`)) // Python's shlex
	double := add(backslashed("\"$`\\"))
	add(backslashed("\"$`\\!"))
	rubyShell := add(escapeAllBut("-_.,:+/@\r\n"))         // Ruby's shellescape
	add(backslashed(" \t'\"`$\\|&;()<>!{}*[]?^,"))         // bash's printf %q
	add(backslashed(" \t'\"`$\\|&;()<>!{}*[]?^,~#="))      // zsh and others
	doubled := add((quoter{}).with("'", `''`))             // PowerShell, SQL, YAML
	add((quoter{}).with(`"`, `""`))                        // cmd, CSV
	add((quoter{}).with(`"`, "`\"", "$", "`$", "`", "``")) // PowerShell
	add((quoter{}).with("$", "$$"))                        // docker compose, make
	bash := (quoter{}).with("'", `\'`, `\`, `\\`, "\a", `\a`, "\b", `\b`, "\x1b", `\E`, "\f", `\f`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\v", `\v`)
	add(bash.controls(`\`, "01234567", 3, true)) // $'…'
	octal := bash.controls(`\`, "01234567", 3, true)
	octal.invalid = inBase(`\`, "01234567", 3)
	octal.wide = eachByte(octal.invalid)
	add(octal)
	unseen := octal.with() // in a UTF-8 locale: what cannot be printed
	unseen.wide = func(b []byte, r rune) []byte {
		if unicode.IsPrint(r) || unicode.Is(unicode.Zs, r) {
			return utf8.AppendRune(b, r)
		}
		return octal.wide(b, r)
	}
	add(unseen)
	add(bash.with("\x1b", `\e`).controls(`\x`, lowerDigits, 2, true))

	// Programming languages.
	code := (quoter{}).with(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`)
	t.folded = append(t.folded, doubled, add(code))
	for _, quote := range []string{"'", `"`} {
		q := code.with(quote, `\`+quote)
		add(q) // JavaScript and many more
		for _, digits := range []string{lowerDigits, upperDigits} {
			hex := q.controls(`\x`, digits, 2, true) // Python, Node
			hex.invalid = inBase(`\x`, digits, 2)
			add(hex)
			repr := hex.with() // Python
			repr.wide = pythonRune(false)
			t.folded = append(t.folded, add(repr))
			repr = hex.with()
			repr.wide = pythonRune(true)
			add(repr)
			node := q.with("\b", `\b`, "\f", `\f`).controls(`\x`, digits, 2, true)
			node.wide = func(b []byte, r rune) []byte {
				if r < 0xa0 {
					return hex.invalid(b, byte(r))
				}
				return utf8.AppendRune(b, r)
			}
			add(node)
			bytes := hex.with()
			bytes.wide = eachByte(hex.invalid) // Python's bytes, C
			add(bytes)
		}
		oct := q.controls(`\`, "01234567", 3, true) // git, C
		oct.invalid = inBase(`\`, "01234567", 3)
		oct.wide = eachByte(oct.invalid)
		add(oct)
	}
	yaml := (quoter{}).with(`"`, `\"`, `\`, `\\`, "\x00", `\0`, "\a", `\a`, "\b", `\b`, "\t", `\t`, "\n", `\n`, "\v", `\v`, "\f", `\f`, "\r", `\r`, "\x1b", `\e`)
	yaml = yaml.controls(`\x`, upperDigits, 2, true)
	add(yaml)
	libyaml := yaml.with()
	libyaml.wide = yamlRune
	pyYAML := yaml.with("\x7f", `\x7F`)
	pyYAML.wide = yamlASCII
	t.folded = append(t.folded, yaml, add(libyaml), add(pyYAML))

	// Databases.
	slashes := add((quoter{}).with("'", `\'`, `"`, `\"`, `\`, `\\`, "\x00", `\0`)) // PHP's addslashes
	add((quoter{}).with("'", `\'`, `\`, `\\`, "\x00", `\0`, "\x1a", `\Z`))         // MySQL's QUOTE
	mysql := add(slashes.with("\n", `\n`, "\r", `\r`, "\x1a", `\Z`))               // mysql_real_escape_string
	add(mysql.with("\t", `\t`, "\b", `\b`))                                        // Node's
	add((quoter{}).with(`\`, `\\`, "\n", `\n`, "\t", `\t`, "\x00", `\0`))          // mysql -B
	postgres := add((quoter{}).with("'", `''`, `\`, `\\`))                         // Postgres' E'…'
	add(postgres.with("\b", `\b`, "\f", `\f`, "\n", `\n`, "\r", `\r`, "\t", `\t`)) // the same, by hand
	add(code.with("\b", `\b`, "\f", `\f`, "\v", `\v`))                             // Postgres' COPY

	t.nested = [][2]*quoter{
		{json, json},
		{goJSON, goJSON},
		{ascii, json},
		{python, python},
		{goRaw, goRaw}, // JSON in JSON
		{lossy, json},
		{json, rubyShell},
		{json, single},
		{json, double}, // Kamal's secrets fetch; JSON on a command line
		{single, double},
		{double, single},
		{single, single},
		{double, double}, // a command in a command
		{single, json},
		{spliced, json},
		{double, json},
		{rubyShell, json},
		{rubyShell, double},
		{rubyShell, single}, // a command in JSON
		{xml, json},
		{entities(`"`, "&quot;", "'", "&#39;"), goJSON}, // HTML in JSON
		{json, entities(`"`, "&quot;", "'", "&#39;")},   // JSON in HTML
	}
	for _, q := range t.plain {
		q.note()
	}
	for _, pair := range t.nested {
		pair[0].note()
	}
	return &t
})

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
