package kamal

import (
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// expansions are the characters that begin an operator behind a parameter's name
// (POSIX, Shell Command Language, 2.6.2; bash has more).
const expansions = ":-?+=#%/^,@["

// expansionsIn notes a shell's expansion in a command: dotenv puts variables in before
// a shell sees it.
func (r *secretsReader) expansionsIn(command span, d *Definition) {
	for _, m := range expansion().FindAllStringSubmatchIndex(command.text, -1) {
		if strings.HasPrefix(command.text[m[2]:], "${!") && ownShell().MatchString(command.text) {
			continue
		}
		// Whatever the account says, a fetch by kamal-op is answered.
		harmless := accountBefore().MatchString(command.text[:m[2]])
		d.Shell = append(d.Shell, Shell{Kind: Expansion, Text: command.text[m[2]:m[3]], Place: r.at(command.at(m[2])), Doubtful: harmless})
	}
}

// oddities notes ${!NAME}, ${#NAME} and $'…' in a value: a $ without a name behind it.
func (r *secretsReader) oddities(v span, at int, dollar string, d *Definition) {
	rest := v.text[at+len(dollar):]
	end := len(v.text) - 1
	switch {
	case dollar == "${" && odd().MatchString(rest):
		d.Shell = append(d.Shell, Shell{Kind: Expansion, Text: "${" + rest[:1], Place: r.at(v.at(at))})
	case dollar == "${" && rest == "" && d.Quote == 0 && strings.HasPrefix(r.text[v.at(end)+1:], "#"): // a comment begins there
		d.Shell = append(d.Shell, Shell{Kind: Expansion, Text: "${#", Place: r.at(v.at(at))})
	case dollar == "$" && at == 0 && len(rest) > 1 && (rest[0] == '\'' || rest[0] == '"') && v.text[end] == rest[0] && d.Quote == 0:
		d.Shell = append(d.Shell, Shell{Kind: Quoting, Text: v.text[:2], Place: r.at(v.at(at))})
	case dollar == "${" && expression().MatchString(rest):
		d.Shell = append(d.Shell, Shell{Kind: Expression, Text: "${{", Place: r.at(v.at(at))})
	case dollar == "$":
		r.special(v, at, d)
	}
}

// special notes $?, $$ and its like, once in a value: amid other text it may be
// meant as it is.
func (r *secretsReader) special(v span, at int, d *Definition) {
	next := at + 1
	var name string
	switch {
	case next < len(v.text) && strings.IndexByte("?$!@*-#", v.text[next]) >= 0:
		name = v.text[at : next+1]
	case next < len(v.text) && v.text[next] == '[':
		if sum := oldSum().FindString(v.text[at:]); sum != "" {
			d.Shell = append(d.Shell, Shell{Kind: Arithmetic, Text: "$[", Place: r.at(v.at(at)), Doubtful: at > 0 || len(sum) < len(v.text)})
		}
		return
	case next == len(v.text) && d.Quote == 0 && strings.HasPrefix(r.text[v.at(at)+1:], "#"): // a comment begins there
		name = "$#"
	default:
		return
	}
	for _, s := range d.Shell {
		if s.Kind == Special {
			return
		}
	}
	d.Shell = append(d.Shell, Shell{Kind: Special, Text: name, Place: r.at(v.at(at)), Doubtful: at > 0 || next+1 < len(v.text)})
}

// aroundName notes what a shell reads behind a variable's name and dotenv does not:
// ${NAME:-…}, and the brace of $NAME}, which it takes along.
func (r *secretsReader) aroundName(v span, at int, dollar string, d *Definition) {
	next := at + len(dollar)
	braced, closed := dollar[1] == '{', strings.HasSuffix(dollar, "}")
	switch {
	case braced && !closed && next < len(v.text) && strings.IndexByte(expansions, v.text[next]) >= 0:
		d.Shell = append(d.Shell, Shell{Kind: Expansion, Text: dollar + v.text[next:next+1], Place: r.at(v.at(at))})
	case !braced && closed:
		d.Shell = append(d.Shell, Shell{Kind: Brace, Text: dollar, Place: r.at(v.at(at)), Doubtful: strings.IndexByte(v.text[:at], '{') < 0})
	}
}

// wholeValue notes a value with ERB in it, and one without quotes that is an array, a
// here-document, a command in the place of a file or a path below the home directory to
// a shell.
func (r *secretsReader) wholeValue(text string, v span, d *Definition) {
	if at := erbTag().FindStringIndex(text); at != nil {
		d.Shell = append(d.Shell, Shell{Kind: ERB, Text: "<%", Place: r.at(v.at(at[0]))})
		return
	}
	if d.Quote != 0 {
		return
	}
	note := func(kind ShellKind, begins string, doubtful bool) {
		d.Shell = append(d.Shell, Shell{Kind: kind, Text: begins, Place: r.at(v.at(0)), Doubtful: doubtful})
	}
	if m := hereDocument().FindStringSubmatch(text); m != nil {
		note(HereDocument, m[1], false)
	}
	if m := process().FindString(text); m != "" {
		note(Process, m[:2], false)
	}
	if m := array().FindStringSubmatch(text); m != nil {
		// One word may be meant as it is, and a parenthesis that closes nowhere.
		note(Array, "(", len(strings.Fields(m[1])) < 2 || m[2] == "")
	}
	if strings.HasPrefix(text, "~/") || text == "~" {
		note(Home, "~", true)
	}
	if strings.HasSuffix(text, `\`) && len(d.Shell) == 0 && r.hasLine(v.at(len(v.text)-1)) {
		d.Shell = append(d.Shell, Shell{Kind: Continuation, Text: `\`, Place: r.at(v.at(len(v.text) - 1))})
	}
}

// hasLine reports whether a line with something on it follows that of an offset.
func (r *secretsReader) hasLine(offset int) bool {
	_, rest, _ := strings.Cut(r.text[offset:], "\n")
	line, _, _ := strings.Cut(rest, "\n")
	line = strings.TrimSpace(line)
	return line != "" && line[0] != '#'
}

// innerQuotes notes what a shell would put together of quoted pieces: dotenv takes
// the first quote and the last one off. Double quotes within double quotes may be
// JSON, which is meant so.
func (r *secretsReader) innerQuotes(v span, d *Definition) {
	switch d.Quote {
	case '\'':
		for _, piece := range []string{`'\''`, `'"'"'`} {
			if at := strings.Index(v.text, piece); at >= 0 {
				d.Shell = append(d.Shell, Shell{Kind: InnerQuotes, Text: piece, Place: r.at(v.at(at))})
				return
			}
		}
	case '"':
		if m := definedBehind().FindStringSubmatchIndex(v.text); m != nil {
			d.Shell = append(d.Shell, Shell{Kind: Operator, Text: v.text[m[2]:m[3]], Place: r.at(v.at(m[2]))})
		}
	}
}

