package mask

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"sync"
)

// codeWidth is where coreutils and MIME break lines of codes.
const codeWidth = 76

// codeWidths are where tools break them: Ruby's pack, PEM, and coreutils.
var codeWidths = [...]int{60, 64, codeWidth}

// wrappedMin is the shortest last line of such base64 that is masked by itself:
// shorter ones are met by chance, and slow down the search for all others.
const wrappedMin = 12

// wrappedMinLong is the same for codes that are longer: base32, and base64 of base64.
const wrappedMinLong = 16

// addBase64 takes the base64 of value at each of the three places it can have in
// a longer text that is encoded, in both alphabets.
func (f *forms) addBase64(value string) {
	for shift := range 3 {
		// Zeros in front put the value in its place; the characters that hold bits of
		// what is in front are left out.
		text := append(make([]byte, shift, shift+len(value)), value...)
		code := base64.StdEncoding.EncodeToString(text)
		skip := (8*shift + 5) / 6
		sure := len(text) * 8 / 6 // as many characters do not depend on what follows
		for again := true; again; {
			// Where the value ends what is encoded, the last character and the padding
			// say something of it too.
			f.addCode(code[skip:sure])
			if sure < len(code) {
				f.addCode(code[skip : sure+1])
				f.addCode(code[skip:])
			}
			if shift == 0 {
				for _, width := range codeWidths {
					f.addLines(code, width, wrappedMin)
				}
			}
			url := urlAlphabet(code)
			again, code = url != code, url
		}
	}
}

// addBase64Twice takes the base64 of a value's base64, which stands in the secrets of
// Kubernetes, at each of the nine places that the value can have in it.
func (f *forms) addBase64Twice(value string) {
	if len(value) < MinLength {
		return // a shorter one has no character that says nothing of what is around it
	}
	for shift := range 3 {
		text := append(make([]byte, shift, shift+len(value)), value...)
		code := base64.StdEncoding.EncodeToString(text)[(8*shift+5)/6 : len(text)*8/6]
		for again := range 3 {
			outer := base64.StdEncoding.EncodeToString([]byte("  "[:again] + code))
			outer = outer[(8*again+5)/6 : (again+len(code))*8/6]
			f.addCode(outer)
		}
	}
	// The whole of it, of which no end stays, and its lines.
	code := base64.StdEncoding.EncodeToString([]byte(value))
	f.addWhole(base64.StdEncoding.EncodeToString([]byte(code)))
	for _, text := range [...]string{value, value + "\n"} { // as base64 prints it
		code := base64.StdEncoding.EncodeToString([]byte(text))
		lines := make([]byte, 0, len(code)+len(code)/codeWidth+1)
		for ; code != ""; code = code[min(codeWidth, len(code)):] {
			lines = append(append(lines, code[:min(codeWidth, len(code))]...), '\n')
		}
		f.addWhole(base64.StdEncoding.EncodeToString(lines))
	}
}

// addWhole takes a code that nothing is around of, and its lines.
func (f *forms) addWhole(code string) {
	f.addCode(code)
	f.addLines(code, codeWidth, wrappedMinLong)
}

// addBase32 takes the base32 of value, alone or at the beginning of what is encoded.
func (f *forms) addBase32(value string) {
	code := base32.StdEncoding.EncodeToString([]byte(value))
	f.addCode(code[:len(value)*8/5]) // what does not depend on what follows
	f.addWhole(code)
	f.addWhole(base32.StdEncoding.EncodeToString([]byte(value + "\n")))
}

// addLines takes the lines of a code that is longer than width, as tools break it, but
// for a last one that is shorter than shortest.
func (f *forms) addLines(code string, width, shortest int) {
	for line := code; len(code) > width && len(line) >= shortest; line = line[min(width, len(line)):] {
		f.addCode(line[:min(width, len(line))])
	}
}

// addCode takes a form whose characters mean nothing to a person: a very short
// one would be met by chance.
func (f *forms) addCode(form string) {
	if len(form) >= 4 {
		f.add(form)
	}
}

