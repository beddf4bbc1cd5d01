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
	"github.com/kamal-op/kamal-op/mask"
)

// The tests in this file run real Kamal, where there is one: with -kamal PATH, in
// the Kamal image.
var realKamal = flag.String("kamal", "", "path of a real Kamal to test with")

// dump writes, at the end of a Kamal, what it held: its secrets, and the lines of
// its env file for them.
const dump = `
if File.basename($PROGRAM_NAME) == "kamal" && !ENV["KAMAL_OP_SECRET"] && ENV["DUMP"]
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

// A heldSecret is what a Kamal held at its end.
type heldSecret struct{ secrets, env map[string]string }

// kamal runs Kamal in the project. order is "" for dotenv's own order of
// substitutions, "reversed", or "no dump" for a Kamal that is left alone.
func (r *run) kamal(order string, args ...string) (h heldSecret, output string, status int) {
	r.t.Helper()
	dir := r.t.TempDir()
	preloads := map[string]string{"dump.rb": dump}
	if order == "reversed" {
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
	r.env = slices.Concat(env, []string{"VERSION=v1"})
	if order != "no dump" {
		r.env = append(r.env, "DUMP="+file)
	}
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
	h = heldSecret{map[string]string{}, map[string]string{}}
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
	return "service: app\nimage: me/app\nservers: [192.0.2.1]\nregistry: {server: 127.0.0.1:5555, username: me, password: plain}\nbuilder: {arch: amd64}\nenv:\n  secret:\n    - " + strings.Join(names, "\n    - ") + "\n"
}

func TestKamal_FetchesByEveryRoute(t *testing.T) {
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

func TestKamal_StopsAtEachProblem(t *testing.T) {
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
			{"a chain of names", "X=$(op read op://MyApp/Production/AA)\nY=$X\nA=a-$Y\n", "X: its command failed, exit status 1", "A"},
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

// What a command has become of a value, and what a parser says of one, is no part
// of a problem.
func TestKamal_ShowsNoValue(t *testing.T) {
	const value = "corr3ct'horse batt3ry"
	needKamal(t)
	for name, test := range map[string]struct{ secrets, want string }{
		"a value where a command's name should be":   {"B=$(op read op://MyApp/Production/B)\nA=$($B)\n", "A: its command is not found"},
		"a declared value where a name should be":    {"A=$($TOKEN)\n", "A: its command is not found"},
		"a value that a shell cannot take apart":     {"B=$(op read op://MyApp/Production/B)\nA=$(kamal secrets extract A $B)\n", "A: a quote has no other half in the words"},
		"a value in place of a name":                 {fetchAndExtract + "P=$(op read op://MyApp/Production/P)\nA=$(kamal secrets extract $P $SECRETS)\n", "A: Could not find secret ***"},
		"a value behind the name of what is missing": {"B=$(op read op://MyApp/Production/B)\nA=$(nonesuch \"$B\")\n", "A: its command is not found: nonesuch"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, map[string]string{"config/deploy.yml": deployYML("A"), ".kamal/secrets": test.secrets},
				map[string]item{"Production": {"A": "value-a", "B": value, "P": "corr3ct"}}, declare(map[string]string{"TOKEN": value}))
			_, output, _ := r.kamal("", "deploy")
			told := ""
			for _, p := range r.Problems() {
				told += p.Error() + strings.Join(p.Details, "\n") + p.Hint
			}
			for _, e := range r.events {
				told += e.Message + e.Hint
			}
			if !strings.Contains(told, test.want) {
				t.Errorf("told %q, not %q\n%s", told, test.want, output)
			}
			for _, part := range []string{"corr3ct", "horse", "batt3ry"} {
				if strings.Contains(told, part) {
					t.Errorf("a part of the value is told: %s", told)
				}
			}
		})
	}
}

func TestKamal_GetsComposedValues(t *testing.T) {
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

// declare gives the run declared secrets.
func declare(secrets map[string]string) func(*broker.Options) {
	return func(o *broker.Options) {
		for name, value := range secrets {
			o.Declared = append(o.Declared, broker.DeclaredSecret{Secret: mask.NewSecret(name, value)})
		}
	}
}

const hard = "pa$1wor$D ${HOME}x $(touch /tmp/kamal-op-was-here) `id` \\$A \"q\" '#\\ \n"

func TestKamal_GetsDeclaredSecrets(t *testing.T) {
	bothOrders(t, func(t *testing.T, order string) {
		for name, files := range map[string]map[string]string{
			"pass-through":    {".kamal/secrets": "A=$A\nB=\"${B}\"\n"},
			"no secrets file": {},
			"secrets-common":  {".kamal/secrets-common": "A=$A\n", ".kamal/secrets": "B=$B\n"},
			"a destination":   {".kamal/secrets-common": "A=wrong\n", ".kamal/secrets.production": "A=$A\n", "config/deploy.production.yml": "servers: [192.0.2.7]\n"},
			"in ERB":          {"config/deploy.yml": deployYML("A", "B") + "x-b: <%= ENV.fetch('B') %>\n"},
			"in a command":    {".kamal/secrets": "A=$(printenv A)\nB=$(echo $B)\n"},
		} {
			t.Run(name, func(t *testing.T) {
				if files["config/deploy.yml"] == "" {
					files["config/deploy.yml"] = deployYML("A", "B")
				}
				files[".kamal/hooks/pre-connect"] = "#!/bin/sh\necho \"env: $B.\"\n"
				r := start(t, files, nil, declare(map[string]string{"A": hard, "B": "value-b"}))
				args := []string{"secrets", "print"}
				if d := destination(files); d != "" {
					args = append(args, "-d", d)
				}
				h, output, status := r.kamal(order, args...)
				if status != 0 || h.secrets["A"] != hard || h.secrets["B"] != "value-b" {
					t.Errorf("status %d, A %q, B %q\n%s", status, h.secrets["A"], h.secrets["B"], output)
				}
			})
		}
		if _, err := os.Stat("/tmp/kamal-op-was-here"); err == nil {
			t.Error("a value was executed")
		}
	})
}

func TestKamal_HasNoSecretInItsEnvironment(t *testing.T) {
	needKamal(t)
	r := start(t, map[string]string{
		"config/deploy.yml":        deployYML("A"),
		".kamal/secrets":           "A=$A\n",
		".kamal/hooks/pre-build":   "#!/bin/sh\necho \"pre-build has ${A:-nothing} ${OTHER:-nothing}.\"\nexit 1\n",
		".kamal/hooks/pre-connect": "#!/bin/sh\necho \"pre-connect has $A ${OTHER:-nothing}.\"\nexit 1\n",
	}, nil, declare(map[string]string{"A": "value-a", "OTHER": "value-o"}))
	// The hook fails, so that Kamal shows what it printed and goes no further.
	_, output, _ := r.kamal("", "deploy", "-P")
	if !strings.Contains(output, "pre-connect has value-a nothing.") {
		t.Errorf("pre-connect, which Kamal gives every secret of its own:\n%s", output)
	}
	if !r.isMasked("value-a") {
		t.Error("it was not masked before the hook ran")
	}
}

func TestKamal_EvaluatesSecretsOnlyWhereNeeded(t *testing.T) {
	needKamal(t)
	files := map[string]string{"config/deploy.yml": deployYML("A"), ".kamal/secrets": "A=$(touch evaluated; exit 1)\n"}
	for command, evaluated := range map[string]bool{
		"version": false, "config": false, "lock help": false, "docs env": false, "app version": false, "audit": false,
		"deploy": true, "deploy -P": true, "redeploy -P": true, "setup": true, "rollback v2": true, "app boot": true,
		"accessory boot all": true, "build push": true, "registry login": true,
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			r := start(t, files, nil)
			_, output, _ := r.kamal("no dump", strings.Fields(command)...)
			_, err := os.Stat(filepath.Join(r.project, "evaluated"))
			if (err == nil) != evaluated {
				t.Errorf("evaluated: %v\n%s", err == nil, output)
			}
			if evaluated && (!strings.Contains(output, "ConfigurationError") || strings.Contains(output, "192.0.2.1")) {
				t.Errorf("it went on:\n%s", output)
			}
		})
	}
}

func TestKamal_StopsAtUndefinedNames(t *testing.T) {
	needKamal(t)
	r := start(t, map[string]string{"config/deploy.yml": deployYML("A", "MISSING"), ".kamal/secrets": "A=1\n"}, nil)
	_, output, status := r.kamal("", "deploy")
	if p := r.Problems(); status != 1 || len(p) != 1 || p[0].Place.Line != 9 || !strings.Contains(output, "MISSING is named in") {
		t.Errorf("problems %v\n%s", r.Problems(), output)
	}
}

func TestKamal_StopsAtOutputCopies(t *testing.T) {
	needKamal(t)
	files := map[string]string{"config/deploy.yml": deployYML("A") + "output:\n  file:\n    path: log\n  otel:\n    endpoint: http://127.0.0.1:1\n", ".kamal/secrets": "A=1\n"}
	r := start(t, files, nil)
	if _, output, status := r.kamal("", "deploy"); status != 1 || !strings.Contains(output, "output.file copies") || !strings.Contains(output, "output.otel copies") {
		t.Errorf("%d\n%s", status, output)
	}
	r = start(t, files, nil, func(o *broker.Options) { o.AllowOutputCopies = true })
	if _, output, status := r.kamal("", "secrets", "print"); status != 0 {
		t.Errorf("%d\n%s", status, output)
	}
}

func TestKamal_TakesAllowedEmptyValues(t *testing.T) {
	needKamal(t)
	r := start(t, map[string]string{"config/deploy.yml": deployYML("A"), ".kamal/secrets": "A=\n"}, nil,
		func(o *broker.Options) { o.AllowEmpty = []string{"A"} })
	if h, output, status := r.kamal("", "secrets", "print"); status != 0 || h.secrets["A"] != "" {
		t.Errorf("%d\n%s", status, output)
	}
}

func TestKamal_UsesOtherAdapters(t *testing.T) {
	bothOrders(t, func(t *testing.T, order string) {
		// Kamal's own test adapter reverses names; the one here stands for a CLI.
		r := start(t, map[string]string{
			"config/deploy.yml": deployYML("A"),
			".kamal/secrets":    "S=$(kamal secrets fetch --adapter doppler --from app/prod A REST)\nA=$(kamal secrets extract A $S)\n",
			"bin/doppler":       "#!/bin/sh\ncase \"$1 $2\" in\n'secrets get') cat fixture.json;;\nesac\n",
			"fixture.json":      `{"A":{"computed":"x$A $(id)\n"},"REST":{"computed":"value-rest"}}`,
		}, nil)
		for i, entry := range r.env {
			if strings.HasPrefix(entry, "PATH=") {
				r.env[i] += ":" + filepath.Join(r.project, "bin")
			}
		}
		if err := os.Chmod(filepath.Join(r.project, "bin/doppler"), 0o755); err != nil {
			t.Fatal(err)
		}
		h, output, status := r.kamal(order, "secrets", "print")
		if status != 0 || h.secrets["A"] != "x$A $(id)\n" {
			t.Errorf("status %d, A %q\n%s", status, h.secrets["A"], output)
		}
		if !r.isMasked("value-rest") {
			t.Error("a field that was fetched and not extracted is not masked")
		}
	})
}

func TestKamal_ForwardsTheAgentWhereAllowed(t *testing.T) {
	needKamal(t)
	const ask = `
