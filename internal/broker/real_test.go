package broker_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// The tests in this file run real Kamal, where there is one: with -kamal PATH, in
// the Kamal image.
var realKamal = flag.String("kamal", "", "path of a real Kamal to test with")

// dump writes, at the end of a Kamal, what it held: its secrets, and the lines of
// its env file for them.
const dump = `
if File.basename($PROGRAM_NAME) == "kamal" && !ENV["KAMAL_OP_SECRET"]
  at_exit do
    secrets = KAMAL.config.secrets.to_h
    File.write(ENV.fetch("DUMP"), JSON.generate({
      secrets: secrets.transform_values { |v| [v].pack("m0") },
      env: secrets.transform_values { |v| [Kamal::EnvFile.new({ "X" => v }).to_s].pack("m0") } }))
  rescue Kamal::ConfigurationError
  end
end
`

// reversed gives dotenv the order of substitutions that it had before 3.2.
const reversed = `
TracePoint.new(:end) do |trace|
  if trace.path.end_with?("/dotenv/parser.rb") && trace.self.name == "Dotenv::Parser"
    trace.disable
    trace.self.substitutions.reverse!
  end
end.enable
`

// needKamal skips without -kamal.
func needKamal(t *testing.T) {
	t.Helper()
	if *realKamal == "" {
		t.Skip("runs with -kamal PATH, in the Kamal image")
	}
}

// A held is what a Kamal held at its end.
type held struct{ secrets, env map[string]string }

// kamal runs Kamal in the project. order is "" for dotenv's own order of
// substitutions, or "reversed".
func (r *run) kamal(order string, args ...string) (h held, output string, status int) {
	r.t.Helper()
	dir := r.t.TempDir()
	preloads := map[string]string{"dump.rb": dump}
	if order != "" {
		preloads["reversed.rb"] = reversed
	}
	env := slices.Clone(r.env)
	for name, text := range preloads {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			r.t.Fatal(err)
		}
		for i, entry := range env {
			if strings.HasPrefix(entry, "RUBYOPT=") {
				env[i] += " -r" + path
			}
		}
	}
	file := filepath.Join(dir, "dump.json")
	before := r.env
	r.env = append(env, "DUMP="+file, "VERSION=v1")
	stdout, stderr, status := r.command("", *realKamal, args...)
	r.env = before
	text, err := os.ReadFile(file)
	if err != nil {
		return h, stdout + stderr, status
	}
	var dumped struct{ Secrets, Env map[string][]byte }
	if err := json.Unmarshal(text, &dumped); err != nil {
		r.t.Fatal(err)
	}
	h = held{map[string]string{}, map[string]string{}}
	for name, value := range dumped.Secrets {
		h.secrets[name] = string(value)
		h.env[name] = string(dumped.Env[name])
	}
	return h, stdout + stderr, status
}

func bothOrders(t *testing.T, test func(t *testing.T, order string)) {
	t.Helper()
	needKamal(t)
	for _, order := range []string{"", "reversed"} {
		t.Run("order "+order, func(t *testing.T) { test(t, order) })
	}
}

const fetchAndExtract = `SECRETS=$(kamal secrets fetch --adapter 1password --account acme --from MyApp/Production A B)
A=$(kamal secrets extract A ${SECRETS})
B=$(kamal secrets extract B $SECRETS)
`

func deployYML(names ...string) string {
	return "service: app\nimage: me/app\nservers: [192.0.2.1]\nregistry: {server: 127.0.0.1:5555, username: me, password: [A]}\nbuilder: {arch: amd64}\nenv:\n  secret:\n    - " + strings.Join(names, "\n    - ") + "\n"
}

func TestKamal_routes(t *testing.T) {
	bothOrders(t, func(t *testing.T, order string) {
		hard := "pa$1wor$D ${HOME}x $(touch /tmp/kamal-op-was-here) `id` \\$A \"q\" '#\\ \n"
		values := map[string]item{"Production": {"A": hard, "B": "plain"}}
		for name, text := range map[string]string{
			"fetch and extract":       fetchAndExtract,
			"all fields":              "S=$(kamal secrets fetch --adapter 1password --account acme --from MyApp/Production)\nA=$(kamal secrets extract A $S)\nB=$(kamal secrets extract MyApp/Production/B $S)\n",
			"op read":                 "A=$(op read op://MyApp/Production/A)\nB=\"$(op read -n op://MyApp/Production/B)\"\n",
			"another process's fetch": "S=$(" + "bin/kamal secrets fetch --adapter 1password --account acme --from MyApp/Production A B)\nA=$(bin/kamal secrets extract A '$S')\nB=$(bin/kamal secrets extract B \"$S\")\n",
		} {
			t.Run(name, func(t *testing.T) {
				r := start(t, map[string]string{
					"config/deploy.yml": deployYML("A", "B"), ".kamal/secrets": text,
					"bin/kamal": "#!/bin/sh\nexec " + *realKamal + " \"$@\"\n",
				}, values)
				h, output, status := r.kamal(order, "secrets", "print")
				if status != 0 || h.secrets["A"] != hard || h.secrets["B"] != "plain" {
					t.Errorf("status %d, A %q, B %q\n%s\n%v", status, h.secrets["A"], h.secrets["B"], output, r.events)
				}
				if !r.isMasked(hard) {
					t.Error("a value was not masked")
				}
				if !r.told(broker.Checked, "") {
					t.Error("nothing was checked")
				}
			})
		}
		if _, err := os.Stat("/tmp/kamal-op-was-here"); err == nil {
			t.Error("a value was executed")
		}
	})
}