// cutWord notes a # in a value without quotes: a shell takes it for a part of the
// word, dotenv for a comment.
func (r *secretsReader) cutWord(from, to int, d *Definition) {
	if d.Quote != 0 || len(d.Shell) > 0 || to <= from || to >= len(r.text) || r.text[to] != '#' || strings.TrimRight(r.text[to-1:to], " \t\v\f\r") == "" {
		return
	}
	d.Shell = append(d.Shell, Shell{Kind: Cut, Text: "#", Place: r.at(to), Doubtful: true})
}

// cutOff notes ${NAME#…} without quotes: a comment begins behind the name.
func (r *secretsReader) cutOff(v span, d *Definition) {
	if d.Quote != 0 || len(v.text) == 0 || !strings.HasPrefix(r.text[v.at(len(v.text)-1)+1:], "#") {
		return
	}
	if at := unclosed().FindStringIndex(v.text); at != nil {
		d.Shell = append(d.Shell, Shell{Kind: Expansion, Text: v.text[at[0]:] + "#", Place: r.at(v.at(at[0]))})
	}
}

// quotingIn notes $'…' in a command: the sh that runs it need not know it, and dotenv
// has looked for a variable there.
func (r *secretsReader) quotingIn(command span, d *Definition) {
	if at := ansiWord().FindStringIndex(command.text); at != nil && !ownShell().MatchString(command.text) {
		d.Shell = append(d.Shell, Shell{Kind: Quoting, Text: "$'", Place: r.at(command.at(at[1] - 2))})
	}
}