at_exit do
  KAMAL.config
  host = SSHKit::Host.new("192.0.2.1")
  host.ssh_options = SSHKit::Backend::Netssh.config.ssh_options
  puts "forwards: #{host.netssh_options[:forward_agent].inspect}"
end if File.basename($PROGRAM_NAME) == "kamal"
`
	for _, test := range []struct {
		name, ssh string
		flag      bool
		want      string
	}{
		{"by default", "", false, "false"},
		{"with the flag", "", true, "true"},
		{"with deploy.yml", "ssh:\n  forward_agent: true\n", false, "true"},
		{"against deploy.yml", "ssh:\n  forward_agent: false\n", true, "true"},
		{"not wanted twice", "ssh:\n  forward_agent: false\n", false, "false"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := start(t, map[string]string{"config/deploy.yml": deployYML("A") + test.ssh, ".kamal/secrets": "A=1\n", "ask.rb": ask}, nil,
				func(o *broker.Options) { o.ForwardAgent = test.flag })
			for i, entry := range r.env {
				if strings.HasPrefix(entry, "RUBYOPT=") {
					r.env[i] += " -r" + filepath.Join(r.project, "ask.rb")
				}
			}
			if _, output, _ := r.kamal("", "secrets", "print"); !strings.Contains(output, "forwards: "+test.want) {
				t.Error(output)
			}
		})
	}
}

func TestPreload_DoesNothingOutsideKamal(t *testing.T) {
	needKamal(t)
	r := start(t, map[string]string{"config/deploy.yml": deployYML("A")}, nil)
	stdout, stderr, status := r.command("", "ruby", "-e", "p defined?(KamalOp), $stdout.sync, $LOADED_FEATURES.grep(/monitor.rb|socket/).size")
	if !strings.HasPrefix(stdout, "nil\nfalse\n") || stderr != "" || status != 0 {
		t.Errorf("%q, %q, %d", stdout, stderr, status)
	}
}

// With the methods it is written for gone, the preload steps aside: Kamal works as
// it does by itself, $NAME comes from the environment, and the check still holds.
func TestPreload_StepsAside(t *testing.T) {
	needKamal(t)
	const change = `
