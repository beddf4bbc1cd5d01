package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/internal/testkit/longrun"
)

// reversed gives dotenv the order of substitutions that it had before 3.2, in
// whichever version the image has.
const reversed = `TracePoint.new(:end) do |trace|
  if trace.path.end_with?("/dotenv/parser.rb") && trace.self.name == "Dotenv::Parser"
    trace.disable
    trace.self.substitutions.reverse!
  end
end.enable
`

// inOrder is the environment of a run whose dotenv substitutes in an order: its
// own, or "reversed".
func (c *scene) inOrder(order string) map[string]string {
	env := c.connect()
	if order == "reversed" {
		c.project.write("reversed.rb", reversed)
		env["RUBYOPT"] = "-r" + c.project.Dir + "/reversed.rb"
	}
	return env
}

// fetches are the lines of a secrets file that fetch and extract.
func fetches(names ...string) string {
	lines := []string{"SECRETS=$(kamal secrets fetch --adapter 1password --account example --from MyApp/Production " + strings.Join(names, " ") + ")\n"}
	for _, name := range names {
		lines = append(lines, fmt.Sprintf("%s=$(kamal secrets extract %s ${SECRETS})\n", name, name))
	}
	return strings.Join(lines, "")
}

// reads are the lines that read each by itself.
func reads(names ...string) string {
	var lines strings.Builder
	for _, name := range names {
		fmt.Fprintf(&lines, "%s=$(op read op://MyApp/Production/%s)\n", name, name)
	}
	return lines.String()
}

// An unmodified project whose secrets file calls 1Password's CLI deploys as it is:
// there is no op on the machine, nothing is declared but the key.
func TestDeployOfProjectsThatCallOp(t *testing.T) {
	t.Parallel()
	for r, route := range []struct {
		name  string
		lines func(names ...string) string
	}{{"fetch and extract", fetches}, {"op read", reads}} {
		for i, order := range []string{"", "reversed"} {
			for j, destination := range []string{"", "staging"} {
				// Each with each other once; the long run has all three together.
				if (r+i+j)%2 != 0 && !longrun.Asked() {
					continue
				}
				t.Run(strings.TrimSpace(route.name+" "+order+" "+destination), func(t *testing.T) {
					c := newScene(t, 1)
					p := c.project
					args := []string{"kamal-op", "deploy", "--ssh-key", "op://MyApp/Server"}
					all := append([]string{"KAMAL_REGISTRY_PASSWORD"}, p.Secrets...)
					if destination == "" {
						p.write(".kamal/secrets", route.lines(all...))
					} else {
						p.write("config/deploy.staging.yml", "env:\n  clear:\n    APP_ENV: staging\n")
						p.write(".kamal/secrets-common", route.lines(all[:2]...))
						p.write(".kamal/secrets.staging", route.lines(all[2:]...))
						p.write(".kamal/secrets", "RAILS_MASTER_KEY=not-of-this-destination\n")
						args = append(args, "--destination", destination)
					}
					env := c.inOrder(order)
					p.commit()
					m := c.rig.machine(t, p)
					m.remember()
					if found := m.run(nil, "sh", "-c", "command -v op || true"); found.Stdout != "" {
						t.Fatalf("there is an op on the machine: %s", found.Stdout)
					}
					c.vault.Forget()
					c.succeeded(m.run(env, args...))
					c.deployed()
					c.unlocked()
					c.clean(m)
					items := map[string]int{}
					for _, request := range c.vault.Requests() {
						if strings.Contains(request.Path, "/items/") {
							items[request.Path]++
						}
					}
					for path, times := range items {
						if times != 1 {
							t.Errorf("%s was asked for %d times", path, times)
						}
					}
				})
			}
		}
	}
}

// A project needs no secrets file: what deploy.yml names and the item has is
// supplied.
func TestDeployWithoutSecretsFile(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"", "reversed"} {
		t.Run(order, func(t *testing.T) {
			c := newScene(t, 1)
			if err := os.Remove(filepath.Join(c.project.Dir, ".kamal/secrets")); err != nil {
				t.Fatal(err)
			}
			env := c.inOrder(order)
			c.project.commit()
			m := c.rig.machine(t, c.project)
			m.remember()
			c.succeeded(m.run(env, "kamal-op", "deploy", "--ssh-key", "op://MyApp/Server", "--secret", "op://MyApp/Production"))
			c.deployed()
			c.clean(m)
		})
	}
}

