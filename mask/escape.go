package mask

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
	switch e.mode {
	case ground:
		switch {
		case b == esc:
			e.mode, e.length = afterESC, 1
			return inside
		case b == backspace && e.last > ' ':
			e.mode, e.length = afterBS, 1
			return inside
		}
		e.last = int16(b) + 1
		return visible
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
	// What has been read stands there as text that no value goes through.
	e.mode, e.last = ground, 0
	return again
}

// gap is a stretch of text that a person does not see, or that is none after all.
type gap struct {
	start, end int
	before     escape // the state at start
	broken     bool   // it was no sequence: no value goes through it
	open       bool   // the text ends in it
	struck     bool   // overstriking: what is struck is part of the value
}

// gaps appends those of text, which begins in state e, and returns the state at
// its end.
func gaps(found []gap, text []byte, e escape) ([]gap, escape) {
	i := 0
	for i < len(text) {
		g := gap{start: i, before: e}
		if e.mode == ground {
			// Straight to the next byte that may begin one.
			for i < len(text) && text[i] != esc && text[i] != backspace {
				i++
			}
			if i > g.start {
				e.last = int16(text[i-1]) + 1
				continue
			}
		}
		kind := inside
		for i < len(text) {
			kind = e.read(text[i])
			if kind == again {
				break
			}
			i++
			if kind != inside {
				break
			}
		}
		g.end = i
		g.open = kind == inside
		g.broken = kind == again
		g.struck = g.before.mode == afterBS || text[g.start] == backspace
		if kind != visible {
			found = append(found, g)
		}
	}
	return found, e
}