TracePoint.new(:end) do |trace|
  if trace.path.end_with?("/dotenv/parser.rb") && trace.self.name == "Dotenv::Parser"
    trace.disable
    trace.self.class_eval { def parse_value(value, _other = nil) = super_value(value); private def super_value(v) = (v = v.strip; self.class.substitutions.each { |s| v = s.call(v, @hash) }; v) }
  end
end.enable
`
	with := func(secrets string, declared map[string]string) *run {
		r := start(t, map[string]string{"config/deploy.yml": deployYML("A"), ".kamal/secrets": secrets, "change.rb": change},
			map[string]item{"Production": {"A": "x$HOME"}}, declare(declared))
		for i, entry := range r.env {
			if strings.HasPrefix(entry, "RUBYOPT=") {
				r.env[i] += " -r" + filepath.Join(r.project, "change.rb")
			}
		}
		return r
	}
	r := with("A=$A\n", map[string]string{"A": "value-a"})
	h, output, status := r.kamal("", "secrets", "print")
	if status != 0 || h.secrets["A"] != "value-a" {
		t.Errorf("status %d, A %q\n%s", status, h.secrets["A"], output)
	}
	if !r.told(broker.Warning, "the fidelity of values is left to Kamal") {
		t.Errorf("it does not say so: %v", r.events)
	}
	r = with("A=$(op read op://MyApp/Production/A)\n", nil)
	if !r.told(broker.Attach, "") {
		_, _, _ = r.kamal("no dump", "config")
	}
	if r.told(broker.Attach, "dotenv 3.1") {
		return // reads no command's output again
	}
	if _, output, status = r.kamal("", "deploy"); status != 1 || !strings.Contains(output, "what Kamal holds is not what op://MyApp/Production/A has") {
		t.Errorf("status %d\n%s", status, output)
	}
}

// A secret may be longer than a variable of a child can be.
func TestKamal_GetsALongSecret(t *testing.T) {
	bothOrders(t, func(t *testing.T, order string) {
		long := strings.Repeat("x$A'\"", 60_000)
		r := start(t, map[string]string{"config/deploy.yml": deployYML("B"), ".kamal/secrets": "A=$A\nB=$(printenv C)\n"}, nil,
			declare(map[string]string{"A": long, "C": "value-c"}))
		h, output, status := r.kamal(order, "secrets", "print")
		if status != 0 || h.secrets["A"] != long || h.secrets["B"] != "value-c" {
			t.Errorf("status %d, %d bytes, B %q\n%.2000s", status, len(h.secrets["A"]), h.secrets["B"], output)
		}
	})
}

// Whatever way a reference came there: the app would get its text.
func TestKamal_StopsAtAnUnresolvedReference(t *testing.T) {
	needKamal(t)
	t.Parallel()
	secrets := "A=op://MyApp/Production/A\nB=$FROM_ENV\nC=`op read op://MyApp/Production/A`\nD=\"postgres://u:op://MyApp/Production/A@db/x\"\nE=$A\n" +
		"F=shop://a/b/c\nG=op://MyApp/Production/G\n"
	deploy := deployYML("A", "B", "C", "D", "E", "F", "G") +
		"  clear:\n    H: op://MyApp/Production/A\n    I: plain\n"
	r := start(t, map[string]string{"config/deploy.yml": deploy, ".kamal/secrets": secrets}, production,
		func(o *broker.Options) { o.AllowReferences = []string{"G"} })
	r.env = append(r.env, "FROM_ENV=op://MyApp/Production/A")
	_, output, status := r.kamal("", "deploy", "--skip-push")
	var told []string
	for _, p := range r.Problems() {
		told = append(told, p.Message)
	}
	text := strings.Join(told, "\n")
	for _, want := range []string{"A holds a secret reference", "B holds a secret reference (op://…), not the value that it stands for: so does $FROM_ENV", "C holds", "D holds", "E holds", "env.clear.H of deploy.yml holds"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not told", want)
		}
	}
	if len(told) != 6 || status == 0 || problem.Status(r.Problems()) != problem.Found {
		t.Errorf("status %d, %d problems:\n%s\n%s", status, len(told), text, output)
	}
}

