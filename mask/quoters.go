package mask

import (
	"sync"
	"unicode"
	"unicode/utf8"
)

// quoterTable is all of them.
type quoterTable struct {
	plain  []*quoter
	nested [][2]*quoter // the inner, the outer
	folded []*quoter    // of plain, those whose lines are broken at spaces
}

// nestedQuoters are those whose text is often quoted again, or that quote it again.
type nestedQuoters struct {
	json, goJSON, ascii, python, goRaw, lossy *quoter
	ruby, xml                                 *quoter // entities: Ruby's, and those of Go's encoding/xml
	single, spliced, double, rubyShell        *quoter
}

// quoters is made once: it is large, and not every program masks.
var quoters = sync.OnceValue(func() *quoterTable {
	var (
		t quoterTable
		n nestedQuoters
	)
	t.addJSON(&n)
	t.addEntities(&n)
	t.addShells(&n)
	t.addLanguages()
	t.addYAML()
	t.addDatabases()
	t.nested = n.pairs()
	for _, q := range t.plain {
		q.note()
	}
	for _, pair := range t.nested {
		pair[0].note()
	}
	return &t
})

func (t *quoterTable) add(q *quoter) *quoter {
	t.plain = append(t.plain, q)
	return q
}

// addJSON adds what JSON's many writers make of a text. Control characters but the
// five are \u00xx everywhere.
func (t *quoterTable) addJSON(n *nestedQuoters) {
	five := (quoter{}).with(`"`, `\"`, `\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\b", `\b`, "\f", `\f`)
	three := (quoter{}).with(`"`, `\"`, `\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`)
	json := t.add(five.controls(`\u`, lowerDigits, 4, false))
	jsonUpper := t.add(five.controls(`\u`, upperDigits, 4, false))
	t.add(json.with("/", `\/`))
	wide := func(q *quoter, digits string) *quoter {
		q.wide = utf16Units(digits)
		q.invalid = replaced(`\ufffd`)
		return q
	}
	ascii := t.add(wide(json.with(), lowerDigits)) // ASCII only, by many
	python := t.add(wide(json.with("\x7f", `\u007f`), lowerDigits))
	t.add(wide(jsonUpper.with(), upperDigits))
	t.add(wide(json.with("/", `\/`), lowerDigits)) // PHP
	goRaw := json.with()                           // Go without HTML
	goRaw.wide, goRaw.invalid = onlyLineSeparators, replaced(`\ufffd`)
	t.add(goRaw)
	goSlashes := goRaw.with("/", `\/`)
	t.add(goSlashes)
	lossy := t.add(&quoter{invalid: replaced("\uFFFD")}) // read as text by a program that takes no other
	htmlSafe := []string{"<", `\u003c`, ">", `\u003e`, "&", `\u0026`}
	goJSON := json.with(htmlSafe...) // Go and Rails
	goJSON.wide, goJSON.invalid = onlyLineSeparators, replaced(`\ufffd`)
	t.add(goJSON)
	older := three.controls(`\u`, lowerDigits, 4, false).with(htmlSafe...) // Go before 1.22
	older.wide, older.invalid = onlyLineSeparators, replaced(`\ufffd`)
	t.add(older)
	t.add(goJSON.with("'", `\u0027`)) // Newtonsoft, for HTML
	t.add(goJSON.with("'", `\u0027`, `"`, `\u0022`, "/", `\/`))
	htmlUpper := []string{"<", `\u003C`, ">", `\u003E`, "&", `\u0026`, "'", `\u0027`}
	t.add(json.with(htmlUpper...)) // PHP with JSON_HEX_*
	t.add(json.with(append(htmlUpper, `"`, `\u0022`)...))
	t.add(json.with(append(htmlUpper, `"`, `\u0022`, "/", `\/`)...))
	dotNet := append([]string{`"`, `\u0022`, "+", `\u002B`, "`", `\u0060`, "\x7f", `\u007F`}, htmlUpper...)
	t.add(wide(jsonUpper.with(dotNet...), upperDigits))
	n.json, n.goJSON, n.ascii, n.python, n.goRaw, n.lossy = json, goJSON, ascii, python, goRaw, lossy
}

// addEntities adds XML and HTML.
func (t *quoterTable) addEntities(n *nestedQuoters) {
	t.add(entities())
	t.add(entities(`"`, "&quot;"))
	ruby := t.add(entities(`"`, "&quot;", "'", "&#39;")) // Ruby's CGI and ERB
	t.add(entities(`"`, "&quot;", "'", "&#039;"))        // PHP
	t.add(entities(`"`, "&quot;", "'", "&apos;"))        // XML
	t.add(entities(`"`, "&quot;", "'", "&#x27;"))        // Python
	t.add(entities(`"`, "&quot;", "'", "&#x27;", "/", "&#x2F;"))
	t.add(entities(`"`, "&quot;", "'", "&#39;", "/", "&#x2F;", "`", "&#x60;", "=", "&#x3D;"))       // mustache
	t.add(entities(`"`, "&#34;", "'", "&#39;"))                                                     // Go's html
	t.add(entities(`"`, "&#34;", "'", "&#39;", "+", "&#43;", "`", "&#96;", "\x00", "\uFFFD"))       // Go's html/template
	xml := t.add(entities(`"`, "&#34;", "'", "&#39;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;")) // Go's encoding/xml
	t.add(entities(`"`, "&quot;", "\t", "&#9;", "\n", "&#10;", "\r", "&#13;"))                      // attributes in libxml
	for _, w := range []func(b []byte, r rune) []byte{numeric("&#", "0123456789"), numeric("&#x", upperDigits), numeric("&#x", lowerDigits)} {
		e := entities(`"`, "&quot;", "'", "&#39;")
		e.wide = w
		t.add(e)
	}
	n.ruby, n.xml = ruby, xml
}

// addShells adds what a shell, PowerShell, cmd or make reads back.
func (t *quoterTable) addShells(n *nestedQuoters) {
	single := t.add((quoter{}).with("'", `'\''`))
	spliced := t.add((quoter{}).with("'", `'"'"'`)) // Python's shlex
	double := t.add(backslashed("\"$`\\"))
	t.add(backslashed("\"$`\\!"))
	rubyShell := t.add(escapeAllBut("-_.,:+/@\r\n"))               // Ruby's shellescape
	t.add(backslashed(" \t'\"`$\\|&;()<>!{}*[]?^,"))               // bash's printf %q
	t.add(backslashed(" \t'\"`$\\|&;()<>!{}*[]?^,~#="))            // zsh and others
	t.folded = append(t.folded, t.add((quoter{}).with("'", `''`))) // PowerShell, SQL, YAML
	t.add((quoter{}).with(`"`, `""`))                              // cmd, CSV
	t.add((quoter{}).with(`"`, "`\"", "$", "`$", "`", "``"))       // PowerShell
	t.add((quoter{}).with("$", "$$"))                              // docker compose, make
	bash := (quoter{}).with("'", `\'`, `\`, `\\`, "\a", `\a`, "\b", `\b`, "\x1b", `\E`, "\f", `\f`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\v", `\v`)
	t.add(bash.controls(`\`, "01234567", 3, true)) // $'…'
	octal := bash.controls(`\`, "01234567", 3, true)
	octal.invalid = inBase(`\`, "01234567", 3)
	octal.wide = eachByte(octal.invalid)
	t.add(octal)
	unseen := octal.with() // in a UTF-8 locale: what cannot be printed
	unseen.wide = func(b []byte, r rune) []byte {
		if unicode.IsPrint(r) || unicode.Is(unicode.Zs, r) {
			return utf8.AppendRune(b, r)
		}
		return octal.wide(b, r)
	}
	t.add(unseen)
	t.add(bash.with("\x1b", `\e`).controls(`\x`, lowerDigits, 2, true))
	n.single, n.spliced, n.double, n.rubyShell = single, spliced, double, rubyShell
}

// codeQuoter writes what the strings of nearly every programming language read back.
func codeQuoter() *quoter {
	return (quoter{}).with(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`)
}

// addLanguages adds the strings of programming languages.
func (t *quoterTable) addLanguages() {
	code := codeQuoter()
	t.folded = append(t.folded, t.add(code))
	for _, quote := range []string{"'", `"`} {
		q := code.with(quote, `\`+quote)
		t.add(q) // JavaScript and many more
		for _, digits := range []string{lowerDigits, upperDigits} {
			hex := q.controls(`\x`, digits, 2, true) // Python, Node
			hex.invalid = inBase(`\x`, digits, 2)
			t.add(hex)
			repr := hex.with() // Python
			repr.wide = pythonRune(false)
			t.folded = append(t.folded, t.add(repr))
			repr = hex.with()
			repr.wide = pythonRune(true)
			t.add(repr)
			node := q.with("\b", `\b`, "\f", `\f`).controls(`\x`, digits, 2, true)
			node.wide = func(b []byte, r rune) []byte {
				if r < 0xa0 {
					return hex.invalid(b, byte(r))
				}
				return utf8.AppendRune(b, r)
			}
			t.add(node)
			bytes := hex.with()
			bytes.wide = eachByte(hex.invalid) // Python's bytes, C
			t.add(bytes)
		}
		oct := q.controls(`\`, "01234567", 3, true) // git, C
		oct.invalid = inBase(`\`, "01234567", 3)
		oct.wide = eachByte(oct.invalid)
		t.add(oct)
	}
}

// addYAML adds what stands between double quotes in YAML.
func (t *quoterTable) addYAML() {
	yaml := (quoter{}).with(`"`, `\"`, `\`, `\\`, "\x00", `\0`, "\a", `\a`, "\b", `\b`, "\t", `\t`, "\n", `\n`, "\v", `\v`, "\f", `\f`, "\r", `\r`, "\x1b", `\e`)
	yaml = yaml.controls(`\x`, upperDigits, 2, true)
	t.add(yaml)
	libyaml := yaml.with()
	libyaml.wide = yamlRune
	pyYAML := yaml.with("\x7f", `\x7F`)
	pyYAML.wide = yamlASCII
	t.folded = append(t.folded, yaml, t.add(libyaml), t.add(pyYAML))
}

// addDatabases adds the strings of SQL and what databases print.
func (t *quoterTable) addDatabases() {
	slashes := t.add((quoter{}).with("'", `\'`, `"`, `\"`, `\`, `\\`, "\x00", `\0`)) // PHP's addslashes
	t.add((quoter{}).with("'", `\'`, `\`, `\\`, "\x00", `\0`, "\x1a", `\Z`))         // MySQL's QUOTE
	mysql := t.add(slashes.with("\n", `\n`, "\r", `\r`, "\x1a", `\Z`))               // mysql_real_escape_string
	t.add(mysql.with("\t", `\t`, "\b", `\b`))                                        // Node's
	t.add((quoter{}).with(`\`, `\\`, "\n", `\n`, "\t", `\t`, "\x00", `\0`))          // mysql -B
	postgres := t.add((quoter{}).with("'", `''`, `\`, `\\`))                         // Postgres' E'…'
	t.add(postgres.with("\b", `\b`, "\f", `\f`, "\n", `\n`, "\r", `\r`, "\t", `\t`)) // the same, by hand
	t.add(codeQuoter().with("\b", `\b`, "\f", `\f`, "\v", `\v`))                     // Postgres' COPY
}

// pairs is what is quoted and quoted again.
func (n *nestedQuoters) pairs() [][2]*quoter {
	return [][2]*quoter{
		{n.json, n.json},
		{n.goJSON, n.goJSON},
		{n.ascii, n.json},
		{n.python, n.python},
		{n.goRaw, n.goRaw}, // JSON in JSON
		{n.lossy, n.json},
		{n.json, n.rubyShell},
		{n.json, n.single},
		{n.json, n.double}, // Kamal's secrets fetch; JSON on a command line
		{n.single, n.double},
		{n.double, n.single},
		{n.single, n.single},
		{n.double, n.double}, // a command in a command
		{n.single, n.json},
		{n.spliced, n.json},
		{n.double, n.json},
		{n.rubyShell, n.json},
		{n.rubyShell, n.double},
		{n.rubyShell, n.single}, // a command in JSON
		{n.xml, n.json},
		{n.ruby, n.goJSON}, // HTML in JSON
		{n.json, n.ruby},   // JSON in HTML
	}
}
