package resolved_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/kamal/resolved"
)

var realKamal = flag.String("kamal", "", "path of a real Kamal to test with")

// Kamal itself runs the ERB where it is asked: what the text alone does not tell
// is then known, at the place where the text has it.
func TestLoad_ResolvesAsKamalDoes(t *testing.T) {
	if *realKamal == "" {
		t.Skip("runs with -kamal PATH, in the Kamal image")
	}
	dir := t.TempDir()
	files := map[string]string{
		"config/deploy.yml": `<% require "json" %>
service: a
image: a
servers: [192.0.2.1]
registry: {username: u, password: [P]}
builder: {arch: amd64}
env:
  clear: {ONE: 1}
  secret:
<% %w[ A B ].each do |n| %>
    - <%= n %>_KEY
<% end %>
    - PLAIN
    - <%= "X:" + ENV["KAMAL_DESTINATION"].to_s.upcase %>Y
`,
		"config/deploy.eu.yml": "env:\n  clear: {TWO: <%= 1 + 1 %>}\n",
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := append(os.Environ(), "OP_SERVICE_ACCOUNT_TOKEN=never")
	c, err := resolved.Load(t.Context(), kamal.Binary{Path: *realKamal}, kamal.ProjectOptions{Dir: dir, Destination: "eu"}, env)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, u := range c.Uses {
		fmt.Fprintf(&got, "%s %s %s\n", u.Place, u.Key, u.Name)
	}
	for _, part := range []string{"env.secret A_KEY\n", "env.secret B_KEY\n", "config/deploy.yml:5:36 registry.password P\n", "config/deploy.yml:13:7 env.secret PLAIN\n", "env.secret EUY"} {
		if !strings.Contains(got.String(), part) {
			t.Errorf("no %q in\n%s", part, got.String())
		}
	}
	if len(c.Unknown) > 0 || len(c.Clear) != 2 {
		t.Errorf("unknown %v, clear %v", c.Unknown, c.Clear)
	}

	// What is wrong with the ERB is Kamal's to say.
	if err := os.WriteFile(filepath.Join(dir, "config/deploy.yml"), []byte("service: <%= nope %>\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := resolved.Load(t.Context(), kamal.Binary{Path: *realKamal}, kamal.ProjectOptions{Dir: dir}, env); err == nil || !strings.Contains(err.Error(), "nope") {
		t.Errorf("%v", err)
	}
}
