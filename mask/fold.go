package mask

import "strings"

const (
	// foldMin is the shortest value that is folded: it ends behind the 80th column
	// only if its name is long. foldMax is the longest that is looked for.
	foldMin = 40
	foldMax = 4 << 10
	// foldPiece is how long pieces are by which the lines of a folded value are found,
	// and foldRest how long such a line is at least. Shorter ones are met by chance.
	foldPiece = 24
	foldRest  = 12
)

// addFolded takes pieces of a value with spaces by which it is found where a program
// has broken it into lines at some of them: to_yaml of Ruby and yaml and pprint of
// Python do so at 80 columns, which depends on what is in front.
//
// From each word, and up to each word, there is a piece of whole words, as short as
// can be but of 24 bytes. So whatever words a line holds, pieces cover it.
func (f *forms) addFolded(value string) {
	if len(value) < foldMin || len(value) > foldMax || strings.IndexByte(value, ' ') < 0 {
		return
	}
	f.addPieces(value)
	have := bytesOf(value)
	for _, q := range quoters().folded {
		if q.changes.meets(&have) {
			f.addPieces(q.quote(value))
		}
	}
}

func (f *forms) addPieces(text string) {
	type word struct{ start, end int }
	var words []word
	for i := 0; i < len(text); {
		end := strings.IndexByte(text[i:], ' ')
		if end < 0 {
			end = len(text) - i
		}
		if end > 0 {
			words = append(words, word{i, i + end})
		}
		i += end + 1
	}
	add := func(first, last int) {
		if piece := text[words[first].start:words[last].end]; len(piece) >= foldRest && noise(piece) == "" {
			f.add(piece)
		}
	}
	for i := range words {
		last := i
		for last+1 < len(words) && words[last].end-words[i].start < foldPiece {
			last++
		}
		add(i, last)
		first := i
		for first > 0 && words[i].end-words[first].start < foldPiece {
			first--
		}
		add(first, i)
	}
}
