package mask

import (
	"strings"
)

// set is what the streams of a Masker look for, built once for many Writes. It
// does not change.
type set struct {
	opts     *options
	patterns []string
	names    []string
	first    [256][]int // patterns by their first byte
	longest  int
}

func newSet(patterns map[string]string, o *options) *set {
	s := &set{opts: o}
	for p, name := range patterns {
		s.first[p[0]] = append(s.first[p[0]], len(s.patterns))
		s.patterns = append(s.patterns, p)
		s.names = append(s.names, name)
		s.longest = max(s.longest, len(p))
	}
	return s
}

// find appends every occurrence of every pattern in text.
func (s *set) find(found []match, text []byte) []match {
	for i, c := range text {
		for _, k := range s.first[c] {
			if p := s.patterns[k]; len(text)-i >= len(p) && string(text[i:i+len(p)]) == p {
				found = append(found, match{i, i + len(p), s.names[k]})
			}
		}
	}
	return found
}

// pending is where the longest end of text begins that is the beginning of a
// pattern, without being the whole of it; len(text) if there is none.
func (s *set) pending(text []byte) int {
	for i := max(0, len(text)-s.longest+1); i < len(text); i++ {
		for _, k := range s.first[text[i]] {
			if p := s.patterns[k]; len(p) > len(text)-i && strings.HasPrefix(p, string(text[i:])) {
				return i
			}
		}
	}
	return len(text)
}

// token is what stands for a value of that name.
func (s *set) token(name string) string {
	if s.opts.named && name != "" {
		return s.opts.token + name + s.opts.token
	}
	return s.opts.token
}
