package testkit

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"
)

// Mistakes are what people do to a project, each once in one place: most of it stops
// a deploy or gives an app something else than was meant, some of it does nothing.
var Mistakes = []string{
	"nothing",
	"a definition is gone",
	"a name is misspelt",
	"a name is in lower case",
	"a fetch lacks a name",
	"a fetch is gone",
	"a fetch stands last",
	"a fetch has no account",
	"a fetch is in quotes",
	"a value is empty",
	"a value is empty quotes",
	"a value is a reference",
	"a value is a quoted reference",
	"a default of the shell",
	"a demand of the shell",
	"a prefix of the shell",
	"backticks",
	"a command is not closed",
	"a quote is not closed",
	"ANSI quotes",
	"a sum",
	"an array",
	"a special parameter",
	"a here-string",
	"a command for a file",
	"a file for a command",
	"an expression of GitHub's",
	"quotes put together",
	"a brace behind a name",
	"a redirection",
	"a colon",
	"blanks around the sign",
	"twice",
	"twice, the second empty",
	"between if and fi",
	"a command over two lines",
	"the file is gone",
	"moved to the common file",
	"the configuration names one more",
	"an alias to nothing",
	"also in the clear",
	"a dash in a name",
	"an export alone",
	"a comment swallows it",
	"a dollar in single quotes",
	"a reserved character",
}

// badValues are the mistakes that stand in a value: what it becomes.
var badValues = map[string]func(name, value string) string{
	"a value is empty":              func(string, string) string { return "" },
	"a value is empty quotes":       func(name, value string) string { return `""` },
	"a value is a reference":        func(name, value string) string { return "op://Shop/Production/" + name },
	"a value is a quoted reference": func(name, value string) string { return `"op://Shop/Production/` + name + `"` },
	"a default of the shell":        func(name, value string) string { return "${" + name + ":-none}" },
	"a demand of the shell":         func(name, value string) string { return `"${` + name + `:?is missing}"` },
	"a prefix of the shell":         func(name, value string) string { return "${" + name + "#v}" },
	"backticks":                     func(name, value string) string { return "`echo x`" },
	"a command is not closed":       func(name, value string) string { return "$(echo x" },
	"a quote is not closed":         func(name, value string) string { return `"x` },
	"ANSI quotes":                   func(name, value string) string { return `$'a\nb'` },
	"a sum":                         func(name, value string) string { return "$((1 + 2))" },
	"an array":                      func(name, value string) string { return "(one two)" },
	"a special parameter":           func(name, value string) string { return `"$$"` },
	"a here-string":                 func(name, value string) string { return "$(cat <<< x)" },
	"a command for a file":          func(name, value string) string { return "<(echo x)" },
	"a file for a command":          func(name, value string) string { return "$(< /etc/hostname)" },
	"an expression of GitHub's":     func(name, value string) string { return "${{ secrets." + name + " }}" },
	"quotes put together":           func(name, value string) string { return `'it'\''s'` },
	"a brace behind a name":         func(name, value string) string { return "{k:$HOME}" },
	"a redirection":                 func(name, value string) string { return "$(echo x) 2>/dev/null" },
	"a comment swallows it":         func(name, value string) string { return "#" + value },
	"a dollar in single quotes":     func(name, value string) string { return "'$" + name + "'" },
	"a reserved character":          func(name, value string) string { return `"a#b;c$d"` },
}

// badNames are those that stand in the name of a definition.
var badNames = map[string]func(name string) string{
	"a name is misspelt":      func(name string) string { return name[:len(name)-1] + "X" },
	"a name is in lower case": strings.ToLower,
}

// badLines are those that change a definition: what its line becomes.
var badLines = map[string]func(name, value string) string{
	"a definition is gone":   func(string, string) string { return "" },
	"a colon":                func(name, value string) string { return name + ": " + value + "\n" },
	"blanks around the sign": func(name, value string) string { return name + " = " + value + "\n" },
	"between if and fi": func(name, value string) string {
		return "if [ -f x ]; then\n  " + name + "=" + value + "\nelse\n  " + name + "=other\nfi\n"
	},
	"a command over two lines": func(name, _ string) string { return name + "=$(echo a |\n  cat)\n" },
	"a dash in a name": func(name, value string) string {
		return strings.ReplaceAll(name, "_", "-") + "=" + value + "\n"
	},
}

// badConfigs are those of the configuration: what is replaced there, by what.
var badConfigs = map[string]func(name string) (from, to string){
	"the configuration names one more": func(string) (string, string) {
		return "  username: acme\n", "  username:\n    - NOT_THERE\n"
	},
	"an alias to nothing": func(name string) (string, string) {
		return "    - IN_" + name + ":" + name + "\n", "    - " + name + ":NOT_THERE\n"
	},
	"also in the clear": func(name string) (string, string) {
		return "    PORT: 3000\n", "    PORT: 3000\n    " + name + ": seen\n"
	},
}