// operators notes what a shell would read behind a value without quotes: another
// command, or another definition on the same line.
func (r *secretsReader) operators(text string, v span, d *Definition) {
	if d.Quote != 0 {
		return
	}
	if m := operatorBehind().FindStringSubmatchIndex(text); m != nil {
		for m[2] < 0 {
			m = m[2:] // another alternative
		}
		d.Shell = append(d.Shell, Shell{Kind: Operator, Text: text[m[2]:m[3]], Place: r.at(v.at(m[2]))})
	} else if m := anotherBehind().FindStringSubmatchIndex(text); m != nil {
		d.Shell = append(d.Shell, Shell{Kind: Operator, Text: text[m[2]:m[3]], Place: r.at(v.at(m[2])), Doubtful: true})
	}
}

// openQuote notes a quote that begins a value and does not end it: dotenv takes
// neither off.
func (r *secretsReader) openQuote(v span, d *Definition) {
	if d.Quote == 0 && len(v.text) > 0 && (v.text[0] == '"' || v.text[0] == '\'') {
		d.Shell = append(d.Shell, Shell{Kind: OpenQuote, Text: v.text[:1], Place: r.at(v.at(0))})
	}
}

// arithmetic notes $((…)): dotenv runs what is in it as a command.
func (r *secretsReader) arithmetic(command span, d *Definition) {
	if sum().MatchString(command.text) {
		d.Shell = append(d.Shell, Shell{Kind: Arithmetic, Text: "$((", Place: r.at(command.at(0))})
	}
}

var (
	ansiWord = lazy.Regexp(`(?:^|\s)\$'`)
	// The dollar ends a command, whose text is passed over.
	operatorBehind = lazy.Regexp(`\$(?:\w+|\{\w+\})?(?:\s*(&&|\|\|?|;)(?:\s|$)|\s+(\d?>>?)\s*[/&\w])|(;)\s*(?:export\s+)?[A-Za-z_]\w*=`)
	// A definition behind one that stands in quotes.
	definedBehind = lazy.Regexp(`"[ \t]+([A-Za-z_]\w*=)(?:["'$]|\w)`)
	// Another in capitals, which no option of a connection string has.
	anotherBehind = lazy.Regexp(`[^\s=][ \t]+([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*=)`)
	hereDocument  = lazy.Regexp(`^(<<<)\s*\S|^(<<)-?\s*["'\\]?[A-Za-z_]\w*["']?$`)
	process       = lazy.Regexp(`^[<>]\([\w./\s]`)
	// Words of an array; a pattern has other characters.
	array         = lazy.Regexp(`^\(((?:\s*[^\s|?*\[\]()]+)*)\s*(\)?)$`)
	erbTag        = lazy.Regexp(`<%=?.*?%>`)
	expression    = lazy.Regexp(`^\{[^{}]+\}\}`)
	oldSum        = lazy.Regexp(`^\$\[[\s\d+*/%-]+\]`)
	unclosed      = lazy.Regexp(`\$\{[A-Za-z_]\w*$`)
	odd           = lazy.Regexp(`^[!#][A-Za-z_]\w*[}:\[@*]`)
	sum           = lazy.Regexp(`^\([\s(]*[-+~!]?(?:\d+|\$\{?\w+\}?|\w+\s*[-+*%]\s*\d+)[\s)]*(?:(?:\*\*|<<|>>|[-+*/%])[\s(]*\$?\{?\w+\}?[\s)]*)*\)$`)
	expansion     = lazy.Regexp(`(?:^|[^\\])(\$\{[A-Za-z0-9_]+[-:?+=#%/^,@\[]|\$\{![A-Za-z_]\w*\})`)
	ownShell      = lazy.Regexp(`\b(?:bash|zsh|ksh)\b`) // which knows more than sh
	accountBefore = lazy.Regexp(`--account[= ]["']?$`)
)

