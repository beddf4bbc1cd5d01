package kamal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// Each base lacks something that its destination has: what Kamal 2.12 says of the base
// alone was asked of it, and the destination deploys.
func TestExplainConfig_NamesTheDestinationThatCompletes(t *testing.T) {
	const whole = "service: shop\nimage: acme/shop\nservers: {web: [192.0.2.1]}\nregistry: {username: acme, password: [TOKEN]}\nbuilder: {arch: amd64}\n" +
		"proxy: {host: a.example.com, ssl: true}\naccessories: {db: {image: postgres, host: 192.0.2.2}}\n"
	for _, test := range []struct{ without, said, key string }{
		{"registry: {username: acme, password: [TOKEN]}\n", "registry/username: is required", "registry"},
		{"username: acme, ", "registry/username: is required", "registry.username"},
		{", password: [TOKEN]", "registry/password: is required", "registry.password"},
		{"builder: {arch: amd64}\n", "builder: Builder arch not set", "builder.arch"},
		{"web: [192.0.2.1]", "The primary_role web isn't defined", "servers.web"},
		{", host: 192.0.2.2", "accessories/db: specify one of `host`, `hosts`, `role`, `roles`, `tag` or `tags`", "accessories.db.host"},
		{"host: a.example.com, ", "proxy: Must set a host to enable automatic SSL", "proxy.host"},
		{"service: shop\n", "Missing required configuration for service", "service"},
		{"image: acme/shop\n", "Missing required configuration for image", "image"},
	} {
		dir := t.TempDir()
		base := strings.Replace(whole, test.without, "", 1)
		write(t, dir, "config/deploy.yml", base)
		write(t, dir, "config/deploy.live.yml", whole)
		f, _ := ExplainConfig(ProjectOptions{Dir: dir}, test.said)
		if only, ok := f.Only(); !f.Destination || !ok || only != "live" {
			t.Errorf("%s: %+v", test.said, f)
		}
		c, err := ReadConfig(ProjectOptions{Dir: dir})
		if err != nil || len(c.Missing) == 0 || c.Missing[0] != test.key {
			t.Errorf("without %q %v is missing: %v", test.without, c.Missing, err)
		}
		write(t, dir, "config/deploy.live.yml", "{}\n")
		if f, _ := ExplainConfig(ProjectOptions{Dir: dir}, test.said); f.Destination != wantsOne().MatchString(test.said) {
			t.Errorf("%s: a destination that has nothing is named: %+v", test.said, f)
		}
	}
}

// What Kamal 2.12 says of each of these lines with an empty environment was asked of it.
func TestExplainConfig_NamesTheVariable(t *testing.T) {
	const head = "service: shop\nimage: acme/shop\n"
	for _, test := range []struct{ line, said, variable string }{
		{"servers: [<%= ENV[\"WEB_HOST\"] %>]", "No servers specified for the web primary_role", "WEB_HOST"},
		{"servers:\n  web:\n    hosts:\n      - 192.0.2.1\n      - <%= ENV[\"WEB_HOST\"] %>", "servers/web/hosts/1: should be a string or a hash", "WEB_HOST"},
		{"servers: <%= ENV[\"WEB_HOSTS\"].split(\",\") %>", "undefined method `split' for nil", "WEB_HOSTS"},
		{"servers: <%= ENV[\"A\"].to_s + ENV[\"WEB_HOSTS\"].split(\",\") %>", "undefined method 'split' for nil", "WEB_HOSTS"},
		{"registry: {username: <%= ENV[\"REG_USER\"] %>, password: [TOKEN]}", "registry/username: is required", "REG_USER"},
		{"ssh:\n  user: <%= ENV['SSH_USER'] %>", "ssh/user: should be a string", "SSH_USER"},
		{"proxy:\n  app_port: 80\n  host: <%= ENV[\"APP_HOST\"] %>", "proxy/host: should be a string", "APP_HOST"},
		{"ssh:\n  port: <%= Integer(ENV[\"SSH_PORT\"]) %>", "can't convert nil into Integer", "SSH_PORT"},
		{"proxy:\n  host: <%= \"www.\" + ENV[\"DOMAIN\"] %>", "no implicit conversion of nil into String", "DOMAIN"},
		{"servers: [<%= e = ENV; e.fetch(\"WEB_HOST\") %>]", "key not found: \"WEB_HOST\"", "WEB_HOST"},
		{"servers: [<%= ENV.fetch(\"A_HOST\") { ENV.fetch(\"B_HOST\") } %>]", "key not found: \"B_HOST\"", "B_HOST"},
		{"servers: [<%= ENV[\"WEB_HOST\"] || ENV.fetch(\"OTHER_HOST\") %>]", "key not found: \"OTHER_HOST\"", "OTHER_HOST"},
		{"accessories:\n  db:\n    image: postgres\n    host: <%= ENV[\"DB_HOST\"] %>", "accessories/db/host: should be a string", "DB_HOST"},
		{"servers:\n  web:\n    hosts: [192.0.2.1]\n    env:\n      clear:\n        REGION: <%= ENV[\"REGION\"] %>", "servers/web/env/clear/REGION: should be a string", "REGION"},
		{"env:\n  tags:\n    eu:\n      REGION: <%= ENV[\"REGION\"] %>", "env/tags/eu/REGION: should be a string", "REGION"},
		{"env:\n  REGION: <%= ENV[\"REGION\"] %>", "ERROR (Kamal::ConfigurationError): env/REGION: should be a string", "REGION"},
		{"ssh:\n  user: <%= ENV[\"THERE\"] %>", "ssh/user: should be a string", ""},
		{"ssh:\n  user: [root]", "ssh/user: should be a string", ""},
		{"service: <%= config.split(\",\") %>", "undefined method `split' for nil", ""},
	} {
		dir := t.TempDir()
		write(t, dir, "config/deploy.yml", head+test.line+"\n")
		f, _ := ExplainConfig(ProjectOptions{Dir: dir, Env: []string{"THERE=1"}}, test.said)
		if f.Variable != test.variable || f.Variable != "" && f.Place.Line < 3 {
			t.Errorf("%s: %q at %s, want %q\n%s", test.said, f.Variable, f.Place, test.variable, test.line)
		}
	}
}