var (
	definitionLine = regexp.MustCompile(`(?m)^((?:export )?)([A-Z]\w*)=(.*)\n`)
	fetchLine      = regexp.MustCompile(`(?m)^SECRETS=.*\n`)
	accountOption  = regexp.MustCompile(` --account \S+`)
)

// Broken is the project with a mistake in it; ok is false where it has no place for
// that one. where picks the place.
func (g Generated) Broken(mistake string, where uint64) (broken Generated, ok bool) {
	r := rand.New(rand.NewPCG(g.Seed, where))
	g.Archive = &txtar.Archive{Files: slices.Clone(g.Archive.Files)}
	var secrets, configs []int
	for i, f := range g.Archive.Files {
		switch {
		case strings.HasPrefix(f.Name, ".kamal/"):
			secrets = append(secrets, i)
		case strings.HasPrefix(f.Name, "config/"):
			configs = append(configs, i)
		}
	}
	if len(secrets) == 0 {
		return g, false
	}
	at := secrets[r.IntN(len(secrets))]
	text := string(g.Archive.Files[at].Data)
	lines := definitionLine.FindAllStringSubmatchIndex(text, -1)
	fetch := slices.IndexFunc(lines, func(m []int) bool { return strings.Contains(text[m[0]:m[1]], "secrets fetch") })
	if fetch >= 0 {
		lines = slices.Delete(lines, fetch, fetch+1)
	}
	if len(lines) == 0 {
		return g, mistake == "nothing"
	}
	m := lines[r.IntN(len(lines))]
	name, value := text[m[4]:m[5]], text[m[6]:m[7]]
	if change := badConfigs[mistake]; change != nil {
		from, to := change(name)
		return g.reconfigured(g.Archive.Files[configs[0]].Name, from, to)
	}
	switch mistake {
	case "nothing":
		return g, true
	case "the file is gone":
		g.Archive.Files = slices.Delete(g.Archive.Files, at, at+1)
		return g, true
	case "moved to the common file":
		return g.moved(at, text[m[0]:m[1]])
	}
	var changed string
	if become := badValues[mistake]; become != nil {
		changed = text[:m[6]] + become(name, value) + text[m[7]:]
	} else if become := badNames[mistake]; become != nil {
		changed = text[:m[4]] + become(name) + text[m[5]:]
	} else if become := badLines[mistake]; become != nil {
		changed = text[:m[0]] + become(name, value) + text[m[1]:]
	} else {
		changed = brokenFile(mistake, text, name)
	}
	g.Archive.Files[at].Data = []byte(changed)
	return g, changed != text
}

// brokenFile is the text of a secrets file with a mistake that stands in more than
// one line of it.
func brokenFile(mistake, text, name string) string {
	fetch := fetchLine.FindString(text)
	switch mistake {
	case "a fetch lacks a name":
		return strings.Replace(text, fetch, strings.Replace(fetch, " "+name, "", 1), 1)
	case "a fetch is gone":
		return strings.Replace(text, fetch, "", 1)
	case "a fetch stands last":
		return strings.Replace(text, fetch, "", 1) + fetch
	case "a fetch has no account":
		return strings.Replace(text, fetch, accountOption.ReplaceAllString(fetch, ""), 1)
	case "a fetch is in quotes":
		return strings.ReplaceAll(text, "extract "+name+" $SECRETS)", "extract "+name+" \"$SECRETS\")")
	case "twice":
		return text + name + "=again\n"
	case "twice, the second empty":
		return text + name + "=\n"
	case "an export alone":
		return text + "export " + name + "\n"
	}
	return text
}

// moved is the project with a line of a secrets file in the common one.
func (g Generated) moved(file int, line string) (Generated, bool) {
	const common = ".kamal/secrets-common"
	from := &g.Archive.Files[file]
	if from.Name == common {
		return g, false
	}
	from.Data = []byte(strings.Replace(string(from.Data), line, "", 1))
	i := slices.IndexFunc(g.Archive.Files, func(f txtar.File) bool { return f.Name == common })
	if i < 0 {
		g.Archive.Files = append(g.Archive.Files, txtar.File{Name: common})
		i = len(g.Archive.Files) - 1
	}
	g.Archive.Files[i].Data = append(slices.Clone(g.Archive.Files[i].Data), line...)
	return g, true
}

// reconfigured is the project with other text in its configuration.
func (g Generated) reconfigured(name, from, to string) (Generated, bool) {
	i := slices.IndexFunc(g.Archive.Files, func(f txtar.File) bool { return f.Name == name })
	text := string(g.Archive.Files[i].Data)
	changed := strings.Replace(text, from, to, 1)
	g.Archive.Files[i].Data = []byte(changed)
	return g, changed != text
}