// What would ship a wrong or an empty secret stops the run before the first login,
// and says where.
func TestSecretsThatStopADeploy(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	p := c.project
	if err := c.vault.SetField("MyApp", "Production", "CHATKIT_PK", ""); err != nil {
		t.Fatal(err)
	}
	good := reads("KAMAL_REGISTRY_PASSWORD", "RAILS_MASTER_KEY", "DATABASE_PASSWORD")
	m := c.rig.machine(t, p)
	m.remember()
	for _, test := range []struct {
		name, line string
		says       []string
	}{
		{"a wrong field in a fetch", "S=$(kamal secrets fetch --adapter 1password --account a --from MyApp/Production MAILGUN_INGRESS_SIGNING_KEI)\nMAILGUN_INGRESS_SIGNING_KEY=$(kamal secrets extract MAILGUN_INGRESS_SIGNING_KEI $S)\n", []string{"MAILGUN_INGRESS_SIGNING_KEI"}},
		{"a failing op read", "MAILGUN_INGRESS_SIGNING_KEY=$(op read op://MyApp/Production/MAILGUN)\n", []string{"MAILGUN"}},
		{"a misspelt command", "MAILGUN_INGRESS_SIGNING_KEY=$(opp read op://MyApp/Production/MAILGUN_INGRESS_SIGNING_KEY)\n", []string{"opp"}},
		{"an empty field", "MAILGUN_INGRESS_SIGNING_KEY=$(op read op://MyApp/Production/CHATKIT_PK)\n", []string{"is empty"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p.write(".kamal/secrets", good+"CHATKIT_PK=1234\n"+test.line)
			p.commit()
			res := m.run(c.connect(), "kamal-op", "deploy", "--ssh-key", "op://MyApp/Server")
			c.ended(res, 3)
			for _, text := range append(test.says, ".kamal/secrets:5:", "hint:") {
				if !strings.Contains(res.Log, text) {
					t.Errorf("the log does not say %q\n%s", text, res.Log)
				}
			}
			c.loggedIn(0)
			c.clean(m)
		})
	}
}

// Lines that have nothing to do with 1Password work as they do with Kamal alone,
// and what they give is masked all the same.
func TestOtherLinesOfASecretsFile(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	p := c.project
	fromFile, literal := randomText(12), "literal-"+randomText(6)
	p.write("config/master.key", fromFile+"\n")
	p.write(".kamal/secrets", reads("KAMAL_REGISTRY_PASSWORD", "CHATKIT_PK")+
		"RAILS_MASTER_KEY=$(cat config/master.key)\n"+
		"PW=$(op read op://MyApp/Production/MAILGUN_INGRESS_SIGNING_KEY)\n"+
		"DATABASE_PASSWORD=postgres://app:$PW@db/app\n"+
		"MAILGUN_INGRESS_SIGNING_KEY="+literal+"\n"+
		"NOBODY_USES_IT=$(false)\n")
	p.write(".kamal/hooks/pre-deploy", "#!/bin/sh\n"+`echo "from a file: $RAILS_MASTER_KEY, composed: $DATABASE_PASSWORD, literal: $MAILGUN_INGRESS_SIGNING_KEY"`+"\n")
	p.commit()
	c.values["DATABASE_PASSWORD"] = "postgres://app:" + c.values["MAILGUN_INGRESS_SIGNING_KEY"] + "@db/app"
	c.values["RAILS_MASTER_KEY"], c.values["MAILGUN_INGRESS_SIGNING_KEY"] = fromFile, literal
	m := c.rig.machine(t, p)
	m.remember()
	res := m.run(c.connect(), "kamal-op", "deploy", "--ssh-key", "op://MyApp/Server", "--", "--verbose")
	c.succeeded(res)
	c.deployed()
	if !strings.Contains(res.Log, "from a file: ***") || !strings.Contains(res.Log, "literal: ***") {
		t.Errorf("the hook's line is not masked\n%s", res.Log)
	}
	if !strings.Contains(res.Log, "NOBODY_USES_IT") {
		t.Error("a failing command that nothing uses is no warning")
	}
	c.clean(m)
}

// The agent stays on this machine: a server that could sign with our key could log
// in wherever it is let in.
func TestAgentIsNotForwarded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		flags []string
		lists bool
	}{{"by default", nil, false}, {"with the flag", []string{"--forward-agent"}, true}} {
		t.Run(test.name, func(t *testing.T) {
			c := newScene(t, 1)
			// A nested Kamal, as hooks have it, is under the same rule.
			c.project.write(".kamal/hooks/pre-deploy", "#!/bin/sh\nkamal server exec --primary 'ssh-add -l || echo ssh-add ended with $?'\n")
			c.project.commit()
			m := c.rig.machine(t, c.project)
			m.remember()
			res := m.run(c.connect(), append(c.command("deploy", test.flags...), "--", "--verbose")...)
			c.succeeded(res)
			if lists := regexp.MustCompile(`256 SHA256:\S+ .*\(ED25519\)`).MatchString(res.Log); lists != test.lists {
				t.Errorf("the server's ssh-add lists the key: %v\n%s", lists, res.Log)
			}
			if !test.lists && !strings.Contains(res.Log, "ssh-add ended with 2") {
				t.Errorf("ssh-add was not run on the server\n%s", res.Log)
			}
		})
	}
}

