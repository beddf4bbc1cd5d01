package review

import (
	"errors"
	"fmt"
	"strings"
)

// A word is one word of a command as a shell reads it.
type word struct {
	text string // without quotes; what the shell would put in stands as it is written
	// loose says that the shell puts something in outside of quotes: such a word may
	// become several, of any text.
	loose bool
}

// shellWords reads one simple command as a POSIX shell does. What is more than that,
// such as a second command, a redirection or a command's output, is an error that
// names it.
func shellWords(line string) ([]word, error) {
	s := shellReader{rest: line}
	for s.rest != "" {
		if err := s.next(); err != nil {
			return nil, err
		}
	}
	s.end()
	return s.words, nil
}

// A shellReader is a line that is partly read.
type shellReader struct {
	rest   string
	words  []word
	word   word
	within bool // a word has begun
	text   strings.Builder
}

// end ends the word that has begun.
func (s *shellReader) end() {
	if s.within {
		s.word.text = s.text.String()
		s.words = append(s.words, s.word)
	}
	s.word, s.within = word{}, false
	s.text.Reset()
}

// take moves n bytes of the line into the word.
func (s *shellReader) take(n int) {
	s.text.WriteString(s.rest[:n])
	s.rest, s.within = s.rest[n:], true
}

// next reads on, outside of quotes.
func (s *shellReader) next() error {
	switch c := s.rest[0]; c {
	case ' ', '\t':
		s.rest = s.rest[1:]
		s.end()
	case '\n', ';', '&', '|', '<', '>', '(', ')':
		return fmt.Errorf("a %q outside of quotes", c)
	case '#':
		if !s.within {
			return errors.New("a comment")
		}
		s.take(1)
	case '\'':
		text, rest, closed := strings.Cut(s.rest[1:], "'")
		if !closed {
			return errUnclosed
		}
		s.text.WriteString(text)
		s.rest, s.within = rest, true
	case '"':
		s.rest, s.within = s.rest[1:], true
		return s.quoted()
	case '\\':
		if len(s.rest) < 2 || s.rest[1] == '\n' {
			return errors.New("a line that goes on")
		}
		s.rest = s.rest[1:]
		s.take(1)
	case '$', '`':
		s.word.loose = true
		return s.expansion()
	case '~', '*', '?', '{':
		// A home folder, names of files, alternatives. Not [, as in a port's [::1]: what
		// matches no file stays as it is.
		s.word.loose = true
		s.take(1)
	default:
		s.take(1)
	}
	return nil
}

var errUnclosed = errors.New("a quote that is not closed")

// quoted reads up to the double quote that closes.
func (s *shellReader) quoted() error {
	for s.rest != "" {
		switch s.rest[0] {
		case '"':
			s.rest = s.rest[1:]
			return nil
		case '\\':
			if len(s.rest) > 1 && strings.IndexByte("$`\"\\", s.rest[1]) >= 0 {
				s.rest = s.rest[1:]
			}
			if s.rest == "" {
				return errUnclosed
			}
			s.take(1)
		case '$', '`':
			if err := s.expansion(); err != nil {
				return err
			}
		default:
			s.take(1)
		}
	}
	return errUnclosed
}

// expansion reads a variable. The output of a command is an error, also as what
// stands in for a variable that is not set.
func (s *shellReader) expansion() error {
	if s.rest[0] == '`' || strings.HasPrefix(s.rest, "$(") {
		return errors.New("the output of another command")
	}
	n := 1
	if strings.HasPrefix(s.rest, "${") {
		if n = strings.IndexByte(s.rest, '}') + 1; n == 0 {
			return errUnclosed
		}
		if strings.ContainsAny(s.rest[2:n-1], "$`'\"\\") {
			return errors.New("a variable within a variable")
		}
	} else if len(s.rest) > 1 && strings.IndexByte("'\"", s.rest[1]) >= 0 {
		// Not every shell reads $'…' alike; within double quotes it is a $ alone.
		return errors.New("a $ before a quote")
	}
	s.take(n)
	return nil
}