// What docker, a shell or the system would refuse on the servers, or change, is told
// before the first connection.
func TestKamal_StopsAtWhatAContainerCannotTake(t *testing.T) {
	needKamal(t)
	t.Parallel()
	long := strings.Repeat("x", 65535-len("L="))
	items := map[string]item{"Production": {
		"A": "{\n  \"type\": \"service_account\"\n}", "L": long, "LONG": long, "BUILD": strings.Repeat("x", 131072), "FINE": "x",
	}}
	secrets := ""
	for _, name := range []string{"A", "L", "LONG", "BUILD", "FINE"} {
		secrets += name + "=$(op read op://MyApp/Production/" + name + ")\n"
	}
	deploy := strings.NewReplacer("password: plain", "password: [A]", "arch: amd64", "arch: amd64, secrets: [BUILD]").
		Replace(deployYML("L", "LONG", "FINE", "ALIAS_OF_L:L"))
	r := start(t, map[string]string{"config/deploy.yml": deploy, ".kamal/secrets": secrets, ".kamal/hooks/pre-connect": "#!/bin/sh\n"}, items)
	_, output, status := r.kamal("", "deploy", "--skip-push")
	var told []string
	for _, p := range r.Problems() {
		told = append(told, p.Message)
	}
	text := strings.Join(told, "\n")
	for _, want := range []string{"A, the registry's password, has line breaks", "L is too long: 65544 bytes", "LONG is too long: 65538 bytes", "BUILD is too long: 131078 bytes"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not told", want)
		}
	}
	if len(told) != 4 || status == 0 {
		t.Errorf("status %d, %d problems:\n%.2000s\n%.2000s", status, len(told), text, output)
	}
}

