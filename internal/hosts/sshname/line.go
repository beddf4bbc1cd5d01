package sshname

import (
	"slices"
	"strings"
)

// A commandLine is the arguments of a program that reads them as getopt(3) does: flags
// of one letter, several in a word, an argument in the same word or the next.
type commandLine struct {
	args  []string
	found []flag

	// end is where options end and what they are for begins. ssh reads options on
	// both sides of its destination.
	end int
}

// A flag is one letter's place. Of a flag with an argument that is where the
// argument begins.
type flag struct {
	letter byte
	word   int
	at     int // in the word
}

// parseLine reads arguments. with are the letters that take one.
func parseLine(args []string, with string) commandLine {
	l := commandLine{args: args, end: len(args)}
	i := l.options(0, with)
	if i < len(args) && args[i] == "--" {
		l.end = i
		return l
	}
	if i < len(args) { // the destination, and options behind it
		l.end = l.options(i+1, with)
	}
	return l
}

// options reads words that begin with a dash, and gives the place of the next.
func (l *commandLine) options(i int, with string) int {
	for i < len(l.args) && len(l.args[i]) > 1 && l.args[i][0] == '-' && l.args[i] != "--" {
		i = l.word(i, with)
	}
	return i
}

// word reads a word of flags, and gives the place behind it and its argument.
func (l *commandLine) word(i int, with string) int {
	word := l.args[i]
	for at := 1; at < len(word); at++ {
		switch {
		case strings.IndexByte(with, word[at]) < 0:
			l.found = append(l.found, flag{word[at], i, at})
			continue
		case at+1 < len(word):
			l.found = append(l.found, flag{word[at], i, at + 1})
		case i+1 < len(l.args):
			l.found = append(l.found, flag{word[at], i + 1, 0})
			return i + 2
		}
		break
	}
	return i + 1
}

func (l *commandLine) has(letter byte) bool {
	return slices.ContainsFunc(l.found, func(f flag) bool { return f.letter == letter })
}

// replace gives the arguments with that of a flag changed.
func (l *commandLine) replace(letter byte, change func(string) string) []string {
	args := slices.Clone(l.args)
	for _, f := range l.found {
		if f.letter == letter {
			args[f.word] = args[f.word][:f.at] + change(args[f.word][f.at:])
		}
	}
	return args
}
