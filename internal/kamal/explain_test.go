package kamal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/problem"
)

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
