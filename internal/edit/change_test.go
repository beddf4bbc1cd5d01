package edit

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

// Either all files are written or none: whichever cannot be, whenever that shows.
func TestPlan_Write_allOrNone(t *testing.T) {
	if os.Getuid() == 0 {
		t.Log("root writes everywhere: a directory stands where a file is to be")
	}
	dir := testkit.Walkthrough(t)
	plan, err := Add(context.Background(), check.Options{Dir: dir}, Addition{Name: "NEW"})
	if err != nil {
		t.Fatal(err)
	}
	before := testkit.ReadProject(t, dir)

	// Somebody changes a file between the plan and its writing.
	secrets := filepath.Join(dir, ".kamal", "secrets")
	text, err := os.ReadFile(secrets)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(secrets, append(text, "# mine\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := plan.Write(dir); err == nil || !strings.Contains(err.Error(), "has changed since it was read") {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(secrets, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, testkit.ReadProject(t, dir)); diff != "" {
		t.Error(diff)
	}

	// The second file cannot take its name: the first gets its old text back.
	blocked := plan
	blocked.Changes = append([]Change{}, plan.Changes...)
	blocked.Changes = append(blocked.Changes, Change{File: "new", New: "x", Created: true})
	blocked.Changes = append(blocked.Changes, Change{File: "gone", Old: "", New: "", Deleted: true, Created: true})
	err = blocked.Write(dir)
	if err == nil || problem.Status(err) != problem.Found {
		t.Errorf("%v", err)
	}
	if diff := cmp.Diff(before, testkit.ReadProject(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// A file's mode stays, and a symbolic link.
func TestPlan_Write_modesAndLinks(t *testing.T) {
	dir := testkit.Walkthrough(t)
	secrets, real := filepath.Join(dir, ".kamal", "secrets"), filepath.Join(dir, "elsewhere")
	if err := os.Rename(secrets, real); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, secrets); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(real, 0o751); err != nil {
		t.Fatal(err)
	}
	plan, err := Add(context.Background(), check.Options{Dir: dir}, Addition{Name: "NEW"})
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Write(dir); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(secrets); err != nil || to != real {
		t.Errorf("%q, %v", to, err)
	}
	info, err := os.Stat(real)
	if err != nil || info.Mode().Perm() != 0o751 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if text, _ := os.ReadFile(real); !strings.Contains(string(text), "NEW=$(kamal secrets extract NEW ${SECRETS})") {
		t.Errorf("%s", text)
	}
}

// A link to nothing is no place for a new file, and one that has appeared since
// stays.
func TestPlan_Write_doesNotReplace(t *testing.T) {
	config := "service: a\nimage: a\nservers: [a]\nenv: {secret: [A]}\n"
	o := check.Options{Dir: project(t, map[string]string{"config/deploy.yml": config})}
	plan, err := Add(context.Background(), o, Addition{Name: "N", Item: "op://V/I"})
	if err != nil {
		t.Fatal(err)
	}
	secrets := filepath.Join(o.Dir, ".kamal", "secrets")
	if err := os.MkdirAll(filepath.Dir(secrets), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../missing", secrets); err != nil {
		t.Fatal(err)
	}
	before := testkit.ReadProject(t, filepath.Join(o.Dir, "config"))
	const want = "is a symbolic link to a file that is not there"
	if err := plan.Write(o.Dir); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v", err)
	}
	if _, err := Add(context.Background(), o, Addition{Name: "N", Item: "op://V/I"}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v", err)
	}
	if to, err := os.Readlink(secrets); err != nil || to != "../missing" {
		t.Errorf("%q, %v", to, err)
	}
	if diff := cmp.Diff(before, testkit.ReadProject(t, filepath.Join(o.Dir, "config"))); diff != "" {
		t.Error(diff)
	}

	dir := t.TempDir()
	for name, text := range map[string]string{"there": "mine", "temp": "new"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	if err := (ready{change: Change{Created: true}, root: root, rel: "there", temp: "temp"}).take(); err == nil {
		t.Error("a file that was there is replaced")
	}
	if text, err := os.ReadFile(filepath.Join(dir, "there")); err != nil || string(text) != "mine" {
		t.Errorf("%q, %v", text, err)
	}
}

// What each command plans, in the forms that the golden projects do not have.
func TestChange(t *testing.T) {
	const config = "service: a\nimage: a\nservers: [a]\nenv: {secret: [A]}\n"
	add := func(a Addition) func(check.Options) (Plan, error) {
		return func(o check.Options) (Plan, error) { return Add(context.Background(), o, a) }
	}
	remove := func(name string) func(check.Options) (Plan, error) {
		return func(o check.Options) (Plan, error) { return Remove(o, name) }
	}
	rename := func(from, to string) func(check.Options) (Plan, error) {
		return func(o check.Options) (Plan, error) { return Rename(o, from, to) }
	}
	workflow := "jobs:\n  deploy:\n    steps:\n      - uses: kamal-op/kamal-op@v1\n        with:\n          secrets: |\n            A=op://V/I/A\n"
	tests := map[string]struct {
		files       map[string]string
		destination string
		do          func(check.Options) (Plan, error)
		want        map[string]string // what becomes of each file that changes; "" is deleted
		todo, note  string            // parts of them
		err, hint   string
	}{
		"no secrets file": {
			files: map[string]string{"config/deploy.yml": config},
			do:    add(Addition{Name: "N", Item: "op://V/I"}),
			want: map[string]string{
				"config/deploy.yml": strings.Replace(config, "[A]", "[A, N]", 1),
				".kamal/secrets":    "SECRETS=$(kamal secrets fetch --adapter 1password --account my --from V/I N)\nN=$(kamal secrets extract N $SECRETS)\n",
			},
			todo: "add field N to op://V/I",
		},
		"no secrets file and no item": {
			files: map[string]string{"config/deploy.yml": config},
			do:    add(Addition{Name: "N"}),
			err:   "names no item of 1Password",
		},
		"op read": {
			files: map[string]string{"config/deploy.yml": config, ".kamal/secrets": "A=$(op read \"op://V/I/A\")\n"},
			do:    add(Addition{Name: "N"}),
			want: map[string]string{
				"config/deploy.yml": strings.Replace(config, "[A]", "[A, N]", 1),
				".kamal/secrets":    "A=$(op read \"op://V/I/A\")\nN=$(op read \"op://V/I/N\")\n",
			},
			todo: "add field N to op://V/I",
		},
		"passed on, declared in the workflow": {
			files: map[string]string{"config/deploy.yml": config, ".kamal/secrets": "A=$A\n", ".github/workflows/d.yml": workflow + "          ssh-key: op://V/S\n"},
			do:    add(Addition{Name: "N", Aliases: []string{"X"}}),
			want: map[string]string{
				"config/deploy.yml": strings.Replace(config, "[A]", "[A, \"X:N\"]", 1), ".kamal/secrets": "A=$A\nN=$N\n",
				".github/workflows/d.yml": workflow + "            N=op://V/I/N\n          ssh-key: op://V/S\n",
			},
			todo: "add field N to op://V/I",
		},
		"passed on, declared somewhere else": {
			files: map[string]string{"config/deploy.yml": config, ".kamal/secrets": "A=$A\n"},
			do:    add(Addition{Name: "N", Item: "op://V/I"}),
			want:  map[string]string{"config/deploy.yml": strings.Replace(config, "[A]", "[A, N]", 1), ".kamal/secrets": "A=$A\nN=$N\n"},
			todo:  "declare N=op://V/I/N to kamal-op",
		},
		"fetched from several items": {
			files: map[string]string{"config/deploy.yml": config, ".kamal/secrets": "S=$(kamal secrets fetch --adapter 1password --account a --from V I/A J/B)\nA=$(kamal secrets extract A $S)\n"},
			do:    add(Addition{Name: "N"}),
			err:   "is from more than one item",
		},
		"fetched from several items, one is named": {
			files: map[string]string{"config/deploy.yml": config, ".kamal/secrets": "S=$(kamal secrets fetch --adapter 1password --account a --from V I/A J/B)\nA=$(kamal secrets extract A $S)\n"},
			do:    add(Addition{Name: "N", Item: "op://V/J"}),
			want: map[string]string{
				"config/deploy.yml": strings.Replace(config, "[A]", "[A, N]", 1),
				".kamal/secrets":    "S=$(kamal secrets fetch --adapter 1password --account a --from V I/A J/B J/N)\nA=$(kamal secrets extract A $S)\nN=$(kamal secrets extract N $S)\n",
			},
			todo: "add field N to op://V/J",
		},
		"the account as the file has it": {
			files: map[string]string{"config/deploy.yml": config, ".kamal/secrets": "S=$(kamal secrets fetch --adapter 1password --account ${OP_ACCOUNT} --from ${OP_VAULT}/shop A)\nA=$(kamal secrets extract A ${S})\n"},
			do:    add(Addition{Name: "N", Item: "op://prod/shop"}),
			want: map[string]string{
				"config/deploy.yml": strings.Replace(config, "[A]", "[A, N]", 1),
				".kamal/secrets":    "S=$(kamal secrets fetch --adapter 1password --account ${OP_ACCOUNT} --from ${OP_VAULT}/shop A)\nA=$(kamal secrets extract A ${S})\nSECRETS=$(kamal secrets fetch --adapter 1password --account ${OP_ACCOUNT} --from prod/shop N)\nN=$(kamal secrets extract N $SECRETS)\n",
			},
		},
		"the choices in the hint, by their variables": {
			files: map[string]string{"config/deploy.yml": config, ".kamal/secrets": "S=$(kamal secrets fetch --adapter 1password --account a --from ${V}/one A)\nT=$(kamal secrets fetch --adapter 1password --account a --from ${V}/two B)\nA=$(kamal secrets extract A $S)\nB=$(kamal secrets extract B $T)\n"},
			do:    add(Addition{Name: "N"}),
			err:   "fetches from more than one item", hint: "--item 'op://${V}/one' or --item 'op://${V}/two'",
		},
		"a choice by its variable": {
			files: map[string]string{"config/deploy.yml": config, ".kamal/secrets": "S=$(kamal secrets fetch --adapter 1password --account a --from ${V}/one A)\nT=$(kamal secrets fetch --adapter 1password --account a --from ${V}/two B)\nA=$(kamal secrets extract A $S)\nB=$(kamal secrets extract B $T)\n"},
			do:    add(Addition{Name: "N", Item: "op://${V}/two"}),
			want: map[string]string{
				"config/deploy.yml": strings.Replace(config, "[A]", "[A, N]", 1),
				".kamal/secrets":    "S=$(kamal secrets fetch --adapter 1password --account a --from ${V}/one A)\nT=$(kamal secrets fetch --adapter 1password --account a --from ${V}/two B N)\nA=$(kamal secrets extract A $S)\nB=$(kamal secrets extract B $T)\nN=$(kamal secrets extract N $T)\n",
			},
		},
		"another adapter's account and --from are not 1Password's": {
			files: map[string]string{"config/deploy.yml": config, ".kamal/secrets": "S=$(kamal secrets fetch --adapter bitwarden --account me@example.com --from V/I A)\nA=$(kamal secrets extract A $S)\n"},
			do:    add(Addition{Name: "N", Item: "op://V/I"}),
			want: map[string]string{
				"config/deploy.yml": strings.Replace(config, "[A]", "[A, N]", 1),
				".kamal/secrets":    "S=$(kamal secrets fetch --adapter bitwarden --account me@example.com --from V/I A)\nA=$(kamal secrets extract A $S)\nSECRETS=$(kamal secrets fetch --adapter 1password --account my --from V/I N)\nN=$(kamal secrets extract N $SECRETS)\n",
			},
			todo: "put your account's address in place of --account my",
		},
		"of two adapters 1Password's": {
			files: map[string]string{"config/deploy.yml": config, ".kamal/secrets": "S=$(kamal secrets fetch --adapter doppler --from p/c A)\nT=$(kamal secrets fetch --adapter 1password --account a --from V/I B)\nA=$(kamal secrets extract A $S)\nB=$(kamal secrets extract B $T)\n"},
			do:    add(Addition{Name: "N"}),
			want: map[string]string{
				"config/deploy.yml": strings.Replace(config, "[A]", "[A, N]", 1),
				".kamal/secrets":    "S=$(kamal secrets fetch --adapter doppler --from p/c A)\nT=$(kamal secrets fetch --adapter 1password --account a --from V/I B N)\nA=$(kamal secrets extract A $S)\nB=$(kamal secrets extract B $T)\nN=$(kamal secrets extract N $T)\n",
			},
		},
		"each destination once, the first by its own file": {
			files: map[string]string{
				"config/deploy.yml": "service: a\nimage: a\nenv: {secret: [A]}\n", "config/deploy.aa.yml": "servers: [b]\n", "config/deploy.zz.yml": "servers: [c]\n",
				".kamal/secrets-common": "A=$(op read op://V/All/A)\n", ".kamal/secrets.aa": "P=$(op read op://V/AA/P)\n",
			},
			do:   add(Addition{Name: "N"}),
			want: map[string]string{"config/deploy.yml": "service: a\nimage: a\nenv: {secret: [A, N]}\n", ".kamal/secrets-common": "A=$(op read op://V/All/A)\nN=$(op read op://V/All/N)\n"},
		},
		"each destination once, the last by its own file": {
			files: map[string]string{
				"config/deploy.yml": "service: a\nimage: a\nenv: {secret: [A]}\n", "config/deploy.aa.yml": "servers: [b]\n", "config/deploy.zz.yml": "servers: [c]\n",
				".kamal/secrets-common": "A=$(op read op://V/All/A)\n", ".kamal/secrets.zz": "P=$(op read op://V/ZZ/P)\n",
			},
			do:   add(Addition{Name: "N"}),
			want: map[string]string{"config/deploy.yml": "service: a\nimage: a\nenv: {secret: [A, N]}\n", ".kamal/secrets-common": "A=$(op read op://V/All/A)\nN=$(op read op://V/All/N)\n"},
		},
		"the extract is there, the fetch lacks it": {
			files: map[string]string{"config/deploy.yml": config, ".kamal/secrets": "S=$(kamal secrets fetch --adapter 1password --account a --from V/I B)\nA=$(kamal secrets extract A $S)\n"},
			do:    add(Addition{Name: "A"}),
			want:  map[string]string{".kamal/secrets": "S=$(kamal secrets fetch --adapter 1password --account a --from V/I B A)\nA=$(kamal secrets extract A $S)\n"},
			todo:  "add field A to op://V/I",
		},
		"it is a registry's password": {
			files: map[string]string{"config/deploy.yml": config + "registry: {password: [P]}\n", ".kamal/secrets": "A=$(op read op://V/I/A)\n"},
			do:    add(Addition{Name: "P"}),
			want:  map[string]string{".kamal/secrets": "A=$(op read op://V/I/A)\nP=$(op read op://V/I/P)\n"},
		},
		"it stands in the clear": {
			files: map[string]string{"config/deploy.yml": "service: a\nservers: [a]\nenv: {clear: {N: x}, secret: [A]}\n", ".kamal/secrets": "A=$A\n"},
			do:    add(Addition{Name: "N"}),
			err:   "stands under env.clear",
		},
		"two destinations": {
			files: map[string]string{
				"config/deploy.yml": config, "config/deploy.eu.yml": "servers: [b]\nenv: {secret: [A]}\n", "config/deploy.us.yml": "servers: [c]\n",
				".kamal/secrets-common": "P=$P\n", ".kamal/secrets.eu": "A=$(op read op://V/EU/A)\n", ".kamal/secrets.us": "A=$(op read op://V/US/A)\n", ".kamal/secrets": "A=$(op read op://V/I/A)\n",
			},
			do: add(Addition{Name: "N"}),
			want: map[string]string{
				"config/deploy.yml": strings.Replace(config, "[A]", "[A, N]", 1), "config/deploy.eu.yml": "servers: [b]\nenv: {secret: [A, N]}\n",
				".kamal/secrets": "A=$(op read op://V/I/A)\nN=$(op read op://V/I/N)\n", ".kamal/secrets.eu": "A=$(op read op://V/EU/A)\nN=$(op read op://V/EU/N)\n", ".kamal/secrets.us": "A=$(op read op://V/US/A)\nN=$(op read op://V/US/N)\n",
			},
		},
		"one destination, with a list": {
			files:       map[string]string{"config/deploy.yml": config, "config/deploy.eu.yml": "env: {secret: [A]}\n", ".kamal/secrets.eu": "A=$(op read op://V/EU/A)\n", ".kamal/secrets": "A=$A\n"},
			destination: "eu",
			do:          add(Addition{Name: "N"}),
			want:        map[string]string{"config/deploy.eu.yml": "env: {secret: [A, N]}\n", ".kamal/secrets.eu": "A=$(op read op://V/EU/A)\nN=$(op read op://V/EU/N)\n"},
		},
		"one destination, whose list would replace another": {
			files:       map[string]string{"config/deploy.yml": config, "config/deploy.eu.yml": "servers: [b]\n", ".kamal/secrets.eu": "A=$A\n"},
			destination: "eu",
			do:          add(Addition{Name: "N"}),
			err:         "would replace the list of config/deploy.yml",
		},
		"remove what another destination alone has": {
			files: map[string]string{
				"config/deploy.yml": config, "config/deploy.eu.yml": "servers: [a]\n", "config/deploy.us.yml": "env:\n  secret: [ONLY]\n",
				".kamal/secrets.eu": "A=$A\nONLE=$ONLE\n", ".kamal/secrets.us": "A=$A\nONLY=$ONLY\n",
			},
			destination: "eu",
			do:          func(o check.Options) (Plan, error) { return Remove(o, "ONLY") },
			note:        "ONLY is not named for eu, but for us",
		},
		"rename what another destination alone has": {
			files: map[string]string{
				"config/deploy.yml": config, "config/deploy.eu.yml": "servers: [a]\n", "config/deploy.us.yml": "env:\n  secret: [ONLY]\n",
				".kamal/secrets.eu": "A=$A\n", ".kamal/secrets.us": "A=$A\nONLY=$ONLY\n",
			},
			destination: "eu",
			do:          rename("ONLY", "MORE"),
			note:        "ONLY is not named for eu, but for us",
		},
		"no such destination": {
			files:       map[string]string{"config/deploy.yml": config},
			destination: "eu",
			do:          add(Addition{Name: "N"}),
			err:         "there is no destination eu",
		},
		"two places at once": {
			files: map[string]string{"config/deploy.yml": config},
			do:    add(Addition{Name: "N", Role: "web", Builder: true}),
			err:   "more than one place",
		},
		"remove what another is made of": {
			files: map[string]string{"config/deploy.yml": config, ".kamal/secrets": "PW=$PW\nA=postgres://u:$PW@h\n"},
			do:    remove("PW"),
			err:   "A is made of PW",
		},
		"remove, named elsewhere too": {
			files: map[string]string{"config/deploy.yml": config + "# A is old\n", ".kamal/secrets": "A=$(op read op://V/I/A)\n"},
			do:    remove("A"),
			want:  map[string]string{"config/deploy.yml": "service: a\nimage: a\nservers: [a]\nenv: {}\n# A is old\n", ".kamal/secrets": ""},
			todo:  "remove field A from op://V/I",
			note:  "config/deploy.yml:5:3 still names A",
		},
		"an env without clear": {
			files: map[string]string{"config/deploy.yml": "service: a\nimage: a\nservers: [a]\nenv:\n  B: c\n"},
			do:    add(Addition{Name: "N"}),
			err:   "Kamal takes secret: only beside clear:",
		},
		"an env without clear, of another file": {
			files:       map[string]string{"config/deploy.yml": "service: a\nimage: a\nservers: [a]\nenv: {B: c}\n", "config/deploy.eu.yml": "servers: [b]\n", ".kamal/secrets.eu": "B=$B\n"},
			destination: "eu",
			do:          add(Addition{Name: "N"}),
			err:         "Kamal takes secret: only beside clear:",
		},
		"remove what a hook takes": {
			files: map[string]string{"config/deploy.yml": config, ".kamal/secrets": "A=$(op read op://V/I/A)\n", ".kamal/hooks/pre-deploy": "#!/bin/sh\npsql \"$A\"\n"},
			do:    remove("A"),
			want:  map[string]string{"config/deploy.yml": "service: a\nimage: a\nservers: [a]\nenv: {}\n", ".kamal/secrets": ""},
			note:  ".kamal/hooks/pre-deploy:2:8 takes A by that name",
		},
		"remove what a template takes": {
			files: map[string]string{
				"config/deploy.yml": config + "accessories:\n  db:\n    image: x\n    host: a\n    files:\n      - config/db.conf.erb:/etc/db.conf\n", "config/db.conf.erb": "pw=<%= ENV['A'] %>\n",
				".kamal/secrets": "A=$(op read op://V/I/A)\n",
			},
			do:   remove("A"),
			want: map[string]string{"config/deploy.yml": "service: a\nimage: a\nservers: [a]\nenv: {}\naccessories:\n  db:\n    image: x\n    host: a\n    files:\n      - config/db.conf.erb:/etc/db.conf\n", ".kamal/secrets": ""},
			note: "config/db.conf.erb:1:13 takes A by that name",
		},
		"remove what a build takes": {
			files: map[string]string{"config/deploy.yml": config, ".kamal/secrets": "A=$A\n", "Dockerfile": "FROM x\nRUN --mount=type=secret,id=A cat /run/secrets/A\n"},
			do:    remove("A"),
			want:  map[string]string{"config/deploy.yml": "service: a\nimage: a\nservers: [a]\nenv: {}\n", ".kamal/secrets": ""},
			note:  "Dockerfile:2:28 takes A by that name",
		},
		"remove the only one of a destination's list, which replaces another": {
			files: map[string]string{"config/deploy.yml": "service: a\nimage: a\nservers: [a]\nenv:\n  secret:\n    - A\n    - B\n", "config/deploy.eu.yml": "env:\n  secret: # fewer\n    - A\n", "config/deploy.us.yml": "env: {secret: [A]}\n", ".kamal/secrets-common": "A=a\nB=b\n"},
			do:    remove("A"),
			want: map[string]string{
				"config/deploy.yml": "service: a\nimage: a\nservers: [a]\nenv:\n  secret:\n    - B\n", "config/deploy.eu.yml": "env:\n  secret: [] # fewer\n",
				"config/deploy.us.yml": "env: {secret: []}\n", ".kamal/secrets-common": "B=b\n",
			},
		},
		"rename what another service of the same secrets file uses": {
			files: map[string]string{"config/deploy.yml": config, "config/deploy.thumbs.yml": "service: thumbs\nimage: b\nservers: [b]\nregistry: {username: u, password: [A]}\n", ".kamal/secrets": "A=a\n", ".github/workflows/t.yml": "on: push\njobs:\n  d:\n    steps:\n      - run: kamal deploy -c config/deploy.thumbs.yml\n"},
			do:    rename("A", "B"),
			want: map[string]string{
				"config/deploy.yml": strings.Replace(config, "[A]", "[B]", 1), ".kamal/secrets": "B=a\n",
				"config/deploy.thumbs.yml": "service: thumbs\nimage: b\nservers: [b]\nregistry: {username: u, password: [B]}\n",
			},
		},
		"remove what another service of the same secrets file uses": {
			files: map[string]string{"config/deploy.yml": config, "config/deploy.thumbs.yml": "service: thumbs\nimage: b\nservers: [b]\nenv: {secret: [A]}\n", ".kamal/secrets": "A=a\n", ".github/workflows/t.yml": "on: push\njobs:\n  d:\n    steps:\n      - run: kamal deploy -c config/deploy.thumbs.yml\n"},
			do:    remove("A"),
			err:   "config/deploy.thumbs.yml uses A too",
		},
		"remove a declared one": {
			files: map[string]string{"config/deploy.yml": "servers: [a]\nenv: {secret: [A, B]}\n", ".kamal/secrets": "A=$A\nB=$B\n", ".github/workflows/d.yml": workflow + "            B=op://V/I/B"},
			do:    remove("B"),
			want:  map[string]string{"config/deploy.yml": "servers: [a]\nenv: {secret: [A]}\n", ".kamal/secrets": "A=$A\n", ".github/workflows/d.yml": strings.TrimSuffix(workflow, "\n")},
			todo:  "remove field B from op://V/I",
		},
		"remove what is nowhere": {
			files: map[string]string{"config/deploy.yml": config, ".kamal/secrets": "A=$A\n"},
			do:    remove("NOWHERE"),
		},
		"rename a declared one": {
			files: map[string]string{"config/deploy.yml": config, ".kamal/secrets": "A=$A\n", ".github/workflows/d.yml": workflow},
			do:    rename("A", "B"),
			want:  map[string]string{"config/deploy.yml": strings.Replace(config, "[A]", "[B]", 1), ".kamal/secrets": "B=$B\n", ".github/workflows/d.yml": strings.Replace(workflow, "A=op://V/I/A", "B=op://V/I/B", 1)},
			todo:  "rename field A of op://V/I to B",
		},
		"rename a field that two take": {
			files: map[string]string{"config/deploy.yml": config, ".kamal/secrets": "A=$(op read op://V/I/A)\nA2=$(op read op://V/I/A)\n"},
			do:    rename("A", "B"),
			want:  map[string]string{"config/deploy.yml": strings.Replace(config, "[A]", "[B]", 1), ".kamal/secrets": "B=$(op read op://V/I/A)\nA2=$(op read op://V/I/A)\n"},
			note:  "keeps its name",
		},
		"rename to one that is there": {
			files: map[string]string{"config/deploy.yml": config, ".kamal/secrets": "A=$A\nB=$B\n"},
			do:    rename("A", "B"),
			err:   "B is there already",
		},
		"rename what is renamed": {
			files: map[string]string{"config/deploy.yml": config, ".kamal/secrets": "A=$A\n"},
			do:    rename("OLD", "A"),
			note:  "OLD is named nowhere",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			archive := &txtar.Archive{}
			for name, text := range test.files {
				archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(text)})
			}
			o := check.Options{Dir: testkit.WriteProject(t, archive, testkit.Form{})}
			if test.destination != "" {
				o.Destinations = []string{test.destination}
			}
			plan, err := test.do(o)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("%v does not say %q", err, test.err)
				}
				for _, p := range problem.Of(err) {
					if p.Hint == "" || !strings.Contains(p.Hint, test.hint) {
						t.Errorf("%v has the hint %q", p, p.Hint)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, c := range plan.Changes {
				got[c.File] = c.New
			}
			if test.want == nil {
				test.want = map[string]string{}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			var todo []string
			for _, item := range plan.Todo {
				todo = append(todo, item.Text)
			}
			if !strings.Contains(strings.Join(todo, "\n"), test.todo) {
				t.Errorf("to do: %q", todo)
			}
			if !strings.Contains(strings.Join(plan.Notes, "\n"), test.note) {
				t.Errorf("notes: %q", plan.Notes)
			}
		})
	}
}
