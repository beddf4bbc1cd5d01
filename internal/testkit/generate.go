package testkit

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"
)

// A Generated is a project that a seed makes: one that Kamal takes, in the forms
// that people write them in.
type Generated struct {
	Seed         uint64
	Archive      *txtar.Archive
	Form         Form
	ConfigFile   string            // of -c, or ""
	Destinations []string          // to deploy; "" is the plain configuration
	Names        []string          // of its secrets
	Env          map[string]string // that its workflow gives Kamal, beside what is declared
}

// Generate makes the project of a seed.
func Generate(seed uint64) Generated {
	g := &generator{
		Rand: rand.New(rand.NewPCG(seed, 7)),
		out:  Generated{Seed: seed, Archive: &txtar.Archive{}, Env: map[string]string{}},
	}
	g.out.Form = Form{CRLF: g.one(5), Bare: g.one(6)}
	g.out.Names = []string{"APP_KEY", "DB_PASSWORD", "SEARCH_KEY", "MAIL_KEY"}[:2+g.IntN(3)]
	stem := "deploy"
	if g.one(6) {
		stem, g.out.ConfigFile = "other", "config/other.yml"
	}
	g.out.Destinations = []string{""}
	if g.one(2) {
		g.out.Destinations = []string{"", "production", "staging", "zeta"}[g.IntN(2) : 2+g.IntN(3)]
		if len(g.out.Destinations) == 1 && g.out.Destinations[0] == "" {
			g.out.Destinations = []string{"", "production"}
		}
	}
	g.config(stem)
	g.secrets()
	g.workflow()
	return g.out
}

type generator struct {
	*rand.Rand

	out      Generated
	declared []string
}

// one is true once in so many times.
func (g *generator) one(in int) bool { return g.IntN(in) == 0 }

func (g *generator) pick(of ...string) string { return of[g.IntN(len(of))] }

func (g *generator) file(name, text string) {
	g.out.Archive.Files = append(g.out.Archive.Files, txtar.File{Name: name, Data: []byte(text)})
}

// list is a list of names under a key, in one of the forms of YAML.
func (g *generator) list(indent, key string, names []string) string {
	entries := slices.Clone(names)
	for i, name := range entries {
		switch g.IntN(8) {
		case 0:
			entries[i] = "IN_" + name + ":" + name
		case 1:
			entries[i] = `"` + name + `"`
		}
	}
	if g.one(4) && !strings.Contains(strings.Join(entries, ""), ":") {
		return indent + key + ": [" + strings.Join(entries, ", ") + "]\n"
	}
	text := indent + key + ":\n"
	step := g.pick("  ", "")
	for i, entry := range entries {
		if g.one(8) {
			text += indent + step + "# of the app\n"
		}
		line := indent + step + "- " + entry + g.pick("", "", " # used") + "\n"
		if i > 0 && g.one(6) {
			line = "<% if ENV[\"WITHOUT\"].nil? %>\n" + line + "<% end %>\n"
		}
		text += line
	}
	return text
}

// config writes deploy.yml and the destinations' files.
func (g *generator) config(stem string) {
	var b strings.Builder
	plain := slices.Contains(g.out.Destinations, "")
	b.WriteString("service: shop\nimage: acme/shop # where it is\n")
	if !plain && g.one(2) {
		b.WriteString("require_destination: true\n")
	}
	if g.one(3) {
		b.WriteString("<%# secrets: see the README %>\n")
	}
	names := g.out.Names
	roles := g.one(3)
	tags := g.one(5)
	host := "192.0.2.10"
	if g.one(4) {
		host = `<%= ENV.fetch("WEB_HOST", "192.0.2.10") %>`
	}
	if tags {
		host = "192.0.2.10: eu"
	}
	if roles {
		b.WriteString("servers:\n  web:\n    hosts:\n      - " + host + "\n  worker:\n    hosts:\n      - 192.0.2.11\n    cmd: bin/jobs\n    env:\n" + g.list("      ", "secret", names[:1]))
	} else {
		b.WriteString("servers:\n  - " + host + "\n")
	}
	b.WriteString("registry:\n  username: acme\n  password:\n    - REGISTRY_PASSWORD\nbuilder:\n  arch: amd64\n")
	if g.one(4) {
		b.WriteString("  secrets:\n    - BUILD_TOKEN\n") // no other names here
		g.out.Names = append(slices.Clone(g.out.Names), "BUILD_TOKEN")
	}
	if g.one(3) {
		b.WriteString("accessories:\n  db:\n    image: mysql:8\n    host: 192.0.2.12\n    env:\n      clear:\n        MODE: fast\n" + g.list("      ", "secret", []string{"DB_PASSWORD"}))
	}
	switch {
	case g.one(6) && !tags:
		b.WriteString("x-names: &names\n  - " + strings.Join(names, "\n  - ") + "\nenv:\n  secret: *names\n")
	default:
		b.WriteString("env:\n  clear:\n    PORT: 3000\n" + g.list("  ", "secret", names))
		if tags {
			b.WriteString("  tags:\n    eu:\n" + g.list("      ", "secret", []string{"APP_KEY"}))
		}
	}
	g.file("config/"+stem+".yml", b.String())
	for _, d := range g.out.Destinations {
		if d == "" {
			continue
		}
		text := "# " + d + "\n"
		if roles {
			text += "servers:\n  web:\n    hosts:\n      - 192.0.2.2" + fmt.Sprint(g.IntN(9)) + "\n"
		} else {
			text += "servers:\n  - 192.0.2.2" + fmt.Sprint(g.IntN(9)) + "\n"
		}
		if g.one(3) {
			text += "env:\n" + g.list("  ", "secret", names[:1+g.IntN(len(names))])
		}
		g.file("config/"+stem+"."+d+".yml", text)
	}
	g.out.Names = append(slices.Clone(g.out.Names), "REGISTRY_PASSWORD")
}