// backticks notes what a shell would run between two of them. A single one, or two
// around nothing that could be a command, is a character of a value; two amid other
// text may be.
func (r *secretsReader) backticks(text string, v span, d *Definition) {
	open := strings.IndexByte(text, '`')
	if open < 0 {
		return
	}
	command, rest, closed := strings.Cut(text[open+1:], "`")
	if !closed || !backtickCommand().MatchString(command) {
		return
	}
	whole := open == 0 && rest == ""
	d.Shell = append(d.Shell, Shell{
		Kind: Backticks, Text: "`", Place: r.at(v.at(open)), Doubtful: !whole && !givesSecrets().MatchString(command),
	})
}

var (
	// backtickCommand is a command with an argument, or the name of one.
	backtickCommand = lazy.Regexp(`^\s*[A-Za-z0-9_./-]+(\s+\S.*)?$`)
	// givesSecrets is a command that can be meant for nothing else.
	givesSecrets = lazy.Regexp(`^\s*(?:op|kamal|cat|bundle|echo|aws|gcloud|gh)\s+\S`)
)

// skippedLine is a line that dotenv takes nothing from.
func (r *secretsReader) skippedLine(line string, at problem.Place) SkippedLine {
	p := SkippedLine{Place: at, Words: aWord().FindAllString(line, -1)}
	if m := adds().FindStringSubmatch(line); m != nil {
		p.Adds = m[1]
	}
	p.Decides = decides().MatchString(line)
	if m := function().FindStringSubmatch(line); m != nil {
		p.Function = m[1] + m[2]
	}
	if r.last.name != "" && at.Line == r.last.line+1 && (r.last.open || !statement().MatchString(line)) {
		p.Continues, r.last.line = r.last.name, at.Line
	}
	return p
}

var (
	function = lazy.Regexp(`^(?:([\w-]+)\s*\(\)|function\s+([\w-]+))`)
	adds     = lazy.Regexp(`^(?:export\s+)?([A-Za-z_]\w*)\+=`)
	// decides begins a statement whose parts hold in one case and not in another.
	decides = lazy.Regexp(`^(?:if|elif|case|for|while|until)\s|^(?:\[\[?|test)\s.*(?:&&|\|\|)`)
	aWord   = lazy.Regexp(`[\w.]+(?:-[\w.]+)*`)
	// statement is a line that a shell would take by itself.
	statement = lazy.Regexp(`^(?:(?:set|source|\.|export|if|elif|then|else|for|while|until|case|do|echo|printf|unset|shopt|trap|eval|exec|exit|return|cd|` +
		`local|readonly|declare|typeset|alias|function|test|command|umask|ulimit|op|kamal|bundle|mise|direnv)(?:[\s;]|$)|[:!{}\[(]|[\w.-]+\s*\(\)|[\w.-]+\+?=)`)
)

// shellWords is the first piece of a shell's syntax in a command that Kamal runs in
// its own process: it is split into words as a shell would, and taken as it is
// (lib/kamal/secrets/dotenv/inline_command_substitution.rb). "" where there is none.
func shellWords(command string) string {
	for _, m := range nested().FindAllStringIndex(command, -1) {
		// An account may be anything, as long as it is one word.
		before := command[:m[0]]
		oneWord := strings.HasSuffix(before, `"`) || strings.HasSuffix(before, "'") || wordWhole().MatchString(command[m[0]:])
		if !accountBefore().MatchString(before) || !oneWord {
			return "$("
		}
	}
	m := operator().FindStringSubmatch(quoted().ReplaceAllString(nestedWhole().ReplaceAllString(command, "x"), "x"))
	if m == nil {
		return ""
	}
	return m[1] + m[2]
}

var (
	nested      = lazy.Regexp(`\$\(`)
	wordWhole   = lazy.Regexp(`^\$\([^()\s]*\)(?:\s|$)`)
	nestedWhole = lazy.Regexp(`\$\([^()]*\)`)
	quoted      = lazy.Regexp(`'[^']*'|"(?:\\.|[^"\\])*"`)
	operator    = lazy.Regexp(`(?:^|\s)(\|\|?|&&?|;|&?\d*[<>]+)|[\w"')](;)(?:\s|$)`)
)
