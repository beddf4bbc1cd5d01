package mask

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// escape is where a terminal is in reading a stream: in text, or so far into an
// escape sequence. The zero escape is the beginning of a stream.
//
// What a person does not see, and what therefore may stand between the characters
// of a value, is:
//   - CSI sequences (colours, cursor, erasing), of 64 bytes at most;
//   - OSC, DCS, APC, PM and SOS strings (links, titles), of 4096 bytes at most;
//   - the other escape sequences of two and three bytes (character sets);
//   - overstriking: a backspace and the same character once more.
//
// A backspace over another character is not among them: whether that character
// was meant is known only after it has been let out.
type escape struct {
	mode   uint8
	length uint16 // bytes read of the sequence
	last   int16  // the character before, and 1; 0 is none
}

const (
	ground    uint8 = iota
	afterESC        // ESC
	inMore          // ESC and intermediate bytes
	inCSI           // ESC [
	inString        // ESC ] and the like
	stringESC       // an ESC in a string, which ends it with a backslash
	afterBS         // a backspace
)

const (
	esc       = 0x1b
	bell      = 0x07
	backspace = 0x08

	maxCSI    = 64
	maxString = 4096
)

// step is what a byte turns out to be.
type step uint8

const (
	visible step = iota // text
	inside              // of a sequence that goes on
	ends                // a sequence
	again               // none: the sequence so far is none, and the byte is to be read again
)

// read takes in the next byte.
func (e *escape) read(b byte) step {
	e.length++
	if e.mode == ground {
		return e.begin(b)
	}
	if s := e.goOn(b); s != visible {
		return s
	}
	// What has been read stands there as text that no value goes through.
	e.mode, e.last = ground, 0
	return again
}

// begin takes in a byte outside of a sequence.
func (e *escape) begin(b byte) step {
	switch {
	case b == esc:
		e.mode, e.length = afterESC, 1
		return inside
	case b == backspace && e.last > ' ': // a space or what is above: last is one more
		e.mode, e.length = afterBS, 1
		return inside
	}
	e.last = int16(b) + 1
	return visible
}

// goOn takes in a byte within a sequence; visible is a byte that does not fit there.
func (e *escape) goOn(b byte) step {
	switch e.mode {
	case afterESC, inMore:
		switch {
		case b == '[' && e.mode == afterESC:
			e.mode = inCSI
			return inside
		case e.mode == afterESC && (b == ']' || b == 'P' || b == 'X' || b == '^' || b == '_'):
			e.mode = inString
			return inside
		case 0x20 <= b && b < 0x30 && e.length < maxCSI:
			e.mode = inMore
			return inside
		case 0x30 <= b && b < 0x7f:
			e.mode = ground
			return ends
		}
	case inCSI:
		switch {
		case 0x20 <= b && b < 0x40 && e.length < maxCSI:
			return inside
		case 0x40 <= b && b < 0x7f:
			e.mode = ground
			return ends
		}
	case inString:
		switch {
		case b == bell:
			e.mode = ground
			return ends
		case b == esc:
			e.mode = stringESC
			return inside
		case b >= 0x20 && e.length < maxString:
			return inside
		}
	case stringESC:
		if b == '\\' {
			e.mode = ground
			return ends
		}
	case afterBS:
		if int16(b)+1 == e.last {
			e.mode = ground
			return ends
		}
	}
	return visible
}

// through reads text until the sequence ends that it begins in or with, at n, or text
// does. It reports whether it is one so far.
func (e *escape) through(text []byte) (n int, yes bool) {
	for i, b := range text {
		switch e.read(b) {
		case ends:
			return i + 1, true
		case inside:
		default:
			return 0, false
		}
	}
	return len(text), true
}

// gap is a stretch of text that a person does not see, or that is none after all.
type gap struct {
	start, end int32
	before     escape // the state at start
	broken     bool   // it was no sequence: no value goes through it
	struck     bool   // overstriking: what is struck is part of the value
}

// gaps appends those of text, which begins in state e.
func gaps(found []gap, text []byte, e escape) []gap {
	i := 0
	nextESC, nextBS := -1, -1
	for {
		at := i
		if e.mode == ground {
			// Straight to the next byte that may begin one.
			if nextESC < i {
				nextESC = index(text, i, esc)
			}
			if nextBS < i {
				nextBS = index(text, i, backspace)
			}
			at = min(nextESC, nextBS)
		}
		if at >= len(text) {
			return found
		}
		if at > i {
			e.last = int16(text[at-1]) + 1
		}
		g := gap{start: int32(at), before: e}
		if e.mode == ground && text[at] == esc {
			if end := endOfCSI(text, at); end > 0 {
				g.end, i = int32(end), end
				found = append(found, g)
				continue
			}
		}
		g.struck = e.mode == afterBS || text[at] == backspace
		kind := inside
		for i = at; i < len(text) && kind == inside; {
			if kind = e.read(text[i]); kind != again {
				i++
			}
		}
		g.end, g.broken = int32(i), kind == again
		if kind != visible {
			found = append(found, g)
		}
	}
}

// index is where c is next in text from i on; len(text) if nowhere.
func index(text []byte, i int, c byte) int {
	if n := bytes.IndexByte(text[i:], c); n >= 0 {
		return i + n
	}
	return len(text)
}

// endOfCSI is where the whole CSI sequence ends that begins at text[at]; 0 if
// there is none. Almost every gap is one.
func endOfCSI(text []byte, at int) int {
	if at+2 >= len(text) || text[at+1] != '[' {
		return 0
	}
	i, limit := at+2, min(len(text)-1, at+maxCSI-1)
	for i+8 <= limit {
		// Eight at once: zero is what is left of the bytes from 0x20 to 0x3f.
		x := binary.LittleEndian.Uint64(text[i:i+8:i+8])&0xe0e0e0e0e0e0e0e0 ^ 0x2020202020202020
		n := bits.TrailingZeros64(x) / 8
		i += n
		if n < 8 {
			break
		}
	}
	for i < limit && text[i]-0x20 < 0x20 {
		i++
	}
	if text[i]-0x40 < 0x3f {
		return i + 1
	}
	return 0
}

// stateAt is the state before text[at], for text that begins in state e.
func stateAt(text []byte, at int, e escape, gaps []gap) escape {
	for k := len(gaps) - 1; k >= 0; k-- {
		g := &gaps[k]
		if int(g.start) >= at {
			continue
		}
		switch {
		case at > int(g.end):
			return escape{last: int16(text[at-1]) + 1}
		case at == int(g.end) && g.broken:
			return escape{}
		}
		e = g.before
		for i := int(g.start); i < at; i++ {
			e.read(text[i])
		}
		return e
	}
	if at > 0 {
		e.last = int16(text[at-1]) + 1
	}
	return e
}