// secrets writes the secrets files.
func (g *generator) secrets() {
	names := g.out.Names
	common := 0
	if g.one(3) {
		common = 1 + g.IntN(len(names))
		g.file(".kamal/secrets-common", g.lines("Shared", names[:common]))
	}
	for _, d := range g.out.Destinations {
		if common == len(names) && g.one(2) {
			continue
		}
		name, item := ".kamal/secrets", "Production"
		if d != "" {
			name, item = name+"."+d, strings.ToUpper(d[:1])+d[1:]
		}
		g.file(name, g.lines(item, names[common:]))
	}
}

// lines define names, each in the way that the file has or in one of its own.
func (g *generator) lines(item string, names []string) string {
	if len(names) == 0 {
		return "# nothing here\n"
	}
	text := g.pick("", "# Secrets of the app\n\n")
	export := g.pick("", "", "", "export ")
	style := g.IntN(5)
	if style == 4 {
		account := g.pick("acme", "my.1password.com", "${OP_ACCOUNT}", `"acme"`)
		g.out.Env["OP_ACCOUNT"] = "acme"
		text += "SECRETS=$(kamal secrets fetch --adapter 1password --account " + account + " --from Shop/" + item + " " + strings.Join(names, " ") + ")\n"
	}
	for _, name := range names {
		quote := g.pick("", "", `"`)
		var value string
		switch kind := style; {
		case kind == 4:
			value = g.pick("$(kamal secrets extract "+name+" $SECRETS)", "$(kamal secrets extract "+name+" ${SECRETS})")
		case kind == 3:
			value = "$(op read op://Shop/" + item + "/" + name + ")"
		case kind == 2 && g.one(2):
			value = g.pick("$(echo of-"+name+")", "literal-"+name, "$FROM_CI_"+name)
			if strings.HasPrefix(value, "$FROM") {
				g.out.Env["FROM_CI_"+name] = "ci-" + name
			}
		default:
			value = g.pick("$"+name, "${"+name+"}")
			g.declared = append(g.declared, name)
			if g.one(4) {
				value = g.pick("x-$"+name, "${"+name+"}-x", "postgres://u:${"+name+"}@h/d")
			}
		}
		text += export + name + "=" + quote + value + quote + g.pick("", "", " # kept") + "\n"
		if g.one(6) {
			text += "URL_OF_" + name + "=\"https://u:$" + name + "@h\"\n"
		}
	}
	return text
}

// workflow writes the workflow: with the one step and declarations, or as people
// have it, with variables.
func (g *generator) workflow() {
	slices.Sort(g.declared)
	g.declared = slices.Compact(g.declared)
	begin := "name: Deploy\non:\n  workflow_dispatch:\n    inputs:\n      destination:\n        type: string\njobs:\n  deploy:\n    runs-on: ubuntu-latest\n"
	if g.one(3) && len(g.declared) > 0 {
		text := begin + "    steps:\n      - uses: actions/checkout@v4\n      - uses: kamal-op/kamal-op@v1\n        with:\n          service-account-token: ${{ secrets.OP }}\n          secrets: |\n"
		for _, name := range g.declared {
			text += "            " + name + "=op://Shop/Declared/" + name + "\n"
		}
		g.file(".github/workflows/deploy.yml", text)
		return
	}
	env := ""
	for _, name := range g.declared {
		env += "      " + name + ": ${{ secrets." + name + " }}\n"
		g.out.Env[name] = "github-" + name
	}
	if env != "" {
		begin += "    env:\n" + env
	}
	g.file(".github/workflows/deploy.yml", begin+"    steps:\n      - uses: actions/checkout@v4\n      - uses: ruby/setup-ruby@v1\n        with:\n          ruby-version: \"3.4\"\n      - run: gem install kamal\n"+g.step())
}

// step is a step that deploys.
func (g *generator) step() string {
	var words []string
	prefix := g.pick("", "", "bundle exec ", "bin/", "timeout 20m ", "env A=1 ", "TARGET=x ")
	for _, option := range []string{"-d ${{ inputs.destination }}", "--destination=\"eu\"", "--version=$GITHUB_SHA", "--skip-push", "-c config/other.yml", "--hosts '192.0.2.1,192.0.2.2'", "-v", "--version ${RELEASE}", "$MORE"} {
		if g.one(3) {
			words = append(words, option)
		}
	}
	command := prefix + "kamal " + g.pick("deploy", "deploy", "setup", "redeploy") + " " + strings.Join(words, g.pick(" ", " \\\n            "))
	script := g.pick("", "set -e\n          ", "# now\n          ", "cd app && ", "export B=2\n          ") + strings.TrimRight(command, " ")
	return "      # the step\n      - name: Deploy # now\n        run: |\n          " + script + "\n\n        # what it is given\n        env:\n          RELEASE: v1\n          MORE: --skip-hooks -P\n" +
		g.pick("", "        working-directory: app\n", "        timeout-minutes: 20\n") + "\n      # the end\n      - run: echo done\n"
}
