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

var definitionLine = regexp.MustCompile(`(?m)^(?:export )?([A-Z]\w*)=(.*)\n`)

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
	file := &g.Archive.Files[secrets[r.IntN(len(secrets))]]
	config := &g.Archive.Files[configs[0]]
	text := string(file.Data)
	lines := definitionLine.FindAllStringSubmatchIndex(text, -1)
	fetch := slices.IndexFunc(lines, func(m []int) bool { return strings.Contains(text[m[0]:m[1]], "secrets fetch") })
	if fetch >= 0 {
		lines = slices.Delete(lines, fetch, fetch+1)
	}
	if len(lines) == 0 {
		return g, mistake == "nothing"
	}
	m := lines[r.IntN(len(lines))]
	name, value := text[m[2]:m[3]], text[m[4]:m[5]]
	line := func(with string) string { return text[:m[0]] + with + text[m[1]:] }
	valued := func(with string) string { return text[:m[4]] + with + text[m[5]:] }
	before := text
	change := func(f func(fetch string) string) {
		if at := regexp.MustCompile(`(?m)^SECRETS=.*\n`).FindStringIndex(text); at != nil {
			text = text[:at[0]] + f(text[at[0]:at[1]]) + text[at[1]:]
		}
	}
	switch mistake {
	case "nothing":
		return g, true
	case "a definition is gone":
		text = line("")
	case "a name is misspelt":
		text = text[:m[3]-1] + "X" + text[m[3]:]
	case "a name is in lower case":
		text = text[:m[2]] + strings.ToLower(name) + text[m[3]:]
	case "a fetch lacks a name":
		change(func(fetch string) string { return strings.Replace(fetch, " "+name, "", 1) })
	case "a fetch is gone":
		change(func(string) string { return "" })
	case "a fetch stands last":
		last := ""
		change(func(fetch string) string { last = fetch; return "" })
		text += last
	case "a fetch has no account":
		change(func(fetch string) string { return regexp.MustCompile(` --account \S+`).ReplaceAllString(fetch, "") })
	case "a fetch is in quotes":
		text = strings.NewReplacer("extract "+name+" $SECRETS)", "extract "+name+" \"$SECRETS\")").Replace(text)
	case "a value is empty":
		text = valued("")
	case "a value is empty quotes":
		text = valued(`""`)
	case "a value is a reference":
		text = valued("op://Shop/Production/" + name)
	case "a value is a quoted reference":
		text = valued(`"op://Shop/Production/` + name + `"`)
	case "a default of the shell":
		text = valued("${" + name + ":-none}")
	case "a demand of the shell":
		text = valued(`"${` + name + `:?is missing}"`)
	case "a prefix of the shell":
		text = valued("${" + name + "#v}")
	case "backticks":
		text = valued("`echo x`")
	case "a command is not closed":
		text = valued("$(echo x")
	case "a quote is not closed":
		text = valued(`"x`)
	case "ANSI quotes":
		text = valued(`$'a\nb'`)
	case "a sum":
		text = valued("$((1 + 2))")
	case "an array":
		text = valued("(one two)")
	case "a special parameter":
		text = valued(`"$$"`)
	case "a here-string":
		text = valued("$(cat <<< x)")
	case "a command for a file":
		text = valued("<(echo x)")
	case "a file for a command":
		text = valued("$(< /etc/hostname)")
	case "an expression of GitHub's":
		text = valued("${{ secrets." + name + " }}")
	case "quotes put together":
		text = valued(`'it'\''s'`)
	case "a brace behind a name":
		text = valued("{k:$HOME}")
	case "a redirection":
		text = valued("$(echo x) 2>/dev/null")
	case "a colon":
		text = line(name + ": " + value + "\n")
	case "blanks around the sign":
		text = line(name + " = " + value + "\n")
	case "twice":
		text += name + "=again\n"
	case "twice, the second empty":
		text += name + "=\n"
	case "between if and fi":
		text = line("if [ -f x ]; then\n  " + name + "=" + value + "\nelse\n  " + name + "=other\nfi\n")
	case "a command over two lines":
		text = line(name + "=$(echo a |\n  cat)\n")
	case "the file is gone":
		g.Archive.Files = slices.DeleteFunc(g.Archive.Files, func(f txtar.File) bool { return f.Name == file.Name })
		return g, true
	case "moved to the common file":
		if file.Name == ".kamal/secrets-common" {
			return g, false
		}
		moved := text[m[0]:m[1]]
		text = line("")
		if i := slices.IndexFunc(g.Archive.Files, func(f txtar.File) bool { return f.Name == ".kamal/secrets-common" }); i >= 0 {
			g.Archive.Files[i].Data = []byte(string(g.Archive.Files[i].Data) + moved)
		} else {
			file.Data = []byte(text)
			g.Archive.Files = append(g.Archive.Files, txtar.File{Name: ".kamal/secrets-common", Data: []byte(moved)})
			return g, true
		}
	case "the configuration names one more":
		return g.reconfigured(config.Name, "  username: acme\n", "  username:\n    - NOT_THERE\n")
	case "an alias to nothing":
		return g.reconfigured(config.Name, "    - IN_"+name+":"+name+"\n", "    - "+name+":NOT_THERE\n")
	case "also in the clear":
		return g.reconfigured(config.Name, "    PORT: 3000\n", "    PORT: 3000\n    "+name+": seen\n")
	case "a dash in a name":
		text = line(strings.ReplaceAll(name, "_", "-") + "=" + value + "\n")
	case "an export alone":
		text += "export " + name + "\n"
	case "a comment swallows it":
		text = valued("#" + value)
	case "a dollar in single quotes":
		text = valued("'$" + name + "'")
	case "a reserved character":
		text = valued(`"a#b;c$d"`)
	}
	file.Data = []byte(text)
	return g, text != before
}

// reconfigured is the project with other text in its configuration.
func (g Generated) reconfigured(name, from, to string) (Generated, bool) {
	i := slices.IndexFunc(g.Archive.Files, func(f txtar.File) bool { return f.Name == name })
	text := string(g.Archive.Files[i].Data)
	changed := strings.Replace(text, from, to, 1)
	g.Archive.Files[i].Data = []byte(changed)
	return g, changed != text
}
