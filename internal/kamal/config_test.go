package kamal

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/problem"
)

func uses(c *Config) string {
	var b strings.Builder
	for _, u := range c.Uses {
		fmt.Fprintf(&b, "%s:%d:%d %s %s", u.Place.File, u.Place.Line, u.Place.Column, u.Key, u.Name)
		if u.As != u.Name {
			fmt.Fprintf(&b, " as %s", u.As)
		}
		b.WriteString("\n")
	}
	return b.String()
}

const everyPlace = `service: app
image: me/app
servers:
  web:
    hosts:
      - 192.0.2.1
      - 192.0.2.2: [eu, us]
    env:
      secret: [WEB]
    proxy:
      ssl: {certificate_pem: CERT, private_key_pem: KEY}
  jobs:
    - 192.0.2.3
registry:
  server: registry.example.com
  username:
    - USER_NAME
  password: [PASSWORD, SECOND]
env:
  clear: {A: b}
  secret:
    - ONE
    - ALIAS:TWO
  tags:
    eu:
      secret:
        - EU
builder:
  arch: amd64
  remote: ssh://docker@192.0.2.9
  secrets:
    - BUNDLE
ssh:
  user: deploy
  port: 2222
  proxy: jump.example.com
  forward_agent: true
  keys: [~/.ssh/id]
  key_data:
    - SSH_KEY
    - "-----BEGIN KEY-----"
proxy:
  ssl:
    certificate_pem: ROOT_CERT
    private_key_pem: ROOT_KEY
accessories:
  db:
    host: 192.0.2.4
    env:
      secret:
        - DB
    registry:
      username: literal
      password:
        - DB_REGISTRY
  cache:
    hosts: [192.0.2.1, 192.0.2.5]
output:
  file: {path: log}
  otel: {endpoint: http://otel.example.com}
`

func TestReadConfig_FindsEveryPlace(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "config/deploy.yml", everyPlace)
	c, err := ReadConfig(ProjectOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	want := `config/deploy.yml:9:16 servers.web.env.secret WEB
config/deploy.yml:11:30 servers.web.proxy.ssl.certificate_pem CERT
config/deploy.yml:11:53 servers.web.proxy.ssl.private_key_pem KEY
config/deploy.yml:17:7 registry.username USER_NAME
config/deploy.yml:18:14 registry.password PASSWORD
config/deploy.yml:22:7 env.secret ONE
config/deploy.yml:23:7 env.secret TWO as ALIAS
config/deploy.yml:27:11 env.tags.eu.secret EU
config/deploy.yml:32:7 builder.secrets BUNDLE
config/deploy.yml:40:7 ssh.key_data SSH_KEY
config/deploy.yml:44:22 proxy.ssl.certificate_pem ROOT_CERT
config/deploy.yml:45:22 proxy.ssl.private_key_pem ROOT_KEY
config/deploy.yml:51:11 accessories.db.env.secret DB
config/deploy.yml:55:11 accessories.db.registry.password DB_REGISTRY
`
	if diff := cmp.Diff(want, uses(c)); diff != "" {
		t.Error(diff)
	}
	var hosts []string
	for _, h := range c.Hosts {
		hosts = append(hosts, h.Name)
	}
	if diff := cmp.Diff([]string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"}, hosts); diff != "" {
		t.Error(diff)
	}
	got := []string{c.SSH.User.Text, c.SSH.Port.Text, c.SSH.Proxy.Text, c.Builder.Remote.Text, c.Registry.Server.Text}
	if diff := cmp.Diff([]string{"deploy", "2222", "jump.example.com", "ssh://docker@192.0.2.9", "registry.example.com"}, got); diff != "" {
		t.Error(diff)
	}
	if p := c.Output.CopyProblems(); len(p) != 2 || p[0].Place.Line != 59 || p[1].Place.Line != 60 || !strings.Contains(p[1].Message, "output.otel") {
		t.Errorf("output: %v", p)
	}
}

