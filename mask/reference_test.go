package mask

import (
	"bytes"
	"strings"
)

// reference is what a Writer shall do, told in the simplest way: it keeps the
// whole text, looks for every pattern at every place each time, and writes out
// the marks that come of it. It is slow and is its own judge of what an escape
// sequence is.
type reference struct {
	token    string
	patterns map[string]bool

	text     []byte
	marks    []mark
	released int // so much of text is out
	out      []byte
	inRun    bool
}

func (r *reference) add(patterns ...string) {
	for _, p := range patterns {
		r.patterns[p] = true
	}
}

func (r *reference) longest() (n int) {
	for p := range r.patterns {
		n = max(n, len(p))
	}
	return n
}

func (r *reference) write(p []byte, flush bool) {
	r.text = append(r.text, p...)
	r.marks = append(r.marks, make([]mark, len(p))...)
	seen, hidden, tail := look(r.text)
	reach := 8*r.longest() + 4096

	hold := len(r.text)
	for i := len(r.text); i >= r.released && !flush; i-- {
		for p := range r.patterns {
			if n := len(r.text) - i; n > 0 && n < len(p) && string(r.text[i:]) == p[:n] {
				hold = i
			}
		}
	}
	for k := len(seen) - 1; k >= tail && !flush; k-- {
		if at := seen[k].at; at < r.released || len(r.text)-at >= reach {
			break
		}
		for p := range r.patterns {
			if n := len(seen) - k; n < len(p) && string(bytesOfCells(seen[k:])) == p[:n] {
				hold = min(hold, seen[k].at)
			}
		}
	}

	old := bytes.Clone(marksAsBytes(r.marks))
	for p := range r.patterns {
		for k := range seen {
			if seen[k].at < r.released || seen[k].at >= hold || len(seen)-k < len(p) ||
				string(bytesOfCells(seen[k:k+len(p)])) != p || breaks(seen[k+1:k+len(p)]) {
				continue
			}
			first, end := seen[k].at, seen[k+len(p)-1].at+1
			if end-first == len(p) || end-first > reach {
				continue
			}
			for i := first; i < end; i++ {
				if old[i] == byte(plain) && r.marks[i] != masked {
					r.marks[i] = masked
					if hidden[i] {
						r.marks[i] = kept
					}
				}
			}
		}
	}
	for p := range r.patterns {
		for i := r.released; i < hold && i+len(p) <= len(r.text); i++ {
			if string(r.text[i:i+len(p)]) == p {
				for k := range len(p) {
					r.marks[i+k] = masked
				}
			}
		}
	}
	for i := r.released; i < hold; i++ {
		switch r.marks[i] {
		case plain:
			r.out = append(r.out, r.text[i])
			r.inRun = false
		case kept:
			r.out = append(r.out, r.text[i])
		case masked:
			if !r.inRun {
				r.out = append(r.out, r.token...)
			}
			r.inRun = true
		}
	}
	r.released = hold
}

func marksAsBytes(marks []mark) []byte {
	b := make([]byte, len(marks))
	for i, m := range marks {
		b[i] = byte(m)
	}
	return b
}

// cell is a byte that a person sees.
type cell struct {
	at     int
	c      byte
	broken bool // no value goes from the cell before to this one
}

func bytesOfCells(cells []cell) []byte {
	b := make([]byte, len(cells))
	for i, c := range cells {
		b[i] = c.c
	}
	return b
}

func breaks(cells []cell) bool {
	for _, c := range cells {
		if c.broken {
			return true
		}
	}
	return false
}

// look is the bytes of text that are seen, for each byte whether it is of an
// escape sequence, and the cell after which nothing is broken.
func look(text []byte) (seen []cell, hidden []bool, tail int) {
	hidden = make([]bool, len(text))
	broken := false
	last := -1 // the character that a backspace may strike over
	for i := 0; i < len(text); {
		n, whole, keep := sequence(text[i:], last)
		switch {
		case n == 0:
			seen = append(seen, cell{i, text[i], broken})
			last = int(text[i])
			broken = false
			i++
		case whole:
			for k := range n {
				hidden[i+k] = keep
			}
			i += n
		default:
			broken, last = true, -1
			i += n
		}
	}
	for i, c := range seen {
		if c.broken {
			tail = i
		}
	}
	if broken {
		tail = len(seen)
	}
	return seen, hidden, tail
}

// sequence is the length of what text begins with that is not seen; whole if it is
// an escape sequence, or text ends in it.
func sequence(text []byte, last int) (n int, whole, keep bool) {
	// take is how many bytes from i on are of the class, no further than limit.
	take := func(i, limit int, class func(c byte) bool) int {
		for i < len(text) && i < limit && class(text[i]) {
			i++
		}
		return i
	}
	if text[0] == '\b' {
		switch {
		case last < ' ':
			return 0, false, false
		case len(text) == 1:
			return 1, true, false
		case int(text[1]) == last:
			return 2, true, false
		}
		return 1, false, false
	}
	if text[0] != 0x1b {
		return 0, false, false
	}
	if len(text) == 1 {
		return 1, true, true
	}
	if strings.IndexByte("]PX^_", text[1]) >= 0 {
		i := take(2, 4095, func(c byte) bool { return c >= 0x20 })
		switch {
		case i == len(text):
			return i, true, true
		case text[i] == 7:
			return i + 1, true, true
		case text[i] == 0x1b && i+1 == len(text):
			return i + 1, true, true
		case text[i] == 0x1b && text[i+1] == '\\':
			return i + 2, true, true
		case text[i] == 0x1b:
			return i + 1, false, false
		}
		return i, false, false
	}
	i, first := 1, byte(0x30)
	limit := byte(0x30)
	if text[1] == '[' {
		i, first, limit = 2, 0x40, 0x40
	}
	i = take(i, 63, func(c byte) bool { return 0x20 <= c && c < limit })
	switch {
	case i == len(text):
		return i, true, true
	case first <= text[i] && text[i] < 0x7f:
		return i + 1, true, true
	}
	return i, false, false
}