// pieces are what random values are made of: all that dotenv, a shell, Ruby, JSON
// or docker reads as something else.
var pieces = []string{
	"$", "$$", "$A", "${X}", "${HOME}", "\\$A", "$(touch /tmp/was-here)", "$(id)", "\\$(id)", "`id`", "(", ")", "'", "\"", "\\\"", "#", " # ",
	"\\", "\\\\", "\\n", " ", "\n", "\r\n", "\t", "\r", "\x1b[31m", "\x01", "\x7f", "é", "日本", "🔑", "\u00a0", "\ufeff", "\uf8e60\uf8e7", "\u2028",
	"=", "A=B", "export X=1", ";", "&&", "|", ">", "*", "?", "~", "!", "%", "{{ op://V/I/f }}", "<%= 1 %>", `{"a":"b\"c","d":[1,null]}`, "abc", "-", "--", "-n",
}

func randomValue(r *rand.Rand) string {
	var b strings.Builder
	length := 1 + r.IntN(12)
	switch r.IntN(20) {
	case 0: // as PEM is; not a key
		for range 1 + r.IntN(20) {
			b.WriteString(strings.Repeat(string(rune('A'+r.IntN(26))), 64) + "\n")
		}
		return "-----BEGIN SAMPLE-----\n" + b.String() + "-----END SAMPLE-----\n"
	case 1: // to 16 KiB
		length = 6000
	}
	for range length {
		if b.Len() < 16<<10 {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
	}
	return b.String() + strings.Repeat("\n", max(0, r.IntN(6)-3))
}

// Hundreds of random values, by every route, are in the container's environment as
// the vault has them, but for the escapes of Kamal's env file; the long run has a
// thousand.
func TestRandomValuesArrive(t *testing.T) {
	t.Parallel()
	start(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	const batch = 250
	batches := longrun.Times(2, 4)
	wrong := 0
	for n := range batches {
		order := []string{"", "reversed"}[n%2]
		t.Run(strings.TrimSpace(fmt.Sprintf("batch %d %s", n, order)), func(t *testing.T) {
			c := newScene(t, 1)
			values := map[string]string{}
			var names, fetched, lines []string
			random1, declared := standin.ItemSpec{Title: "Random"}, standin.ItemSpec{Title: "Declared"}
			for i := range batch {
				name, value := fmt.Sprintf("V%d", i), randomValue(random)
				values[name], names = value, append(names, name)
				field := standin.FieldSpec{Label: name, Value: value}
				switch i % 3 {
				case 0:
					fetched, random1.Fields = append(fetched, name), append(random1.Fields, field)
					lines = append(lines, fmt.Sprintf("%s=$(kamal secrets extract %s ${SECRETS})", name, name))
				case 1:
					random1.Fields = append(random1.Fields, field)
					lines = append(lines, fmt.Sprintf("%s=$(op read op://MyApp/Random/%s)", name, name))
				default:
					declared.Fields = append(declared.Fields, field)
					lines = append(lines, fmt.Sprintf("%s=$%s", name, name))
				}
			}
			for _, item := range []standin.ItemSpec{random1, declared} {
				if err := c.vault.PutItem("MyApp", item); err != nil {
					t.Fatal(err)
				}
			}
			p := c.rig.newProject(t, names, c.servers...)
			c.project = p
			p.write(".kamal/secrets", reads("KAMAL_REGISTRY_PASSWORD")+
				"SECRETS=$(kamal secrets fetch --adapter 1password --account a --from MyApp/Random "+strings.Join(fetched, " ")+")\n"+strings.Join(lines, "\n")+"\n")
			env := c.inOrder(order)
			p.commit()
			m := c.rig.machine(t, p)
			m.remember()
			// Values like abc stand in every log: what is masked is not the matter here.
			res := m.run(env, "kamal-op", "deploy", "--ssh-key", "op://MyApp/Server", "--secret", "op://MyApp/Declared")
			if res.Status != 0 {
				t.Fatalf("status %d\n%.4000s", res.Status, res.Log)
			}
			digests := c.servers[0].digests(t, p.Domain)
			for name, value := range values {
				if digests[name] != digest(kamal.EnvFileValue(value)) {
					wrong++
					t.Errorf("the container has another value for %.200q", value)
				}
			}
			if found := m.run(nil, "sh", "-c", "ls /tmp/was-here 2>/dev/null || true"); found.Stdout != "" {
				t.Error("a value was executed")
			}
			c.clean(m)
		})
	}
	t.Logf("%d of %d values differ", wrong, batches*batch)
}