// The registry's password is in no argument of a process of this machine, and
// kamal-op is asked before where docker will keep it.
func TestKamal_LogsInByStandardInput(t *testing.T) {
	needKamal(t)
	t.Parallel()
	docker := "#!/bin/sh\necho \"$*\" >> docker.log\nif [ \"$1\" = login ]; then cat > docker.stdin; echo Login Succeeded; fi\n"
	const password = "pa$$w\"o\\r`d` é"
	for name, registry := range map[string]string{
		"127.0.0.1:5555": "registry: {server: 127.0.0.1:5555, username: me, password: [A]}",
		"":               "registry: {username: me, password: [A]}",
	} {
		var asked []string
		deploy := strings.Replace(deployYML("A"), "registry: {server: 127.0.0.1:5555, username: me, password: plain}", registry, 1)
		r := start(t, map[string]string{"config/deploy.yml": deploy, ".kamal/secrets": "A=$(op read op://MyApp/Production/A)\n", "programs/docker": docker},
			map[string]item{"Production": {"A": password}},
			func(o *broker.Options) {
				o.Login = func(server string) error { asked = append(asked, server); return nil }
			})
		for i, entry := range r.env {
			if path, ok := strings.CutPrefix(entry, "PATH="); ok {
				r.env[i] = "PATH=" + filepath.Join(r.project, "programs") + ":" + path
			}
		}
		_, output, status := r.kamal("no dump", "registry", "login", "--skip-remote")
		calls, err := os.ReadFile(filepath.Join(r.project, "docker.log"))
		if err != nil || status != 0 {
			t.Fatalf("%v, status %d:\n%s", err, status, output)
		}
		stdin, err := os.ReadFile(filepath.Join(r.project, "docker.stdin"))
		if err != nil || string(stdin) != password {
			t.Errorf("docker gets %q, %v", stdin, err)
		}
		want := strings.Join(strings.Fields("login "+name+" -u me --password-stdin"), " ") + "\n"
		if !strings.HasSuffix(string(calls), want) || strings.Contains(string(calls), "pa$$") {
			t.Errorf("docker is called as\n%s", calls)
		}
		if !slices.Equal(asked, []string{name}) {
			t.Errorf("kamal-op is asked about %q", asked)
		}
	}
}

