package rehearsal

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/environ"
)

// answering is a program that answers as Kamal does: it wants a
// destination, then a variable that ERB asks for, then another.
const answering = `#!/bin/sh
say() { printf '\n%s%s\n' "$KAMAL_OP_RESOLVED" "$1"; exit 0; }
[ -n "$KAMAL_OP_RESOLVED_DESTINATION" ] || say '{"raw": {"service": "shop", "require_destination": true}}'
[ -n "$WEB_HOST" ] || say '{"error": "key not found: \"WEB_HOST\"", "class": "KeyError"}'
[ -z "$NEVER" ] || say '{"error": "key not found: \"WEB_HOST\"", "class": "KeyError"}'
say "{\"raw\": {\"service\": \"shop-$KAMAL_OP_RESOLVED_DESTINATION\", \"servers\": [\"$WEB_HOST\"]}}"
`

func standInSession(t *testing.T, env []string, destinations ...string) (*session, *bytes.Buffer) {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"project/config/deploy.yml": "service: shop\nservers: [<%= ENV.fetch(\"WEB_HOST\") %>]\n",
		"kamal":                     answering,
		"made/config/.keep":         "",
	}
	for _, d := range destinations {
		files["project/config/deploy."+d+".yml"] = "{}\n"
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var said bytes.Buffer
	kamal := filepath.Join(dir, "kamal")
	return &session{
		opts: Options{Project: filepath.Join(dir, "project"), Kamal: kamal}, kamal: kamal,
		env: environ.List(env).With("PATH", "/usr/bin:/bin"), tell: newPrinter(&said), made: artifacts{dir: filepath.Join(dir, "made")},
	}, &said
}

// A destination that can only be meant is taken and said, and a variable of ERB's
// that is not set is made up.
func TestRawConfig_StandsInForWhatIsLacking(t *testing.T) {
	s, said := standInSession(t, nil, "staging", "production")
	raw, err := s.rawConfig(t.Context())
	if err != nil || raw["service"] != "shop-production" || s.opts.Destination != "production" {
		t.Fatalf("%v, %v", raw, err)
	}
	for _, want := range []string{
		"no destination is named: production is rehearsed (of production, staging)",
		`WEB_HOST is not set, which config/deploy.yml:2:26 reads: "rehearsal.invalid" stands in for it (--env WEB_HOST=VALUE gives another)`,
	} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("it is not said: %s\n%s", want, said)
		}
	}

	s, said = standInSession(t, []string{"WEB_HOST=given.example.com"}, "eu")
	raw, err = s.rawConfig(t.Context())
	if err != nil || raw["service"] != "shop-eu" || strings.Contains(said.String(), "stands in") {
		t.Errorf("%v, %v\n%s", raw, err, said)
	}
}

// Where several could be meant they are listed, and what was made up in vain is
// not tried for ever.
func TestRawConfig_SaysWhatIsLacking(t *testing.T) {
	s, _ := standInSession(t, nil, "eu", "us")
	if _, err := s.rawConfig(t.Context()); err == nil || !strings.Contains(err.Error(), "needs a destination") {
		t.Errorf("%v", err)
	}
	if p := s.refused("You must specify a destination"); !strings.Contains(p.Hint, "eu, us") {
		t.Errorf("the hint is %q", p.Hint)
	}
	s, _ = standInSession(t, []string{"NEVER=1"}, "eu")
	if _, err := s.rawConfig(t.Context()); err == nil || !strings.Contains(err.Error(), "reads WEB_HOST") {
		t.Errorf("%v", err)
	}
}
