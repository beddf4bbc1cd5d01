package mask

import (
	"bytes"
	"io"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Commands keeps what a child prints from being taken for workflow commands by
// the CI system that reads the log. See NewCommands.
type Commands struct {
	out io.Writer

	mu    sync.Mutex // guards what follows
	state commandState
	buf   []byte
	err   error // the first error of out; it stays
}

// commandState is what has been seen of a line, across Writes.
type commandState struct {
	marks  Marks
	start  bool // nothing but white space since the line began
	colon  bool // the line begins with white space and one colon
	hash   int  // so many # are just behind us, 2 also after more; or one of the names below, from there on
	name   string
	word   int     // so many bytes of section_ are just behind us, and of the rest of a name
	rest   string  // start: or end:, what follows section_
	escape int     // a sequence for the terminal at the beginning of a line: 1 behind ESC, 2 behind ESC [
	within bool    // something other than such sequences has been on the line
	head   byte    // the character that a headline may be made of, at the beginning of a line
	heads  int     // how many of it
	rune   [4]byte // the first bytes of a character at the start of a line
	bytes  int     // how many
}

// Marks are what a system takes for a command or a mark of its log, beside what
// every Commands knows.
type Marks int

// The systems that have marks of their own.
const (
	GitLabSections     Marks = 1 << iota // section_start: and section_end:, anywhere
	BuildkiteHeadlines                   // ---, +++, ~~~ and ^^^ with a blank, at the start of a line
)

// NewCommands passes on to w what is written to it, with a backslash put into
// what the runner of GitHub, Gitea, Azure Pipelines or TeamCity would obey:
//
//	::error::text     becomes  :\:error::text       at the start of a line
//	##[group]text     becomes  ##\[group]text       anywhere
//	##vso[task.x]     becomes  ##vso\[task.x]       anywhere, in any case
//	##teamcity[x]     becomes  ##teamcity\[x]       anywhere, in any case
//
// and, where their marks are asked for, that of GitLab and Buildkite:
//
//	section_start:    becomes  section_start\:      anywhere
//	--- text          becomes  ---\ text            at the start of a line
//
// Nothing else is changed, and nothing is held back. A line starts after LF and
// also after a lone CR, and white space before :: does not matter, as the runner
// has it.
//
// It belongs behind the Masker, between it and the log: before it, the backslash
// could stand inside a value and hide it.
func NewCommands(w io.Writer, marks ...Marks) *Commands {
	s := commandState{start: true}
	for _, m := range marks {
		s.marks |= m
	}
	return &Commands{out: w, state: s}
}

// Write passes p on in one write. An error of the underlying writer is returned
// now and by every later call; n is then 0.
func (c *Commands) Write(p []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(p) == 0 || c.err != nil {
		return 0, c.err
	}
	out := c.neutralise(p)
	wrote, err := c.out.Write(out)
	if err == nil && wrote < len(out) {
		err = io.ErrShortWrite
	}
	if err != nil {
		c.err = err
		return 0, err
	}
	return len(p), nil
}

// Flush does nothing: no byte is held back. It is there so that a Commands can
// stand where a Writer does.
func (c *Commands) Flush() error { return nil }

// Close does nothing; it does not close the underlying writer.
func (c *Commands) Close() error { return nil }

// neutralise is p itself if there is nothing in it to change.
func (c *Commands) neutralise(p []byte) []byte {
	out, from := c.buf[:0], 0
	nextLF, nextCR, nextHash, nextSect := -1, -1, -1, len(p)
	if c.state.marks&GitLabSections != 0 {
		nextSect = -1
	}
	for i := 0; i < len(p); i++ {
		if c.state.idle() {
			// Within a line: straight to what may matter.
			if nextLF < i {
				nextLF = index(p, i, '\n')
			}
			if nextCR < i {
				nextCR = index(p, i, '\r')
			}
			if nextHash < i {
				nextHash = index(p, i, '#')
			}
			if nextSect < i {
				nextSect = sect(p, i)
			}
			if i = min(nextLF, nextCR, nextHash, nextSect); i == len(p) {
				break
			}
		}
		if c.state.completes(p[i]) {
			out = append(append(out, p[from:i]...), '\\')
			from = i
		}
	}
	if len(out) == 0 {
		return p
	}
	out = append(out, p[from:]...)
	c.buf = out
	return c.buf
}

// sect is where, from i on, a section's mark may begin, also one of which the rest
// comes later.
func sect(p []byte, i int) int {
	const word = "sect"
	if at := bytes.Index(p[i:], []byte(word)); at >= 0 {
		return i + at
	}
	return max(i, len(p)-len(word)+1)
}

// idle reports whether nothing but the end of the line, a # or a section matters now.
func (s *commandState) idle() bool {
	return s.word == 0 && s.rest == "" && !s.start && !s.colon && s.hash == 0 && s.name == "" &&
		(s.within || s.marks&BuildkiteHeadlines == 0)
}

// completes takes in the next byte and reports whether it is the last of what a
// runner would see a command in.
func (s *commandState) completes(b byte) bool {
	found := false
	switch {
	case b == '\n' || b == '\r':
		s.start, s.colon, s.bytes = true, false, 0
	case s.colon:
		found = b == ':'
		s.start, s.colon = false, false
	case s.start:
		s.start = s.blank(b)
		s.colon = !s.start && s.bytes == 0 && b == ':'
	}
	found = s.hashes(b) || found
	if s.marks&BuildkiteHeadlines != 0 {
		found = s.headline(b) || found
	}
	if s.marks&GitLabSections != 0 {
		found = s.section(b) || found
	}
	return found
}

// hashes looks for ##[, ##vso[ and ##teamcity[.
func (s *commandState) hashes(b byte) bool {
	const vso, teamcity = "vso", "teamcity"
	switch {
	case b == '#':
		if s.name != "" { // ##v#
			s.name, s.hash = "", 0
		}
		s.hash = min(s.hash+1, 2)
		return false
	case s.name == "" && s.hash == 2 && b == '[', s.name != "" && s.hash == len(s.name) && b == '[':
		s.name, s.hash = "", 0
		return true
	case s.name == "" && s.hash == 2 && b|0x20 == vso[0]:
		s.name, s.hash = vso, 1
	case s.name == "" && s.hash == 2 && b|0x20 == teamcity[0]:
		s.name, s.hash = teamcity, 1
	case s.name != "" && s.hash < len(s.name) && b|0x20 == s.name[s.hash]:
		s.hash++
	default:
		s.name, s.hash = "", 0
	}
	return false
}

// headline looks for three of a headline's characters and a blank at the start of
// a line, where sequences for the terminal count as nothing.
func (s *commandState) headline(b byte) bool {
	switch {
	case b == '\n' || b == '\r':
		s.within, s.escape, s.heads = false, 0, 0
	case s.within:
	case s.heads > 0:
		if b == s.head && s.heads < 3 {
			s.heads++
			return false
		}
		s.within = true
		return s.heads == 3 && (b == ' ' || b == '\t')
	case s.escape == 0 && b == esc:
		s.escape = 1
	case s.escape == 1 && b == '[':
		s.escape = 2
	case s.escape == 2:
		if b >= 0x40 && b <= 0x7e {
			s.escape = 0
		}
	case s.escape == 0 && (b == '-' || b == '+' || b == '~' || b == '^'):
		s.head, s.heads = b, 1
	default:
		s.within = true
	}
	return false
}

// section looks for section_start: and section_end:.
func (s *commandState) section(b byte) bool {
	const word = "section_"
	switch {
	case s.rest != "" && b == s.rest[s.word-len(word)]:
		if s.word++; s.word-len(word) == len(s.rest) {
			s.rest, s.word = "", 0
			return true
		}
		return false
	case s.rest == "" && s.word == len(word) && b == 's':
		s.rest, s.word = "start:", s.word+1
		return false
	case s.rest == "" && s.word == len(word) && b == 'e':
		s.rest, s.word = "end:", s.word+1
		return false
	case s.rest == "" && s.word < len(word) && b == word[s.word]:
		s.word++
		return false
	}
	// An s is what only section_ and start: begin with: section_ssection_start:,
	// sections_start:. What was under way may end in the beginning of another.
	begun := 0
	switch {
	case b == 's':
		begun = 1
	case b == 'e' && s.rest == "start:" && s.word == len(word)+1: // section_section_
		begun = 2
	}
	s.rest, s.word = "", begun
	return false
}

// blank reports whether nothing but white space has been on the line with b. What
// cannot be seen counts as white space: the runner takes off a byte order mark,
// and compares strings as a dictionary does, where such characters do not count.
func (s *commandState) blank(b byte) bool {
	if b < utf8.RuneSelf {
		if s.bytes > 0 { // a character that was cut short
			return false
		}
		return b <= ' ' || b == 0x7f
	}
	s.rune[s.bytes] = b
	s.bytes++
	if !utf8.FullRune(s.rune[:s.bytes]) {
		return true
	}
	r, size := utf8.DecodeRune(s.rune[:s.bytes])
	whole := size == s.bytes && r != utf8.RuneError
	s.bytes = 0
	return whole && (unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Z, r))
}
