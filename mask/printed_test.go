package mask

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	update   = flag.Bool("update", false, "write testdata/printed.json anew, which needs all programs and both databases")
	postgres = flag.String("postgres", "", "ask Postgres at this address too, as psql takes it")
	mysql    = flag.String("mysql", "", "ask MySQL at this socket too")
)

// printer is a real program that prints values in some form.
type printer struct {
	by     string
	script script
	kind   string // of the values that it is for
}

// script is for a shell, which has the values as its arguments and writes a NUL behind
// each form; or an expression of another language, for what is printed of a value v.
type script struct{ language, text string }

// evaluators run several expressions at once, since they start slowly: of pairs of an
// expression and values, which come as JSON.
var evaluators = map[string][]string{
	"python": {"/usr/bin/python3", "-c", `import sys, json, base64, pprint, urllib.parse, yaml
for e, values in json.loads(sys.argv[1]):
    for v in values: sys.stdout.write(eval(e) + "\0")`},
	"ruby": {"ruby", "-Eutf-8", "-rjson", "-ryaml", "-rpp", "-ruri", "-e", `JSON.parse(ARGV[0]).each { |e, values| values.each { |v| print(eval(e), "\0") } }`},
	"node": {"node", "-e", `for (const [e, values] of JSON.parse(process.argv[1])) for (const v of values) process.stdout.write(eval(e) + "\0")`},
	"php":  {"php", "-r", `foreach (json_decode($argv[1]) as [$e, $values]) foreach ($values as $v) echo eval("return $e;"), "\0";`},
}

// each is a script that prints what a command prints of each value, v.
func each(command string) string {
	return `for v; do printf '%s\0' "$(` + command + `)"; done`
}

func dash(text string) script   { return script{"dash", text} }
func bash(text string) script   { return script{"bash", text} }
func php(text string) script    { return script{"php", text} }
func ruby(text string) script   { return script{"ruby", text} }
func python(text string) script { return script{"python", text} }
func node(text string) script   { return script{"node", text} }

func jq(options, program string) script {
	return dash(each("jq -n" + options + ` --arg v "$v" '` + program + `'`))
}

func psql(query string) script {
	return dash(each(`printf '%s\n' "` + query + `" | psql -XAtq '` + *postgres + `' -v v="$v"`))
}

// mariadb asks for a value that comes as hexadecimal, so that nothing escapes it on
// its way in.
func mariadb(options, expression string) script {
	return dash(each(`mysql -S '` + *mysql + `' -N --default-character-set=utf8mb4 ` + options +
		` -e "select ` + strings.ReplaceAll(expression, "V", `convert(x'$(printf %s "$v" | od -An -v -tx1 | tr -d ' \n')' using utf8mb4)`) + `"`))
}

