package sshname

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/environ"
)

// A command of git's keeps its arguments and gets our ssh, or is refused with what
// is wrong with it.
func TestGuarded_UnderstandsACommandOrRefusesIt(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"ssh", "wrapper"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("ssh", filepath.Join(dir, "slogin")); err != nil {
		t.Fatal(err)
	}
	in := func(s string) string { return strings.ReplaceAll(s, "DIR", dir) }
	for given, want := range map[string]string{
		"ssh":                               "ssh",
		`ssh -i "$HOME/k" -o X="$(id)" ~/x`: `ssh -i "$HOME/k" -o X="$(id)" ~/x`,
		"DIR/ssh -i k":                      "ssh -i k",
		`X=1 "DIR/ssh" -i '/a b'`:           `X=1 ssh -i '/a b'`,
		`DIR/"ssh" -4`:                      "ssh -4",
		"exec DIR/ssh -4":                   "exec ssh -4",
		"command env A=b C= DIR/ssh -4":     "command env A=b C= ssh -4",
		"/usr/bin/env A=b ssh -4":           "/usr/bin/env A=b ssh -4",
		"slogin -4":                         "ssh -4",
		"bin/ssh":                           "ssh",
		"DIR/wrapper --key k":               "DIR/wrapper --key k",
		"sh DIR/wrapper":                    "sh DIR/wrapper",
		"sshpass -e ssh -o A=$B":            "sshpass -e ssh -o A=$B",
		"timeout 5 DIR/ssh $X":              "timeout 5 ssh $X",
		"${S:-DIR/ssh} -4":                  "not a plain word",
		"$S":                                "not a plain word",
		`"$S"`:                              "not a plain word",
		"`which ssh`":                       "not a plain word",
		"$(which ssh)":                      "not a plain word",
		"~/ssh":                             "not a plain word",
		`\ssh`:                              "not a plain word",
		"DIR/s?h":                           "not a plain word",
		"{DIR/ssh,-4}":                      "not a plain word",
		"$'DIR/ssh'":                        "not a plain word",
		`$"DIR/ssh"`:                        "not a plain word",
		`$'\x2fusr\x2fbin\x2fssh'`:          "not a plain word",
		"nice -n 5 'DIR/ssh -4'":            "another program",
		"env S=$X DIR/ssh":                  "not a plain word",
		"timeout $X ssh":                    "not a plain word",
		"./wrapper":                         "depends on the directory",
		"tools/wrapper -q":                  "depends on the directory",
		"nice '-n\nssh'":                    "another program",
		"PATH=/usr/bin ssh":                 "another PATH",
		"env PATH=/usr/bin ssh":             "another PATH",
		"nice env PATH=/usr/bin ssh":        "another program",
		"env -i ssh":                        "an option before",
		"env -S 'DIR/ssh -4'":               "an option before",
		"command -p ssh":                    "an option before",
		"eval DIR/ssh":                      "eval may start anything",
		"sh -c 'DIR/ssh -4'":                "a shell in it",
		"sh -c 'ssh -4'":                    "a shell in it",
		"nice bash --norc wrapper":          "a shell in it",
		"nice sh -c 'cd DIR; ./ssh'":        "a shell in it",
		"ssh; DIR/ssh":                      "not one command",
		"ssh | cat":                         "more than a command",
		"! ssh":                             "more than a command",
		"ssh >x":                            "more than a command",
		"A=b":                               "more than a command",
		"exec":                              "starts nothing",
		"ssh 'x":                            "no shell could read it",
		"":                                  "not one command",
	} {
		c := &call{names: namePaths{again: "git"}, env: environ.List{"PATH=" + dir}}
		got, err := c.guarded(in(given))
		if err != nil {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v", given, err)
			}
		} else if got != in(want) {
			t.Errorf("%q: %q", given, got)
		}
	}
}

// A git that is called by its path, from a directory with a space, reaches our ssh.
func TestGit_QuotesOurSSH(t *testing.T) {
	c := &call{names: namePaths{program: "/bin/false", again: "/a b/git", ours: "/a b/git"}}
	if err := c.git(); err != nil || c.env.Get(gitCommand) != "'/a b/ssh'" {
		t.Errorf("%v: %q", err, c.env)
	}
	c.set(gitCommand, "/x/bin/ssh $X; true")
	if err := c.git(); err != nil || !strings.Contains(c.env.Get(gitCommand), "not one command") {
		t.Errorf("%v: %q", err, c.env)
	}
	c.set(gitCommand, "exec ../ssh -i k")
	if err := c.git(); err != nil || c.env.Get(gitCommand) != "exec '/a b/ssh' -i k" {
		t.Errorf("%v: %q", err, c.env)
	}
}
