package mask

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// escapes is which escapes a program undoes beside \\, \a, \b, \e, \f, \n, \r, \t
// and \v. It leaves others as they are.
type escapes struct {
	zeroOctal bool // \0 and up to three octal digits
	octal     bool // up to three octal digits
	hex       bool // \xHH, \uHHHH, \UHHHHHHHH
	stop      bool // \c ends the text
	quotes    string
}

// unescapers are echo and printf of dash, of bash, and of /bin/printf, and what is
// undone by $'…' and by programming languages.
var unescapers = [...]escapes{
	{zeroOctal: true, octal: true, stop: true},                         // dash: echo, printf %b
	{zeroOctal: true, hex: true, stop: true},                           // bash: echo -e
	{zeroOctal: true, octal: true, hex: true, stop: true},              // bash: printf %b
	{octal: true, quotes: `'"?`},                                       // dash: printf
	{octal: true, hex: true, quotes: `'"?`},                            // bash: printf, $'…'; languages
	{octal: true, hex: true, quotes: `"`},                              // coreutils: printf
	{zeroOctal: true, octal: true, hex: true, stop: true, quotes: `"`}, // its %b
}

var onlyLineEnds = strings.NewReplacer(`\r\n`, "\n", `\n`, "\n", `\r`, "\n")

// unescapes are what value becomes when the escapes in it are undone, as differently
// as programs do that.
func unescapes(value string) (found []inner) {
	if strings.IndexByte(value, '\\') < 0 {
		return nil
	}
	found = append(found, inner{text: onlyLineEnds.Replace(value)}) // gsub('\n', "\n")
	for i := range unescapers {
		found = append(found, inner{text: unescapers[i].undo(value)})
	}
	var text string // JSON without its quotes
	if json.Unmarshal([]byte(`"`+value+`"`), &text) == nil {
		found = append(found, inner{text: text})
	}
	return found
}

func (e *escapes) undo(value string) string {
	b := make([]byte, 0, len(value))
	for {
		i := strings.IndexByte(value, '\\')
		if i < 0 || i+1 == len(value) {
			return string(append(b, value...))
		}
		b = append(b, value[:i]...)
		c := value[i+1]
		if c == 'c' && e.stop {
			return string(b)
		}
		var n int // bytes behind the backslash that are of the escape
		if k := strings.IndexByte(`\abeEfnrtv`, c); k >= 0 {
			b, n = append(b, "\\\a\b\x1b\x1b\f\n\r\t\v"[k]), 1
		} else if strings.IndexByte(e.quotes, c) >= 0 {
			b, n = append(b, c), 1
		} else {
			b, n = e.number(b, value[i+1:])
		}
		if n == 0 {
			b = append(b, '\\')
		}
		value = value[i+1+n:]
	}
}

// number undoes an escape that is a number; n is 0 if text begins with none.
func (e *escapes) number(b []byte, text string) (_ []byte, n int) {
	digits := func(from, most, base int) (uint64, int) {
		n := from
		for n < len(text) && n < from+most && strings.IndexByte("0123456789abcdefABCDEF", text[n]) >= 0 && (base == 16 || text[n] < '8') {
			n++
		}
		value, _ := strconv.ParseUint(text[from:n], base, 32) // digits only, and 0 if none
		return value, n
	}
	wide := map[byte]int{'x': 2, 'u': 4, 'U': 8}[text[0]]
	switch {
	case e.zeroOctal && text[0] == '0':
		value, n := digits(1, 3, 8)
		return append(b, byte(value)), n
	case e.octal && '0' <= text[0] && text[0] < '8':
		value, n := digits(0, 3, 8)
		return append(b, byte(value)), n
	case e.hex && wide > 0:
		value, n := digits(1, wide, 16)
		switch {
		case n == 1:
			return b, 0
		case wide == 2:
			return append(b, byte(value)), n
		}
		return utf8.AppendRune(b, rune(value)), n
	}
	return b, 0
}