// Where docker would keep the password in a store of the user's, nothing logs in.
func TestKamal_DoesNotLogInWhereTheLoginWouldStay(t *testing.T) {
	needKamal(t)
	t.Parallel()
	deploy := strings.Replace(deployYML("A"), "password: plain", "password: [A]", 1)
	r := start(t, map[string]string{
		"config/deploy.yml": deploy, ".kamal/secrets": "A=$(op read op://MyApp/Production/A)\n",
		"programs/docker": "#!/bin/sh\necho \"$*\" >> docker.log\n",
	}, map[string]item{"Production": {"A": "value-a"}}, func(o *broker.Options) {
		o.Login = func(string) error { return problem.Newf("docker's configuration cannot be read") }
	})
	for i, entry := range r.env {
		if path, ok := strings.CutPrefix(entry, "PATH="); ok {
			r.env[i] = "PATH=" + filepath.Join(r.project, "programs") + ":" + path
		}
	}
	_, output, status := r.kamal("no dump", "registry", "login", "--skip-remote")
	calls, err := os.ReadFile(filepath.Join(r.project, "docker.log"))
	if strings.Contains(string(calls), "login") || status == 0 {
		t.Errorf("status %d, docker is called as %s, %v\n%s", status, calls, err, output)
	}
}

// Kamal prints nothing of its own where it boots an accessory: the log has its name
// all the same, before anything is done for it.
func TestKamal_NamesTheBootedAccessory(t *testing.T) {
	needKamal(t)
	t.Parallel()
	config := strings.Replace(deployYML("A"), "192.0.2.1", "127.0.0.1", 1) +
		"ssh: {port: 1}\naccessories:\n  db: {image: postgres:17, host: 127.0.0.1}\n"
	r := start(t, map[string]string{"config/deploy.yml": config, ".kamal/secrets": "A=$(op read op://MyApp/Production/A)\n"},
		map[string]item{"Production": {"A": "value-a"}})
	r.env = append(r.env, "KAMAL_LOCK=true") // the lock is held
	_, output, _ := r.kamal("no dump", "accessory", "boot", "all")
	line, refused := strings.Index(output, "Boot accessory db...\n"), strings.Index(output, "ECONNREFUSED")
	if line < 0 || refused < line || strings.Contains(output, "Boot accessory all") {
		t.Errorf("%s\n%v", output, r.events)
	}
}