// encoders that are real programs.
func printers() []printer {
	all := []printer{
		{"dash export -p", dash(`unset PWD OLDPWD PATH; for v; do export v; x=$(export -p); printf '%s\0' "${x#*export v=}"; done`), "plain"},
		{"bash declare -p", bash(`for v; do export v; x=$(declare -p v); printf '%s\0' "${x#*v=}"; done`), "plain"},
		{"bash printf %q", bash(`for v; do printf '%q\0' "$v"; done`), "plain"},
		{"bash @Q", bash(`for v; do printf '%s\0' "${v@Q}"; done`), "plain"},
		{"base32", dash(each(`printf %s "$v" | base32`)), "plain"},
		{"base32 of echo", dash(each(`printf '%s\n' "$v" | base32`)), "plain"},
		{"jq @sh", jq("r", "$v | @sh"), "plain"},
		{"jq @tsv", jq("r", "[$v] | @tsv"), "plain"},
		{"jq @csv", jq("r", "[$v] | @csv"), "plain"},
		{"jq -a", jq("a", "$v"), "plain"},
		{"base64 of base64", dash(each(`printf %s "$v" | base64 | base64`)), "twice"},
		{"base64 of base64, unbroken", dash(each(`printf %s "$v" | base64 -w0 | base64 -w0`)), "twice"},
		{"php addslashes", php("addslashes($v)"), "plain"},
		{"php var_export", php("var_export($v, true)"), "plain"},
		{"ruby pretty_inspect", ruby("v.pretty_inspect"), "plain"},
		{"ruby to_yaml", ruby(`{ "k" => v }.to_yaml.delete_prefix("---\nk: ")`), "folded"},
		{"ruby to_yaml, nested", ruby(`{ "a" => { "a_long_name_of_a_variable" => v } }.to_yaml.delete_prefix("---\na:\n  a_long_name_of_a_variable: ")`), "folded"},
		{"ruby to_yaml in a list", ruby(`[v].to_yaml.delete_prefix("---\n- ")`), "folded"},
		{"python yaml", python(`yaml.dump({"k": v})[3:]`), "folded"},
		{"python yaml, allow_unicode", python(`yaml.dump({"k": v}, allow_unicode=True)[3:]`), "folded"},
		{"python yaml, double", python(`yaml.safe_dump([v], default_style='"')[2:]`), "folded"},
		{"python yaml, single", python(`yaml.safe_dump([v], default_style="'")[2:]`), "folded"},
		{"python pprint", python(`pprint.pformat({"k": v})[5:-1].strip("()")`), "folded"},
		{"python pprint in a list", python(`pprint.pformat([v])[1:-1].strip("()")`), "folded"},
		{"python, every byte in percent", python(`"".join("%%%02X" % b for b in v.encode())`), "plain"},
		{"node, every byte in percent", node(`Buffer.from(v).toString("hex").replace(/../g, "%$&")`), "plain"},
		{"node inspect", node(`require("util").inspect(v)`), "plain"},
	}
	all = append(all, undoers()...)
	if *postgres != "" {
		all = append(all,
			printer{"psql quote_literal", psql("select quote_literal(:'v');"), "plain"},
			printer{"psql %L", psql("select format('%L', :'v');"), "plain"},
			printer{"psql copy", psql("copy (select :'v') to stdout;"), "plain"},
			printer{"psql echo", psql(`\\echo :'v'`), "plain"})
	}
	if *mysql != "" {
		dump := `h=$(printf %s "$v" | od -An -v -tx1 | tr -d ' \n'); mysql -S '` + *mysql + `' -e "create database if not exists t; create or replace table t.t (v text character set utf8mb4); insert into t.t values (convert(x'$h' using utf8mb4))"; mysqldump -S '` + *mysql + `' --compact --no-create-info t t | sed '/sandbox/d; s/^INSERT INTO .t. VALUES//'`
		all = append(all,
			printer{"mysql quote", mariadb("-r", "quote(V)"), "plain"},
			printer{"mysql -B", mariadb("-B", "V"), "plain"},
			printer{"mysqldump", dash(each(dump)), "plain"})
	}
	slices.SortStableFunc(all, func(a, b printer) int { return strings.Compare(a.script.language, b.script.language) })
	return all
}

