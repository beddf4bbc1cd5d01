package kamal

import (
	"regexp"
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// open is the file as it would read if every branch of its ERB were taken: where
// that is no YAML it has nothing.
func (e *ConfigEdit) open() *ConfigEdit {
	o := &ConfigEdit{name: e.name, text: e.text, lines: e.lines}
	if !strings.Contains(e.text, "<%") {
		o.root = e.root
		return o
	}
	root, _, err := parsePlain(e.name, openERB(e.text), e.unknown)
	if err != nil || root == nil {
		root = &node{kind: mapping}
	}
	o.root = root
	return o
}

// PossibleUses is every place of this file that names a secret, those too that a
// condition of ERB may leave out.
func (e *ConfigEdit) PossibleUses() []Use { return e.open().Uses() }

// Between reports whether a place stands between lines of ERB, so that the file's own
// text does not say whether it counts.
func (e *ConfigEdit) Between(at problem.Place) bool {
	if !strings.Contains(e.text, "<%") {
		return false
	}
	closed, _ := passERB(e.text)
	lines := strings.Split(closed, "\n")
	if len(e.root.entries) == 0 || at.Line < 1 || at.Line > len(lines) {
		return true
	}
	runes := []rune(lines[at.Line-1])
	return at.Column > len(runes) || runes[at.Column-1] == ' '
}

// readsEnvironment is code of Ruby's that reads a variable of the environment: no
// name of a secret of deploy.yml's.
var readsEnvironment = lazy.Regexp(`ENV(\[|\.(fetch|key\?|has_key\?|include\?|dig|values_at)[ (])\s*["'](\w+)["']`)

// InERB is the place where a name stands so that ERB decides what becomes of it: in
// the code of a tag, or between lines that a condition or a loop holds. A variable
// of the environment of that name is none, nor is a comment or a key.
func (e *ConfigEdit) InERB(name string) (problem.Place, bool) {
	if !strings.Contains(e.text, "<%") || !strings.Contains(e.text, name) {
		return problem.Place{}, false
	}
	word := regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`)
	closed, _ := passERB(e.text)
	shut, opened := strings.Split(closed, "\n"), strings.Split(openERB(e.text), "\n")
	unread := len(e.root.entries) == 0 // no line of it is known
	code := readsEnvironment().ReplaceAllStringFunc(e.text, func(read string) string {
		return strings.Replace(read, name, strings.Repeat(" ", len(name)), 1)
	})
	for i, line := range strings.Split(code, "\n") {
		for _, at := range word.FindAllStringIndex(line, -1) {
			column := len([]rune(line[:at[0]])) // each view has rune for rune
			place := problem.Place{File: e.name, Line: i + 1, Column: column + 1}
			was, is := wordAtColumn(shut[i], column, name), wordAtColumn(opened[i], column, name)
			switch {
			case was && !unread:
			case !is: // in a tag
				if !commentedRuby(line[:at[0]]) {
					return place, true
				}
			case commentedYAML(line[:at[0]]), strings.HasPrefix(line[at[1]:], ":"):
			default:
				return place, true
			}
		}
	}
	return problem.Place{}, false
}

func wordAtColumn(line string, column int, word string) bool {
	runes := []rune(line)
	return column <= len(runes) && strings.HasPrefix(string(runes[column:]), word)
}

func commentedYAML(before string) bool {
	return strings.HasPrefix(strings.TrimSpace(before), "#") || strings.Contains(before, " #")
}

func commentedRuby(before string) bool {
	tag := before[strings.LastIndex(before, "<%")+1:]
	return strings.HasPrefix(tag, "%#") || strings.Contains(tag, " #") || strings.HasPrefix(strings.TrimSpace(before), "#")
}

// Environment is where ERB reads a variable of the environment, or no place.
func (e *ConfigEdit) Environment(name string) problem.Place {
	for _, m := range readsEnvironment().FindAllStringSubmatchIndex(e.text, -1) {
		if e.text[m[6]:m[7]] == name {
			line := strings.Count(e.text[:m[6]], "\n")
			start := strings.LastIndexByte(e.text[:m[6]], '\n') + 1
			return problem.Place{File: e.name, Line: line + 1, Column: len([]rune(e.text[start:m[6]])) + 1}
		}
	}
	return problem.Place{}
}
