package edit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// A scriptWord is one word of a command as the shell hands it over: its text, with
// marks for GitHub's expressions, and how it is written in the input args, which
// knows quotes and nothing else of a shell.
type scriptWord struct {
	value  string
	quoted bool // the whole of it is one word, whatever an expression in it gives
}

// word reads a word; what only a shell could make of it is an error.
func (r *scriptReader) word(w *syntax.Word) (scriptWord, error) {
	var out scriptWord
	out.quoted = true
	for i, p := range w.Parts {
		switch p := p.(type) {
		case *syntax.Lit:
			text, err := literal(p.Value, i == 0)
			if err != nil {
				return out, err
			}
			out.value += text
			out.quoted = out.quoted && !strings.ContainsRune(text, markStart)
		case *syntax.SglQuoted:
			if p.Dollar {
				return out, errors.New("its script has $'…' in a word")
			}
			out.value += p.Value
		case *syntax.DblQuoted:
			if p.Dollar {
				return out, errors.New(`its script has $"…" in a word`)
			}
			for _, inner := range p.Parts {
				text, err := r.inQuotes(inner)
				if err != nil {
					return out, err
				}
				out.value += text
			}
		case *syntax.ParamExp:
			text, err := r.variable(p)
			if err != nil {
				return out, err
			}
			if strings.ContainsAny(text, "*?[\"'\\") && !strings.ContainsRune(text, markStart) {
				return out, fmt.Errorf("a shell would make other words of $%s", p.Param.Value)
			}
			out.value += text
			out.quoted = false
		default:
			return out, beyond(p)
		}
	}
	return out, nil
}

func (r *scriptReader) inQuotes(p syntax.WordPart) (string, error) {
	switch p := p.(type) {
	case *syntax.Lit:
		var b strings.Builder
		for i := 0; i < len(p.Value); i++ {
			if p.Value[i] == '\\' && i+1 < len(p.Value) && strings.IndexByte("\"\\$`\n", p.Value[i+1]) >= 0 {
				i++
				if p.Value[i] == '\n' {
					continue
				}
			}
			b.WriteByte(p.Value[i])
		}
		return b.String(), nil
	case *syntax.ParamExp:
		return r.variable(p)
	}
	return "", beyond(p)
}

// beyond is why a part of a word cannot be carried over.
func beyond(p syntax.WordPart) error {
	switch p.(type) {
	case *syntax.CmdSubst:
		return errors.New("its script puts what another command prints into the command line, as $(…): give it as an output of an earlier step")
	case *syntax.ArithmExp:
		return errors.New("its script computes a number, as $((…))")
	case *syntax.ProcSubst:
		return errors.New("its script puts a command in the place of a file, as <(…)")
	}
	return errors.New("its script has a pattern of a shell's in the command line")
}

