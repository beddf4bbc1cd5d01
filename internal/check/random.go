package check

import "strings"

// pairs are the letters that follow a letter in nine of ten pairs of English and of
// the names that programmers give: counted over the comments and identifiers of Go's
// standard library. Of random letters three pairs of ten are among them.
var pairs = [256]string{
	'a': "bcdgiklmnprsty", 'b': "aeilou", 'c': "acehiklorstu", 'd': "adeilorsu",
	'e': "acdefglmnprstvx", 'f': "adefilors", 'g': "cehinors", 'h': "aeior",
	'i': "abcdefglmnoprstvz", 'k': "ei", 'l': "adeilostuy", 'm': "aeimopsu",
	'n': "acdefgiknostv", 'o': "bcdfglmnoprstuvw", 'p': "aeiloprstu", 'q': "u",
	'r': "acdegikmnorstuy", 's': "acehilopstuy", 't': "acehiloprstuy", 'u': "bceilmnprst",
	'v': "aei", 'w': "aeior", 'x': "ept", 'y': "ps", 'z': "e",
}

// A charClass is what kind of character a byte is.
type charClass int

const (
	mark charClass = iota // between words: - _ . / : + = and everything else
	digit
	lower
	upper
)

func classOf(b byte) charClass {
	switch {
	case b >= '0' && b <= '9':
		return digit
	case b >= 'a' && b <= 'z':
		return lower
	case b >= 'A' && b <= 'Z':
		return upper
	}
	return mark
}

// isRandom reports whether a text reads like nothing that people name things with: of
// its pairs of neighbours, more than two in five are letters that seldom follow one
// another, a letter and a digit, or a change to capitals within a word.
func isRandom(text string) bool {
	seen, odd := 0, 0.0
	for i := 1; i < len(text); i++ {
		a, b := classOf(text[i-1]), classOf(text[i])
		switch {
		case a == mark && b == mark:
		case a == mark || b == mark:
			if strings.IndexByte("-_./:=,", text[i-1]) < 0 && strings.IndexByte("-_./:=,", text[i]) < 0 {
				seen++
				odd += 0.7 // + ! % and their like stand in no name
			}
		case a == digit && b == digit:
			seen++
			odd += 0.3
		case a == digit || b == digit:
			seen++
			odd++
		case a == lower && b == upper, a == upper && b == lower && i >= 2 && classOf(text[i-2]) == upper:
			seen++
			odd += 0.8
		default:
			seen++
			if strings.IndexByte(pairs[text[i-1]|0x20], text[i]|0x20) < 0 {
				odd++
			}
		}
	}
	// Of few pairs a name may have two in five by chance.
	share := 0.42
	switch {
	case seen >= 22:
		share = 0.33
	case seen >= 18:
		share = 0.36
	}
	return seen >= minSecret-3 && odd > share*float64(seen)
}