// undoers are programs that undo an encoding in a value.
func undoers() []printer {
	return []printer{
		{"dash echo", dash(`for v; do echo "$v"; printf '\0'; done`), "escaped"},
		{"dash printf %b", dash(`for v; do printf %b "$v"; printf '\0'; done`), "escaped"},
		{"dash printf", dash(`for v; do printf -- "$v"; printf '\0'; done`), "escaped"},
		{"bash echo -e", bash(`for v; do echo -e "$v"; printf '\0'; done`), "escaped"},
		{"bash printf %b", bash(`for v; do printf %b "$v"; printf '\0'; done`), "escaped"},
		{"bash printf", bash(`for v; do printf -- "$v"; printf '\0'; done`), "escaped"},
		{"bash @E", bash(`for v; do printf '%s\0' "${v@E}"; done`), "escaped"},
		{"coreutils printf", dash(`for v; do env printf -- "$v"; printf '\0'; done`), "escaped"},
		{"coreutils printf %b", dash(`for v; do env printf %b "$v"; printf '\0'; done`), "escaped"},
		{"ruby gsub", ruby(`v.gsub('\n', "\n")`), "lines"},
		{"ruby undump", ruby(`%("#{v}").undump`), "lines"},
		{"python unicode_escape", python(`v.encode().decode("unicode_escape")`), "lines"},
		{"base64 -d", dash(each(`printf %s "$v" | base64 -d`)), "base64"},
		{"ruby unpack1", ruby(`v.unpack1("m")`), "base64"},
		{"jq @base64d", jq("r", "$v | @base64d"), "base64"},
		{"jq -r", jq("r", "$v | fromjson | .private_key"), "json"},
		{"jq, again", jq("c", "$v | fromjson | .private_key"), "json"},
		{"ruby JSON", ruby(`JSON.parse(v)["private_key"]`), "json"},
		{"python json", python(`json.loads(v)["private_key"]`), "json"},
		{"python json, again", python(`json.dumps(json.loads(v)["private_key"])`), "json"},
		{"node JSON", node(`JSON.parse(v).private_key`), "json"},
		{"python urlsplit", python(`urllib.parse.urlsplit(v).password`), "url"},
		{"python urlsplit, unquoted", python(`urllib.parse.unquote(urllib.parse.urlsplit(v).password)`), "url"},
		{"node URL", node(`decodeURIComponent(new URL(v).password)`), "url"},
		{"ruby URI", ruby("URI(v).password"), "url"},
		{"docker's auth of a URL", python(`base64.b64encode(urllib.parse.unquote(urllib.parse.urlsplit(v).netloc.split("@")[0]).encode()).decode()`), "url"},
		{"password of user:password", python(`v.split(":", 1)[1]`), "user"},
		{"docker's auth of user:password", python(`base64.b64encode(v.encode()).decode()`), "user"},
	}
}

// printedValues are secret of nothing, and have what some program escapes, folds or
// undoes.
func printedValues(kind string) []string {
	key := "-----BEGIN TEST KEY-----\n"
	for rest := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("no key at all, but as long as one ", 6))); rest != ""; rest = rest[min(64, len(rest)):] {
		key += rest[:min(64, len(rest))] + "\n"
	}
	key += "-----END TEST KEY-----\n"
	oneLine := strings.ReplaceAll(key, "\n", `\n`)
	account := `{"type":"service_account","private_key":"` + oneLine + `"}`
	long := []string{
		"correct horse battery staple and a long tail of further words that go over the eightieth column of it, at last",
		`it's a "long" value with both quotes, a \ backslash and more than eighty columns of words that follow in it, really`,
		"äöü straße with $dollar and `tick` that's \"quoted\" \\ and long enough for a fold beyond eighty columns of the line, is it",
	}
	short := []string{`p'w"x\y z1`, "it''s-quoted", "'tick-both'", "pässwörd-€-😀!", "a\tb'c\"d\\e f", "p%w d+x/y", `E'quote\slash`, "plain-password-77"}
	switch kind {
	case "plain", "folded":
		return append(short, long...)
	case "twice":
		return append(short[4:], long[0])
	case "escaped":
		return []string{oneLine, `one\ttab \\ two\0101 three\101 four\x41 five\u00e9\e[1mfat\e[0m`, `a "quoted\" 'one\' and\a bell`, `stops-here\c and no more`}
	case "lines":
		return []string{oneLine}
	case "base64":
		return []string{base64.StdEncoding.EncodeToString([]byte(key)), base64.StdEncoding.EncodeToString([]byte("user:secret-of-nothing"))}
	case "json":
		return []string{account, strings.ReplaceAll(account, ",", ",\n  ")}
	case "url":
		return []string{"postgres://app:p%40ss%2Fw0rd!x@db.example.com:5432/main", "redis://:pa55word-for-redis@cache.internal:6379/0"}
	}
	return []string{"deployer:pa55word-for-registry"}
}