func TestKamal_whatStopsIt(t *testing.T) {
	bothOrders(t, func(t *testing.T, order string) {
		for _, test := range []struct{ name, secrets, want, hint string }{
			{"a wrong field in a fetch", strings.Replace(fetchAndExtract, "Production A B", "Production AA B", 1), "SECRETS: the secrets could not be fetched", "A"},
			{"a failing op read", "A=$(op read op://MyApp/Production/AA)\n", "A: its command failed, exit status 1", "A"},
			{"a misspelt command", "B=1\nA=$(opp read op://MyApp/Production/A)\n", "A: its command is not found: opp", "install it"},
			{"a misspelt command, with a pipe", "A=$(opp read op://MyApp/Production/A | cat; exit 127)\n", "A: its command is not found: opp", ""},
			{"an empty field", "A=$(op read op://MyApp/Production/E)\n", "A is empty", "fill the field"},
			{"an empty pass-through", "A=$NOT_SET\n", "A: $NOT_SET is not set", "--secret NOT_SET="},
			{"a composed line without a part", "A=x:$NOT_SET@y\n", "A: $NOT_SET is not set", ""},
			{"a variable of another file", "A=$(kamal secrets extract A $SECRETS)\n", "A: its command is not used as it should be: $SECRETS is not set", "each secrets file"},
			{"a literal that is empty", "A=\n", "A is empty", ""},
		} {
			t.Run(test.name, func(t *testing.T) {
				r := start(t, map[string]string{"config/deploy.yml": deployYML("A"), ".kamal/secrets": test.secrets},
					map[string]item{"Production": {"A": "value-a", "B": "value-b", "E": ""}})
				_, output, status := r.kamal(order, "deploy")
				if status != 1 || !strings.Contains(output, "ERROR (Kamal::ConfigurationError)") || !strings.Contains(output, test.want) {
					t.Errorf("status %d\n%s\n%v", status, output, r.events)
				}
				if strings.Contains(output, "docker") || strings.Contains(output, "192.0.2.1") {
					t.Errorf("something was begun:\n%s", output)
				}
				p := r.Problems()
				if len(p) != 1 || p[0].Place.File != ".kamal/secrets" || p[0].Place.Line == 0 || !strings.Contains(p[0].Hint, test.hint) {
					t.Errorf("problems %v, hint %q", p, problem.Of(p.Err())[0].Hint)
				}
			})
		}
	})
}

func TestKamal_secretsOfOtherNames(t *testing.T) {
	bothOrders(t, func(t *testing.T, order string) {
		r := start(t, map[string]string{
			"config/deploy.yml": deployYML("A"),
			".kamal/secrets":    "A=$(cat key)\nUNUSED=$(false)\nGONE=$(nonesuch)\nPW='p$1'\nURL=postgres://app:$PW@db/$(echo x)\nOUTER=$(echo \"$PW\" '$PW' $PW)\nRAN=$(echo \"$(echo $PW)\")\n",
			"key":               "key-value\n\n",
		}, nil)
		h, output, status := r.kamal(order, "secrets", "print")
		if status != 0 {
			t.Fatalf("status %d\n%s", status, output)
		}
		want := map[string]string{"A": "key-value\n", "UNUSED": "", "GONE": "", "PW": "p$1", "URL": "postgres://app:p$1@db/x", "OUTER": "p p$1 p", "RAN": "p"}
		for name, value := range want {
			if h.secrets[name] != value {
				t.Errorf("%s is %q, not %q", name, h.secrets[name], value)
			}
		}
		for _, text := range []string{"UNUSED: its command failed", "GONE: its command is not found"} {
			if !r.told(broker.Warning, text) {
				t.Errorf("no warning %q in %v", text, r.events)
			}
		}
	})
}