// literal is a text without quotes, its backslashes taken off.
func literal(text string, first bool) (string, error) {
	if first && strings.HasPrefix(text, "~") {
		return "", errors.New("its script names the home directory with ~, which is another one in the action's container")
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\\':
			i++
			if i < len(text) && text[i] != '\n' {
				b.WriteByte(text[i])
			}
		case '*', '?', '[', '{':
			return "", fmt.Errorf("a shell would make other words of %q", text)
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// variable is the value of $NAME or ${NAME}.
func (r *scriptReader) variable(p *syntax.ParamExp) (string, error) {
	name := p.Param.Value
	if p.Excl || p.Length || p.Width || p.Index != nil || p.Slice != nil || p.Repl != nil || p.Names != 0 || p.Exp != nil {
		return "", fmt.Errorf("its script does more with ${%s…} than to take its value", name)
	}
	if value, ok := r.values[name]; ok {
		return value, nil
	}
	value, err := r.lookup(name)
	if err != nil {
		return "", err
	}
	return r.hide(value), nil
}

// durations are those of timeout(1).
var durations = lazy.Regexp(`^(\d+(?:\.\d+)?|.*\x{E0E1})([smh]?)$`)

// kamal is the command that deploys, whatever stands before it.
func (r *scriptReader) kamal(words []scriptWord, own []assignment) error {
	all := words
	more := func() error {
		var text []string
		for _, w := range all {
			text = append(text, r.show(w.value))
		}
		return fmt.Errorf("its script runs more than that: %s", strings.Join(text, " "))
	}
	for len(words) > 0 {
		name := words[0].value
		rest := words[1:]
		switch {
		case name == "kamal" || strings.HasSuffix(name, "/kamal"):
			return r.options(name, rest, own, more)
		case name == "exec" || name == "command" || name == "nohup" || name == "ruby":
			words = rest
		case name == "env":
			words, own = assignments(r, rest, own)
		case name == "timeout":
			var err error
			if words, err = r.within(rest); err != nil {
				return err
			}
		case name == "op" && len(rest) > 0 && rest[0].value == "run":
			var err error
			if words, err = r.opRun(rest[1:], more); err != nil {
				return err
			}
		case (name == "bundle" || name == "rbenv" || name == "asdf") && len(rest) > 0 && rest[0].value == "exec":
			if words = rest[1:]; len(words) > 0 && words[0].value == "--" {
				words = words[1:]
			}
		case name == "mise" && len(rest) > 0 && (rest[0].value == "exec" || rest[0].value == "x"):
			words = rest[1:]
			if i := slices.IndexFunc(words, func(w scriptWord) bool { return w.value == "--" }); i >= 0 {
				words = words[i+1:] // the tools before it are in the image
			}
		case name == "nice" || name == "ionice" || name == "stdbuf":
			words = withoutOptions(rest)
		case name == "sudo":
			for len(rest) > 0 && (slices.Contains([]string{"-E", "-H", "-n", "-EH", "-HE", "--"}, rest[0].value) || strings.HasPrefix(rest[0].value, "--preserve-env")) {
				rest = rest[1:]
			}
			words, own = assignments(r, rest, own)
		case givesEnvironment[name]:
			return fmt.Errorf("its script lets %s give kamal its environment: declare what it gives in the input secrets, and call kamal by itself", name)
		default:
			return more()
		}
	}
	return more()
}

// givesEnvironment are programs that run another with an environment of theirs.
var givesEnvironment = map[string]bool{
	"doppler": true, "dotenv": true, "dotenvx": true, "direnv": true, "infisical": true, "chamber": true, "aws-vault": true, "sops": true, "teller": true, "envchain": true,
}

// assignments takes NAME=value off the front of words.
func assignments(r *scriptReader, words []scriptWord, own []assignment) ([]scriptWord, []assignment) {
	for len(words) > 0 && strings.Contains(words[0].value, "=") && !strings.HasPrefix(words[0].value, "-") {
		name, value, _ := strings.Cut(words[0].value, "=")
		own = append(own, assignment{name, r.show(value)})
		words = words[1:]
	}
	return words, own
}

// withoutOptions takes options off the front of words, and the numbers that some of
// them take.
func withoutOptions(words []scriptWord) []scriptWord {
	for len(words) > 0 && (strings.HasPrefix(words[0].value, "-") || numbers().MatchString(words[0].value)) {
		words = words[1:]
	}
	return words
}

var pinnedWord = lazy.Regexp(`^_[\d.]+_$`)

var numbers = lazy.Regexp(`^-?\d+$`)

// opRun takes the options of op run off: the step declares what it resolves.
func (r *scriptReader) opRun(words []scriptWord, more func() error) ([]scriptWord, error) {
	for len(words) > 0 && strings.HasPrefix(words[0].value, "-") {
		name := words[0].value
		words = words[1:]
		switch {
		case name == "--":
			r.call.opRun = true
			return words, nil
		case name == "--no-masking":
		case strings.HasPrefix(name, "--env-file"):
			return nil, errors.New("its script lets op run read a file: declare its references in the input secrets, as NAME=op://…, and call kamal by itself")
		default:
			return nil, more()
		}
	}
	r.call.opRun = true
	return words, nil
}

// within takes the options and the duration of timeout off.
func (r *scriptReader) within(words []scriptWord) ([]scriptWord, error) {
	for len(words) > 0 && strings.HasPrefix(words[0].value, "-") {
		takes := slices.Contains([]string{"-k", "-s", "--kill-after", "--signal"}, words[0].value)
		if words = words[1:]; takes && len(words) > 0 {
			words = words[1:]
		}
	}
	if len(words) == 0 {
		return nil, errors.New("its script calls timeout without a time")
	}
	m := durations().FindStringSubmatch(words[0].value)
	switch {
	case m == nil || m[2] == "" && strings.ContainsRune(m[1], markEnd):
		return nil, fmt.Errorf("the time that its script gives to timeout, %s, has no unit that is known here: use the input timeout", r.show(words[0].value))
	case m[2] == "":
		m[2] = "s"
	}
	r.call.timeout = r.show(m[1]) + m[2]
	return words[1:], nil
}

// options parts the words behind kamal: what has an input of its own goes there.
func (r *scriptReader) options(program string, words []scriptWord, own []assignment, more func() error) error {
	if len(words) > 0 && pinnedWord().MatchString(words[0].value) { // of RubyGems: which version to start
		r.call.pinned, words = strings.Trim(words[0].value, "_"), words[1:]
	}
	if len(words) > 0 && strings.ContainsRune(words[0].value, markStart) {
		return fmt.Errorf("%s decides which command of kamal it runs: make a step of each, with its if", r.show(words[0].value))
	}
	if len(words) == 0 || !slices.Contains([]string{"deploy", "setup", "redeploy"}, words[0].value) {
		return more()
	}
	if r.done {
		return errors.New("its script runs kamal more than once: make steps of it")
	}
	r.done = true
	if program != "kamal" && program != "bin/kamal" && program != "./bin/kamal" {
		r.call.program = r.show(program)
	}
	r.call.command = words[0].value
	r.call.env = append(r.call.env, own...)
	words = words[1:]
	for i := 0; i < len(words); i++ {
		w := words[i]
		var into *string
		name, value, inWord := strings.Cut(w.value, "=")
		if name == "--" && !inWord { // what follows is no option of Kamal's
			for _, w := range words[i:] {
				if text := r.argument(w); text != "" {
					r.call.args = append(r.call.args, text)
				}
			}
			break
		}
		switch {
		case bundled().MatchString(name):
			return fmt.Errorf("its script gives kamal several flags in one word, %s: write each by itself", r.show(w.value))
		case name == "-d" || name == "--destination":
			into = &r.call.destination
		case name == "-c" || name == "--config-file":
			into = &r.call.config
		case strings.HasPrefix(w.value, "-d") && !strings.HasPrefix(w.value, "--"):
			into, value, inWord = &r.call.destination, w.value[2:], true
		}
		switch {
		case into == nil:
			if text := r.argument(w); text != "" {
				r.call.args = append(r.call.args, text)
			}
			continue
		case !inWord && i+1 < len(words):
			i++
			value = words[i].value
		case !inWord:
			return fmt.Errorf("its script gives %s no value", name)
		}
		*into = r.show(value)
	}
	return nil
}

// argument is a word as the input args has it.
func (r *scriptReader) argument(w scriptWord) string {
	plain := func(c rune) bool {
		return c == markStart || c == markEnd || strings.ContainsRune("_-+=./:@,%", c) || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c > 0x7f
	}
	marked := strings.ContainsRune(w.value, markStart)
	bare := w.value != "" && strings.IndexFunc(w.value, func(c rune) bool { return !plain(c) }) < 0
	switch {
	case !w.quoted && bare, bare && !marked:
		return r.show(w.value)
	case !w.quoted && !marked: // a variable's value, of several words
		return r.show(w.value)
	case marked:
		return `"` + r.show(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w.value)) + `"`
	}
	return "'" + strings.ReplaceAll(w.value, "'", `'\''`) + "'"
}