// run is what the programs print, which are of one language.
func run(t *testing.T, printers []printer) (forms []form) {
	t.Helper()
	argv, evaluates := evaluators[printers[0].script.language]
	if evaluates {
		var pairs [][2]any
		for _, p := range printers {
			pairs = append(pairs, [2]any{p.script.text, printedValues(p.kind)})
		}
		b, err := json.Marshal(pairs)
		if err != nil {
			t.Fatal(err)
		}
		argv = append(slices.Clone(argv), "--", string(b))
		if argv[0] == "/usr/bin/python3" {
			argv = slices.Delete(argv, len(argv)-2, len(argv)-1)
		}
	} else {
		p := printers[0]
		argv = append([]string{p.script.language, "-c", p.script.text, "sh"}, printedValues(p.kind)...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin", "LC_ALL=C.UTF-8", "HOME=/nonexistent"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output() // printf fails for an escape that it does not know, and has printed
	printed := strings.Split(string(out), "\x00")
	for _, p := range printers {
		for _, v := range printedValues(p.kind) {
			if len(printed) < 2 {
				t.Fatalf("%s printed too little: %v: %s", p.by, err, stderr.String())
			}
			forms = append(forms, form{By: p.by, Value: v, Form: printed[0]})
			printed = printed[1:]
		}
	}
	return forms
}

// installed reports whether the program is there.
func (p *printer) installed() bool {
	name := p.script.language
	if argv, evaluates := evaluators[name]; evaluates {
		name = argv[0]
	}
	if strings.HasPrefix(p.by, "jq") {
		name = "jq"
	}
	_, err := exec.LookPath(name)
	return err == nil && (p.script.language != "python" || exec.Command(name, "-c", "import yaml").Run() == nil)
}

// TestForms_AsInstalledProgramsPrintThem runs those of the programs that are
// installed; testdata/printed.json has what all of them print.
func TestForms_AsInstalledProgramsPrintThem(t *testing.T) {
	t.Parallel()
	var all []form
	ran := 0
	for rest := printers(); len(rest) > 0; {
		n := 1
		if _, evaluates := evaluators[rest[0].script.language]; evaluates {
			for n < len(rest) && rest[n].script.language == rest[0].script.language {
				n++
			}
		}
		if rest[0].installed() {
			forms := run(t, rest[:n])
			all = append(all, forms...)
			checkForms(t, forms)
			ran += n
		}
		rest = rest[n:]
	}
	t.Logf("%d programs, %d forms", ran, len(all))
	if *update {
		b, err := json.MarshalIndent(all, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("testdata/printed.json", append(b, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestForms_AsProgramsPrinted(t *testing.T) {
	checkForms(t, readForms(t, "testdata/printed.json", 300))
}

// between is what may stand around the pieces of a form: quotes, backslashes, the
// marks of YAML and SQL, line ends that are written out, colours.
var between = regexp.MustCompile(`\*\*\*|\\[nr]|["'` + "`" + `$\\\s(),;|>-]|E|\x1b\[\d*m|\x07|^e$`)

// checkForms wants nothing left of a form but what is between its pieces, and, of one
// that is broken into lines, what of a line is too short to be told from chance.
func checkForms(t *testing.T, forms []form) {
	t.Helper()
	for _, f := range forms {
		m := New()
		m.Add(f.Value)
		for _, size := range []int{0, 1, 7} {
			got := cut(t, m, []byte(f.Form), size)
			if !strings.Contains(got, stars) {
				t.Errorf("%s of %q: %q is not masked: %q", f.By, f.Value, f.Form, got)
				break
			}
			rest := ""
			for _, piece := range strings.Split(got, "\n") {
				if piece = between.ReplaceAllString(piece, ""); len(piece) >= 4 || !strings.Contains(got, "\n") {
					rest += piece
				}
			}
			if rest != "" {
				t.Errorf("%s of %q: %q leaves %q: %q", f.By, f.Value, f.Form, rest, got)
				break
			}
		}
	}
}
