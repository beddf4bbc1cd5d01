package kamal

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/testkit/longrun"
)

// realKamal says that Ruby and Kamal's gem are there, in the Kamal image.
var realKamal = flag.String("kamal", "", "path of a real Kamal to test with")

// parseAll has real dotenv, with Kamal's substitution in it, parse every file of a
// directory; commands are noted and give a mark.
const parseAll = `
require "kamal"
require "json"
Kamal::Secrets
module Noted
  def ` + "`" + `(command) = note(command)
  def inline_secrets_command(command) = note(command)
  def note(command)
    ($commands[$key] ||= []) << command
    "\u{E0AA}"
  end
end
Kamal::Secrets::Dotenv::InlineCommandSubstitution.singleton_class.prepend(Noted)
Dotenv::Parser.prepend(Module.new {
  def existing?(key) = ($key = key; super)
  def parse_value(value) = ($commands.delete($key); super)
})
ENV.replace("PATH" => ENV["PATH"], "FROM_ENV" => "env value")
answers = Dir.children(ARGV[0]).to_h do |name|
  $commands = {}
  values = Dotenv.parse(File.join(ARGV[0], name), overwrite: true)
  [ name, { values: values, commands: $commands } ]
rescue SyntaxError, ArgumentError => e
  [ name, { error: e.class.name } ]
end
puts JSON.generate(answers)
`

// fragments are what secrets files are made of, odd ones included.
var fragments = []string{
	"A", "B", "C_1", "d.e", "F-G", "=", " = ", ": ", ":", "\n", "\n", "\n", "\n", "\r\n", "\r", " ", "\t", "  # comment", "#", "# x\n",
	"'", "\"", "\\", "\\\"", "\\'", "\\n", "\\r", "\\$", "$A", "${B}", "${C_1", "$d.e}", "$", "$$", "${}", "$FROM_ENV", "$UNSET", "${A:-x}",
	"$(echo x)", "$(cat f)", "$(echo $A)", "\"$(echo \\\"q\\\")\"", "\\$(id)", "\\$(id $A)", "$(", ")", "(", "$()", "$(a (b) c)", "$(a \\) b)", "$(a\\\nb)",
	"$(kamal secrets fetch --adapter 1password --account a --from V/I A B)", "$(kamal secrets extract A $A)", "$(op read op://V/I/F)",
	"value", "postgres://u:$A@h/db", "x y z", "'single $A $(id)'", "\"double $A\\nmore\"", "\"two\nlines\"", "é", "日本", "1", "0", "null",
	"A=1\n", "B=$A\n", "export A\n", "export B=2\n", "DOTENV_LINEBREAK_MODE=legacy\n", "A='a\nb'\n", "=\n", "\v", "\f", "\u00a0", "\ufeff", "`id`",
}

// evaluate gives the values that a file's definitions have if commands give a
// mark, and the commands as they are run.
func evaluate(file *SecretsFile) (values map[string]string, commands map[string][]string) {
	values, commands = map[string]string{}, map[string][]string{}
	variable := func(name string) string {
		if value, ok := values[name]; ok {
			return value
		}
		return map[string]string{"FROM_ENV": "env value"}[name]
	}
	for _, d := range file.Definitions {
		delete(commands, d.Name)
		var value strings.Builder
		for _, p := range d.Parts {
			switch p.Kind {
			case Literal:
				value.WriteString(p.Text)
			case PassThrough:
				value.WriteString(variable(p.Name))
			default:
				r := &secretsReader{known: values, seen: map[string]bool{}}
				for name := range values {
					r.seen[name] = true
				}
				r.env = []string{"FROM_ENV=env value"}
				line, _, _ := r.substitute(p.Text)
				for _, name := range p.Variables {
					line = strings.ReplaceAll(line, string(unknownStart)+name+string(unknownEnd), "")
				}
				commands[d.Name] = append(commands[d.Name], line)
				value.WriteString("\uE0AA")
			}
		}
		values[d.Name] = value.String()
	}
	return values, commands
}

// The parser reads a few hundred files as real dotenv and Kamal do.
func TestParseSecrets_ReadsAsDotenvDoes(t *testing.T) {
	if *realKamal == "" {
		t.Skip("runs with -kamal PATH, in the Kamal image")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 2))
	dir := t.TempDir()
	texts := map[string]string{}
	for n := range longrun.Times(2000, 50_000) {
		var b strings.Builder
		// Mostly lines as people write them, with something odd in them.
		for range 1 + random.IntN(8) {
			if random.IntN(4) > 0 {
				b.WriteString([]string{"A", "B", "C_1", "d.e", "export A"}[random.IntN(5)] + []string{"=", "=", " = ", ": "}[random.IntN(4)])
				b.WriteString([]string{"", "", "\"", "'"}[random.IntN(4)])
			}
			for range 1 + random.IntN(4) {
				b.WriteString(fragments[random.IntN(len(fragments))])
			}
			b.WriteString([]string{"\n", "\n", "\"\n", "'\n", ""}[random.IntN(5)])
		}
		name := fmt.Sprintf("%05d", n)
		texts[name] = b.String()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(texts[name]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("ruby", "-W0", "-e", parseAll, dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers map[string]struct {
		Error    string
		Values   map[string]string
		Commands map[string][]string
	}
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	failed, definitions, run := 0, 0, 0
	for name, text := range texts {
		file := ParseSecrets("s", text, []string{"FROM_ENV=env value"})
		dotenv := answers[name]
		if (dotenv.Error != "") != (len(file.Unset) > 0) {
			t.Errorf("%q: dotenv says %q, here unset are %v", text, dotenv.Error, file.Unset)
			failed++
			continue
		}
		if dotenv.Error != "" {
			continue
		}
		values, commands := evaluate(file)
		definitions, run = definitions+len(dotenv.Values), run+len(dotenv.Commands)
		if diff := cmp.Diff(dotenv.Values, values) + cmp.Diff(dotenv.Commands, commands); diff != "" {
			t.Errorf("%q (-dotenv +here):\n%s", text, diff)
			failed++
		}
		if failed > 10 {
			t.Fatal("and more")
		}
	}
	t.Logf("%d files, %d names, %d of them with commands", len(texts), definitions, run)
}
