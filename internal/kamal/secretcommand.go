package kamal

import (
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// inlined is how Kamal knows the commands that it runs in its own process.
var inlined = lazy.Regexp(`\A[\s\v]*kamal[\s\v]*secrets[\s\v]+`)

// A word of a command: its text, and whether all of it is known.
type word struct {
	text     string
	known    bool
	variable string // the unknown variable that the word is and nothing else, or ""
	at       int    // its place in a list of words, for those who edit them
}

// command reads what stands between the parentheses of $(…).
func (r *secretsReader) command(v span, at problem.Place) Part {
	p := Part{Kind: Command, Text: v.text, Place: at, Inline: inlined().MatchString(v.text)}
	if p.Inline {
		p.Shell = shellWords(v.text)
	}
	if r.commands != nil {
		r.commands[at] = v
	}
	words, names, simple := r.words(v.text, p.Inline)
	p.Known, p.Variables = true, names
	for _, w := range words {
		p.Known = p.Known && w.known
	}
	if args, ok := kamalSecrets(words); ok && (simple || p.Inline) {
		switch args[0].text {
		case "fetch":
			p.fetch(args[1:])
		case "extract":
			p.extract(args[1:])
		}
		return p
	}
	if simple && len(words) >= 3 && words[0].text == "op" && words[1].text == "read" {
		p.Kind = Read
	}
	p.references(words)
	return p
}

// kamalSecrets is what follows `kamal secrets`, however Kamal is called.
func kamalSecrets(words []word) ([]word, bool) {
	for i := 0; i+2 < len(words) && i < 3; i++ {
		name := words[i].text
		if (name == "kamal" || strings.HasSuffix(name, "/kamal")) && words[i+1].text == "secrets" {
			return words[i+2:], true
		}
		if i == 0 && name != "bundle" && name != "ruby" || i == 1 && name != "exec" {
			break
		}
	}
	return nil, false
}

// Options of Kamal that take a value, by their short form where they have one.
var kamalValueOptions = map[string]string{
	"--adapter": "adapter", "-a": "adapter", "--account": "account", "--from": "from",
	"--version": "", "--hosts": "", "-h": "", "--roles": "", "-r": "", "--config-file": "", "-c": "",
	"--destination": "", "-d": "", "--lock-wait-timeout": "", "--lock-wait-interval": "",
}

// split parts the arguments of a Kamal command into options and the others.
func split(words []word) (options map[string]word, rest []word) {
	options = map[string]word{}
	for i := 0; i < len(words); i++ {
		w := words[i]
		if !strings.HasPrefix(w.text, "-") || len(w.text) < 2 {
			rest = append(rest, w)
			continue
		}
		name, value, inWord := strings.Cut(w.text, "=")
		key, takes := kamalValueOptions[name]
		if !takes && !strings.HasPrefix(w.text, "--") && len(w.text) > 2 { // -a1password
			if key, takes = kamalValueOptions[w.text[:2]]; takes {
				value, inWord = w.text[2:], true
			}
		}
		switch {
		case !takes:
		case inWord:
			options[key] = word{text: value, known: w.known}
		case i+1 < len(words):
			i++
			options[key] = words[i]
		}
	}
	return options, rest
}

// OnePassword reports whether a fetch asks 1Password, by the names that Kamal has for
// the adapter.
func (p Part) OnePassword() bool {
	adapter := strings.ToLower(p.Adapter)
	return p.Kind == Fetch && (adapter == "1password" || adapter == "one_password")
}

func (p *Part) fetch(words []word) {
	p.Kind = Fetch
	options, rest := split(words)
	p.Adapter, p.Account, p.From = options["adapter"].text, options["account"].text, options["from"].text
	for _, w := range rest {
		p.Names = append(p.Names, w.text)
	}
	if !p.OnePassword() {
		return
	}
	from, hasFrom := options["from"]
	if hasFrom && !from.known {
		return
	}
	want := func(path string, whole bool) {
		parts := strings.Split(strings.TrimPrefix(path, "op://"), "/")
		for len(parts) > 0 && parts[len(parts)-1] == "" {
			parts = parts[:len(parts)-1] // as Ruby's split
		}
		if len(parts) < 2 || parts[0] == "" || parts[1] == "" {
			return
		}
		wanted := Wanted{Vault: parts[0], Item: parts[1], Place: p.Place}
		switch {
		case whole:
		case len(parts) == 2:
			wanted.Field = "password"
		default:
			wanted.Field = strings.Join(parts[2:], ".")
		}
		p.Wanted = append(p.Wanted, wanted)
	}
	if len(rest) == 0 {
		want(p.From, true)
		return
	}
	for _, w := range rest {
		switch {
		case !w.known:
		case hasFrom:
			want(p.From+"/"+w.text, false)
		default:
			want(w.text, false)
		}
	}
}

func (p *Part) extract(words []word) {
	p.Kind = Extract
	_, rest := split(words)
	if len(rest) > 0 && rest[0].known {
		p.Name = rest[0].text
	}
	if len(rest) > 1 {
		p.Source = rest[1].variable
	}
}

// references notes what a command line asks of `op`, wherever in it that is.
func (p *Part) references(words []word) {
	for i, w := range words {
		if w.known && strings.HasPrefix(w.text, "op://") {
			path, _, _ := strings.Cut(w.text, "?")
			parts := strings.Split(strings.TrimPrefix(path, "op://"), "/")
			if len(parts) >= 3 && parts[0] != "" && parts[1] != "" {
				p.Wanted = append(p.Wanted, Wanted{
					Vault: parts[0], Item: parts[1], Field: strings.Join(parts[2:], "."), Reference: w.text, Place: p.Place,
				})
			}
		}
		if w.text == "item" && i > 0 && i+1 < len(words) && words[i-1].text == "op" && words[i+1].text == "get" {
			p.itemGet(words[i+2:])
		}
	}
}

// itemGet notes the item and the vault of `op item get`.
func (p *Part) itemGet(words []word) {
	var item, vault word
	for i := 0; i < len(words); i++ {
		w := words[i]
		if value, ok := strings.CutPrefix(w.text, "--vault="); ok {
			vault = word{text: value, known: w.known}
			continue
		}
		switch w.text {
		case "--vault":
			if i+1 < len(words) {
				vault = words[i+1]
			}
			i++
		case "--format", "--fields", "--account", "--session":
			i++
		default:
			if item.text == "" && !strings.HasPrefix(w.text, "-") {
				item = w
			}
		}
	}
	if item.known && vault.known && item.text != "" && vault.text != "" {
		p.Wanted = append(p.Wanted, Wanted{Vault: vault.text, Item: item.text, Place: p.Place})
	}
}

// Unknown variables stand between these in a substituted command line: characters
// for private use that no secrets file has.
const unknownStart, unknownEnd = '\uE0EC', '\uE0ED'

// substitute puts variables into a command line as dotenv does, before anything
// else looks at it and whatever its quotes say. names are those it met, rest says
// that a $ is left for the shell.
func (r *secretsReader) substitute(text string) (line string, names []string, rest bool) {
	var b strings.Builder
	for i := 0; i < len(text); {
		escaped := text[i] == '\\' && i+1 < len(text) && text[i+1] == '$'
		at := i
		if escaped {
			at++
		}
		if text[at] != '$' {
			b.WriteByte(text[i])
			i++
			continue
		}
		if strings.HasPrefix(text[at:], "$(") {
			b.WriteString(text[i : at+1])
			i, rest = at+1, true
			continue
		}
		m := variable().FindStringSubmatch(text[at:])
		i = at + len(m[0])
		if escaped || m[1] == "" {
			b.WriteString(m[0])
			rest = true
			continue
		}
		names = append(names, m[1])
		if value, ok := r.lookup(m[1]); ok {
			b.WriteString(value)
		} else {
			b.WriteString(string(unknownStart) + m[1] + string(unknownEnd))
		}
	}
	return b.String(), names, rest
}

// words splits a command line as a shell does, variables put in as far as they
// are known. simple is false where a shell would do more than run one command. What
// Kamal runs inline has no shell: there a word ends at white space only.
func (r *secretsReader) words(text string, inline bool) (words []word, names []string, simple bool) {
	text, names, rest := r.substitute(text)
	simple = !rest
	var (
		b      strings.Builder
		inWord bool
		quote  byte
	)
	ends := " \t\n\v\f\r"
	if !inline {
		ends += "|&;<>()`"
	}
	end := func() {
		if inWord {
			words = append(words, newWord(b.String()))
			b.Reset()
		}
		inWord = false
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		inWord = inWord || strings.IndexByte(ends, c) < 0
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == '"' && c == '\\' && i+1 < len(text) && strings.IndexByte("$`\"\\\n", text[i+1]) >= 0:
			i++
			b.WriteByte(text[i])
		case quote != 0:
			simple = simple && (quote != '"' || c != '`')
			b.WriteByte(c)
		case c == '\'' || c == '"':
			quote = c
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case strings.IndexByte(" \t\n\v\f\r", c) >= 0:
			simple = simple && (c != '\n' || strings.TrimSpace(text[i:]) == "")
			end()
		case strings.IndexByte("|&;<>()`", c) >= 0:
			simple = false
			if !inline {
				end()
			} else {
				b.WriteByte(c)
			}
		default:
			simple = simple && c != '*' && c != '['
			b.WriteByte(c)
		}
	}
	end()
	return words, names, simple && quote == 0
}

// newWord says what of a word is known.
func newWord(text string) word {
	w := word{text: text, known: true}
	if i := strings.IndexRune(text, unknownStart); i >= 0 {
		w.known = false
		name, ok := strings.CutPrefix(text, string(unknownStart))
		if name, end := strings.CutSuffix(name, string(unknownEnd)); ok && end && isName(name) {
			w.variable = name
		}
		w.text = strings.ReplaceAll(strings.ReplaceAll(text, string(unknownStart), "$"), string(unknownEnd), "")
	}
	return w
}