func urlAlphabet(code string) string {
	if !strings.ContainsAny(code, "+/") {
		return code
	}
	return strings.ReplaceAll(strings.ReplaceAll(code, "+", "-"), "/", "_")
}

// addHex takes the hexadecimal of value in both cases.
func (f *forms) addHex(value string) {
	code := hex.EncodeToString([]byte(value))
	f.add(code)
	f.add(strings.ToUpper(code))
}

// percentSafe is what percent-encoders leave as it is, beside letters and digits.
var percentSafe = [...]string{
	"-_.~",                         // RFC 3986; Go's QueryEscape, Ruby's CGI.escape and ERB
	"-_.!~*'()",                    // encodeURIComponent
	"-_.~$&+=:@",                   // Go's PathEscape
	"-_.~$&+,;=",                   // Go's userinfo
	"-_.~$&+,/:;=@",                // Go's paths
	"-_.~/",                        // Python's quote
	"*-._",                         // forms; Ruby's URI.encode_www_form
	"-_.",                          // PHP's urlencode
	"-_.!*()",                      // .NET's UrlEncode
	"-_.!~*'();/?:@&=+$,#",         // encodeURI
	"-_.~!$%&'()*+,",               // a browser's URL: user and password,
	"-_.~!$%&'()*+,/:;=@[\\]|",     // path,
	"-_.~!$%&()*+,/:;=?@[\\]^`{|}", // query
}

// runnerEncodes is what is encoded in the commands of GitHub's runner, and in
// their properties.
var runnerEncodes = [...]string{"%\r\n", "%\r\n:,"}

// byteSet is a set of bytes.
type byteSet [256]bool

var percentSets = sync.OnceValue(func() (sets []byteSet) {
	for _, safe := range percentSafe {
		var bad byteSet
		for c := range bad {
			bad[c] = !isAlphanumeric(byte(c)) && strings.IndexByte(safe, byte(c)) < 0
		}
		sets = append(sets, bad)
	}
	for _, encodes := range runnerEncodes {
		var bad byteSet
		for i := range len(encodes) {
			bad[encodes[i]] = true
		}
		sets = append(sets, bad)
	}
	return sets
})

// addPercent takes value as in URLs and forms, with its bytes in both cases, with +
// for a space, and with every byte encoded.
func (f *forms) addPercent(value string) {
	f.add(percentEach(value, upperDigits))
	f.add(percentEach(value, lowerDigits))
	var have byteSet
	var special []byte // each byte that some encoder changes
	for i := range len(value) {
		c := value[i]
		if !have[c] && !isAlphanumeric(c) && c != '-' && c != '_' && c != '.' {
			special = append(special, c)
		}
		have[c] = true
	}
	if special == nil {
		return
	}
	sets := percentSets()
next:
	for i := range sets {
		changes := false
		for _, c := range special {
			changes = changes || sets[i][c]
		}
		if !changes {
			continue
		}
	earlier:
		for k := range i { // the same as one before, as far as this value goes
			for _, c := range special {
				if sets[k][c] != sets[i][c] {
					continue earlier
				}
			}
			continue next
		}
		for _, digits := range [...]string{upperDigits, lowerDigits} {
			f.add(percent(value, &sets[i], digits, false))
			if have[' '] && sets[i][' '] {
				f.add(percent(value, &sets[i], digits, true))
			}
		}
	}
}

// percentEach is value with each byte encoded.
func percentEach(value, digits string) string {
	b := make([]byte, 0, 3*len(value))
	for i := range len(value) {
		b = append(b, '%', digits[value[i]>>4], digits[value[i]&15])
	}
	return string(b)
}

func percent(value string, bad *byteSet, digits string, plus bool) string {
	b := make([]byte, 0, 3*len(value))
	for i := range len(value) {
		switch c := value[i]; {
		case plus && c == ' ':
			b = append(b, '+')
		case bad[c]:
			b = append(b, '%', digits[c>>4], digits[c&15])
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