func TestReadConfig_MergesADestination(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "config/deploy.yml", "service: app\nenv:\n  clear: {A: 1}\n  secret: [ONE, TWO]\nssh: {user: a, port: 22}\n")
	write(t, dir, "config/deploy.production.yml", "env:\n  secret:\n    - THREE\nssh:\n  user: b\n")
	c, err := ReadConfig(ProjectOptions{Dir: dir, Destination: "production"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("config/deploy.production.yml:3:7 env.secret THREE\n", uses(c)); diff != "" {
		t.Error(diff)
	}
	if c.SSH.User.Text != "b" || c.SSH.Port.Text != "22" {
		t.Errorf("ssh is %+v", c.SSH)
	}

	_, err = ReadConfig(ProjectOptions{Dir: dir, Destination: "staging"})
	list := problem.Of(err)
	if len(list) != 1 || !strings.Contains(list[0].Message, "config/deploy.staging.yml") || !strings.Contains(list[0].Hint, "production") {
		t.Errorf("problems: %v, hint %q", list, list[0].Hint)
	}
}

func TestReadConfig_FollowsAnchorsAndMergeKeys(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "config/deploy.yml", `x-base: &base
  env:
    secret: [BASE]
servers:
  web:
    <<: *base
    hosts: [192.0.2.1]
  jobs:
    <<: [*base]
    hosts: [192.0.2.2]
    env: &own
      secret: [OWN]
accessories:
  db:
    host: 192.0.2.3
    env: *own
service: first
service: last
`)
	c, err := ReadConfig(ProjectOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	want := `config/deploy.yml:3:14 servers.web.env.secret BASE
config/deploy.yml:12:16 servers.jobs.env.secret OWN
config/deploy.yml:12:16 accessories.db.env.secret OWN
`
	if diff := cmp.Diff(want, uses(c)); diff != "" {
		t.Error(diff)
	}
	if c.Service.Text != "last" {
		t.Errorf("of a key given twice the first holds: %q", c.Service.Text)
	}
}

func TestReadConfig_ReportsProblems(t *testing.T) {
	dir := t.TempDir()
	_, err := ReadConfig(ProjectOptions{Dir: dir})
	if p := problem.Of(err); len(p) != 1 || p[0].Hint == "" || !strings.Contains(p[0].Message, "config/deploy.yml is not there") {
		t.Errorf("no deploy.yml: %v", p)
	}
	_, err = ReadConfig(ProjectOptions{Dir: dir, ConfigFile: "other.yml", Destination: "x"})
	if p := problem.Of(err); len(p) != 1 || !strings.Contains(p[0].Message, "other.yml is not there") {
		t.Errorf("no other.yml: %v", p)
	}
	for text, line := range map[string]int{"a: [\nb: 1\n": 1, "a: 1\n  b: 2\n": 1, "- a\n": 1, "a: 'x\n": 1} {
		write(t, dir, "config/deploy.yml", text)
		_, err = ReadConfig(ProjectOptions{Dir: dir})
		if p := problem.Of(err); len(p) != 1 || p[0].Place.File != "config/deploy.yml" || p[0].Place.Line < line {
			t.Errorf("%q: %v", text, p)
		}
	}
	write(t, dir, "config/deploy.yml", "service: "+strings.Repeat("[", 2000)+"\n")
	_, err = ReadConfig(ProjectOptions{Dir: dir})
	if p := problem.Of(err); len(p) != 1 || p[0].Message != "config/deploy.yml is nested too deep to be read" {
		t.Errorf("nested deep: %v", p)
	}
	for _, text := range []string{"", "# nothing\n", "---\n"} {
		write(t, dir, "config/deploy.yml", text)
		if _, err = ReadConfig(ProjectOptions{Dir: dir}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestReadConfig_KnowsERB(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "config/deploy.yml", `<% require "json" %>
service: <%= ENV["SERVICE"] %>
<%# a comment with : [ in it %>
image: me/<%= name %>
<%- if production? -%>
env: {secret: [HIDDEN]}
<%- else -%>
env: {secret: [HIDDEN_TOO]}
<% end %>
servers:
  - <%= ENV["HOST"] %>
  - 192.0.2.1 # <%= x %>
  <%= more %>
ssh: {user: "<%= a ? "b" : "c" %>", port: 22}
builder:
  secrets:
    - <%= [
      "A", "B" ].first %>
    - LAST
`)
	c, err := ReadConfig(ProjectOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("config/deploy.yml:19:7 builder.secrets LAST\n", uses(c)); diff != "" {
		t.Error(diff)
	}
	if c.Service.Known || !c.Service.ERB {
		t.Errorf("service %+v", c.Service)
	}
	if c.SSH.User.Known || c.SSH.Port.Text != "22" || c.SSH.Port.Place.Column != 43 {
		t.Errorf("ssh: %+v", c.SSH)
	}
	if len(c.Hosts) != 1 || c.Hosts[0].Name != "192.0.2.1" {
		t.Errorf("hosts: %+v", c.Hosts)
	}
	var lines []int
	for _, at := range c.Unknown {
		lines = append(lines, at.Line)
	}
	if diff := cmp.Diff([]int{2, 4, 5, 11, 12, 13, 14, 17}, lines); diff != "" {
		t.Error(diff)
	}
}

func TestPassERB_KeepsLinesAndColumns(t *testing.T) {
	for _, text := range []string{
		"a: <%= é %> b\n", "<% x\ny %>z\n", "a\n<%= x\ny %>\n<% if a %>\nb\n<% end %>\nc", "<%% a %>", "<% unclosed\n", "<%=\n%>", "x <%# é %>|\r\n<% end %>",
	} {
		out, _ := passERB(text)
		in, got := strings.Split(text, "\n"), strings.Split(out, "\n")
		if len(in) != len(got) {
			t.Errorf("%q: %d lines became %d", text, len(in), len(got))
			continue
		}
		for i := range in {
			if len([]rune(in[i])) != len([]rune(got[i])) {
				t.Errorf("%q: line %d changed its length: %q", text, i+1, got[i])
			}
		}
	}
}

func FuzzReadConfig(f *testing.F) {
	f.Add(everyPlace)
	f.Add("a: &x [*x]\nb: {<<: *x}")
	f.Add("<% if x %>\na: <%= b %>\n<% end %>")
	f.Fuzz(func(t *testing.T, text string) {
		root, unknown, err := parseYAML("f", []byte(text))
		if err != nil {
			if len(problem.Of(err)) != 1 {
				t.Errorf("%d problems", len(problem.Of(err)))
			}
			return
		}
		if root == nil {
			t.Fatal("neither a tree nor an error")
		}
		_ = unknown
		c := &Config{Files: []string{"f"}}
		c.take(merge(root, root))
	})
}

func TestOpenProject_ReadsTheWalkthrough(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "config/deploy.yml", "service: a\nsecrets_path: .secrets/x\nenv: {secret: [A]}\n")
	write(t, dir, ".secrets/x", "A=$(op read op://MyApp/Production/A)\n")
	p, err := OpenProject(ProjectOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if w := p.Secrets.Wanted(); len(w) != 1 || w[0].Item != "Production" || w[0].Place.File != ".secrets/x" {
		t.Errorf("wanted %+v", w)
	}
	if _, err := os.Stat(dir + "/.secrets/x"); err != nil {
		t.Error(err)
	}
}

// An alias in a list on one line is one name, also where the list stands in a
// mapping on one line.
func TestReadConfig_ReadsAnAliasOnOneLine(t *testing.T) {
	for _, text := range []string{"env: {secret: [A, X:N], clear: {B: c}}\n", "env:\n  secret: [A, X:N]\n", "env: {secret: [A, \"X:N\"]}\n"} {
		root, _, err := parseYAML("c.yml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		c := &Config{Files: []string{"c.yml"}}
		c.take(root)
		if len(c.Uses) != 2 || c.Uses[1].Name != "N" || c.Uses[1].As != "X" {
			t.Errorf("%q: %+v", text, c.Uses)
		}
	}
}

func TestProxy_URL(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"proxy: {host: app.example.com, ssl: true}":               "https://app.example.com",
		"proxy: {host: app.example.com}":                          "http://app.example.com",
		"proxy: {hosts: [a.example.com, b.example.com], ssl: {}}": "https://a.example.com",
		"proxy: {host: app.example.com, ssl: false}":              "http://app.example.com",
		"proxy: {host: 'a.example.com,b.example.com', ssl: true}": "https://a.example.com",
		"proxy: {host: x.example.com, hosts: [a.example.com]}":    "http://a.example.com",
		"proxy: {host: '<%= ENV[\"HOST\"] %>', ssl: true}":        "",
		"proxy: false": "",
		"service: app": "",
	} {
		write(t, dir, "config/deploy.yml", text+"\n")
		c, err := ReadConfig(ProjectOptions{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Proxy.URL(); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// What of require_destination Kamal 2.12 takes for yes was asked of it, a value each.
func TestReadConfig_RequireDestination(t *testing.T) {
	for value, want := range map[string][2]bool{
		"true": {true, false}, "True": {true, false}, "yes": {true, false}, "YES": {true, false}, "on": {true, false},
		"false": {}, "no": {}, "off": {}, "~": {}, `<%= ENV["ANY"] %>`: {false, true},
	} {
		p := ProjectOptions{Dir: t.TempDir(), ConfigFile: "deploy.yml"}
		if err := os.WriteFile(p.Dir+"/deploy.yml", []byte("service: app\nrequire_destination: "+value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := ReadConfig(p)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]bool{c.RequireDestination, c.MayRequire}; got != want {
			t.Errorf("%s: required, perhaps: %v, want %v", value, got, want)
		}
	}
}
