package onepassword

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// list is names for a message: in their order, not too many.
func list(names []string) string {
	const most = 20
	shown := names
	if len(shown) > most {
		shown = shown[:most]
	}
	quoted := make([]string, len(shown))
	for i, n := range shown {
		quoted[i] = n
		if n == "" || strings.ContainsAny(n, ",\"") || strings.ContainsFunc(n, func(r rune) bool { return !unicode.IsPrint(r) }) || len(n) > 100 {
			quoted[i] = quote(n)
		}
	}
	text := strings.Join(quoted, ", ")
	if more := len(names) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// suggest is a hint that ends with the names that were perhaps meant.
func suggest(wrong string, names []string, hint string) string {
	near := nearest(wrong, names)
	if len(near) == 0 {
		return hint
	}
	return hint + ". Did you mean " + strings.Join(near, " or ") + "?"
}

// nearest are up to three names that wrong may be a slip of, nearest first.
func nearest(wrong string, names []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	w := squash(wrong)
	for _, name := range names {
		n := squash(name)
		if n == "" || w == "" || len(n) > 200 || len(w) > 200 || slices.ContainsFunc(near, func(c candidate) bool { return c.name == name }) {
			continue
		}
		d := distance(w, n)
		switch limit := max(1, min(len(w), len(n))/4); {
		case d <= limit:
		case sameWords(wrong, name):
			d = limit
		default:
			continue
		}
		near = append(near, candidate{name, d})
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return a.distance - b.distance })
	var best []string
	for _, c := range near[:min(3, len(near))] {
		best = append(best, list([]string{c.name}))
	}
	return best
}

// squash leaves letters and digits in lower case: what is left when people write
// the same name in another style.
func squash(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// sameWords reports whether all words of the shorter name, two at least, are in the
// longer one: SSH_KEY and SSH_PRIVATE_KEY.
func sameWords(a, b string) bool {
	split := func(s string) []string {
		return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	}
	short, long := split(a), split(b)
	if len(short) > len(long) {
		short, long = long, short
	}
	if len(short) < 2 {
		return false
	}
	for _, word := range short {
		if !slices.Contains(long, word) {
			return false
		}
	}
	return true
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that lead from a to b.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	before := make([]int, len(t)+1)
	last := make([]int, len(t)+1)
	row := make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(t)]
}