// Kamal's words about a configuration are led back to the files: the variable that
// ERB reads and its place, the destinations that there are.
func TestExplainConfig(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "config"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"deploy.yml":            "service: shop\nservers:\n  - <%= ENV.fetch(\"WEB_HOST\") %>\nenv:\n  clear:\n    X_URL: <%= ENV['SHOP_X'] %>\n    Y: [1]\n    URL: <%= ENV[\"SHOP_URL\"] %>\n",
		"deploy.staging.yml":    "servers: [<%= ENV.fetch 'STAGING_HOST' %>]\n",
		"deploy.production.yml": "{}\n",
		"other.yml":             "{}\n",
		"other.eu.yml":          "{}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, "config", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := func(file string, line, column int) problem.Place {
		return problem.Place{File: filepath.Join("config", file), Line: line, Column: column}
	}
	both := []string{"production", "staging"}
	for _, test := range []struct {
		said, destination, config string
		want                      ConfigFailure
		only                      string
	}{
		{said: `key not found: "WEB_HOST"`, want: ConfigFailure{Variable: "WEB_HOST", Place: at("deploy.yml", 3, 20)}},
		{said: `key not found: "WEB_HOST" (KeyError)`, destination: "staging", want: ConfigFailure{Variable: "WEB_HOST", Place: at("deploy.yml", 3, 20)}},
		{said: `key not found: "STAGING_HOST"`, destination: "staging", want: ConfigFailure{Variable: "STAGING_HOST", Place: at("deploy.staging.yml", 1, 26)}},
		{said: `key not found: "of_another_hash"`},
		{said: "env/clear/X_URL: should be a string", want: ConfigFailure{Variable: "SHOP_X", Place: at("deploy.yml", 6, 21)}},
		{said: "env/clear/URL: should be a string", want: ConfigFailure{Variable: "SHOP_URL", Place: at("deploy.yml", 8, 19)}},
		{said: "env/clear/Y: should be a string"},
		{said: "You must specify a destination", want: ConfigFailure{Destination: true, Destinations: both}, only: "production"},
		{said: "No servers specified for the web primary_role", want: ConfigFailure{Destination: true, Destinations: both}, only: "production"},
		{said: "No servers or accessories specified", config: filepath.Join("config", "other.yml"), want: ConfigFailure{Destination: true, Destinations: []string{"eu"}}, only: "eu"},
		{said: "Missing required configuration for service", destination: "staging"},
		{said: "unknown key: nonsense"},
	} {
		f, ok := ExplainConfig(ProjectOptions{Dir: dir, ConfigFile: test.config, Destination: test.destination}, test.said)
		if !ok {
			f = ConfigFailure{}
		}
		if diff := cmp.Diff(test.want, f); diff != "" {
			t.Errorf("%s: %s", test.said, diff)
		}
		if only, ok := f.Only(); test.only != "" && (!ok || only != test.only) || test.only == "" && ok {
			t.Errorf("%s: %q is meant", test.said, only)
		}
	}
}
