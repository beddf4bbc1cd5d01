package kamal

import (
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// A rawWord is one word of a command as it is written: its text without quotes,
// variables not put in, and where it stands in the text that the reader has.
type rawWord struct {
	text     string
	from, to int
	before   int // the end of the word before it
}

// trimmed is the word without the quotes around it.
func (w rawWord) trimmed(text string) rawWord {
	for w.to > w.from && strings.IndexByte(`"'\`, text[w.to-1]) >= 0 {
		w.to--
	}
	for w.from < w.to && strings.IndexByte(`"'\`, text[w.from]) >= 0 {
		w.from++
	}
	return w
}

// rawWords splits a command at white space that no quotes hold.
func rawWords(s span) []rawWord {
	var (
		words []rawWord
		b     strings.Builder
		start = -1
		quote byte
	)
	end := func(i int) {
		if start >= 0 {
			from := s.from[start]
			if start > 0 {
				from = s.from[start-1] + 1 // with the backslash that an escape has
			}
			w := rawWord{text: b.String(), from: from, to: s.from[i-1] + 1}
			if len(words) > 0 {
				w.before = words[len(words)-1].to
			}
			words = append(words, w)
			b.Reset()
		}
		start = -1
	}
	for i := 0; i < len(s.text); i++ {
		c := s.text[i]
		if quote == 0 && strings.IndexByte(" \t\n\v\f\r", c) >= 0 {
			end(i)
			continue
		}
		if start < 0 {
			start = i
		}
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == '\\' && quote != '\'' && i+1 < len(s.text):
			i++
			b.WriteByte(s.text[i])
		default:
			b.WriteByte(c)
		}
	}
	end(len(s.text))
	return words
}

// arguments are the words of `kamal secrets COMMAND` that are no options.
func (e *SecretsEdit) arguments(p Part, command string) (rest []rawWord, ok bool) {
	span, ok := e.r.commands[p.Place]
	if !ok || len(span.text) == 0 {
		return nil, false
	}
	raw := rawWords(span)
	words := make([]word, len(raw))
	for i, w := range raw {
		words[i] = word{text: w.text, known: true, at: i}
	}
	args, ok := kamalSecrets(words)
	if !ok || args[0].text != command {
		return nil, false
	}
	_, left := split(args[1:])
	for _, w := range left {
		rest = append(rest, raw[w.at])
	}
	return rest, true
}

// fetchWords are the names that a fetch lists, as they are written.
func (e *SecretsEdit) fetchWords(d Definition) ([]rawWord, error) {
	if len(d.Parts) == 1 && d.Parts[0].Kind == Fetch {
		if names, ok := e.arguments(d.Parts[0], "fetch"); ok && len(names) == len(d.Parts[0].Names) {
			return names, nil
		}
	}
	return nil, problem.New("the fetch into "+d.Name+" depends on more than its own words", "change it by hand").
		At(d.Place.File, d.Place.Line, d.Place.Column)
}

// extractWord is the name that an extract asks for, without quotes.
func (e *SecretsEdit) extractWord(p Part) (rawWord, bool) {
	rest, ok := e.arguments(p, "extract")
	if !ok || len(rest) == 0 {
		return rawWord{}, false
	}
	return rest[0].trimmed(e.r.text), true
}

// readWord is the reference that an op read names, without quotes.
func (e *SecretsEdit) readWord(p Part) (rawWord, bool) {
	for _, w := range rawWords(e.r.commands[p.Place]) {
		if strings.HasPrefix(w.text, "op://") && !strings.ContainsAny(w.text, "?") {
			return w.trimmed(e.r.text), true
		}
	}
	return rawWord{}, false
}

// isPlainWord reports whether a text is one word of a command without quotes.
func isPlainWord(text string) bool {
	for _, r := range text {
		if !isName(string(r)) && !strings.ContainsRune("/-:@%+,=", r) {
			return false
		}
	}
	return text != ""
}

// QuoteWord is a text as one word of a command. What dotenv, Kamal's pattern for
// commands or a shell reads in quotes too cannot be written: ok is false.
func QuoteWord(text string) (quoted string, ok bool) {
	if isPlainWord(text) {
		return text, true
	}
	for _, r := range text {
		if !isPlainWord(string(r)) && r != ' ' && r < 0x80 {
			return "", false
		}
	}
	return "'" + text + "'", text != ""
}

// ShellWord is a text as one word of a command that people copy.
func ShellWord(text string) string {
	if isPlainWord(text) {
		return text
	}
	return shellWord(text)
}

// Reference is the secret reference that an op read names, as it is written, or
// "" where it names none that can be seen.
func (e *SecretsEdit) Reference(p Part) (reference string, ok bool) {
	w, ok := e.readWord(p)
	if !ok {
		return "", false
	}
	return e.r.text[w.from:w.to], true
}

// Option is the value of a fetch's option as it is written, quotes and variables
// with it: what is repeated in another line of the file means the same there.
func (e *SecretsEdit) Option(fetch Definition, long, short string) (written string, ok bool) {
	if len(fetch.Parts) != 1 || fetch.Parts[0].Kind != Fetch {
		return "", false
	}
	words := rawWords(e.r.commands[fetch.Parts[0].Place])
	for i, w := range words {
		raw := e.r.text[w.from:w.to]
		switch {
		case strings.HasPrefix(raw, long+"="):
			return strings.TrimPrefix(raw, long+"="), true
		case (w.text == long || short != "" && w.text == short) && i+1 < len(words):
			return e.r.text[words[i+1].from:words[i+1].to], true
		}
	}
	return "", false
}

// AddAccount gives a fetch the option --account, behind its own word; account is as
// it is to be written.
func (e *SecretsEdit) AddAccount(fetch Definition, account string) error {
	if len(fetch.Parts) != 1 || fetch.Parts[0].Kind != Fetch {
		return notThere(fetch)
	}
	for _, w := range rawWords(e.r.commands[fetch.Parts[0].Place]) {
		if w.text == "fetch" {
			at := e.raw[w.to-1] + 1
			return e.change(textEdit{at, at, " --account " + account}, fetch.Name)
		}
	}
	return notThere(fetch)
}
