package sshname

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/environ"
)

// Arguments are read as ssh reads them: flags together or apart, on both sides of
// the destination, and none behind it.
func TestParseLine(t *testing.T) {
	for line, want := range map[string]struct {
		replaced string // with the argument of -S changed
		end      int
	}{
		"web":                            {"web", 1},
		"web true":                       {"web true", 1},
		"-S a web":                       {"-S X web", 3},
		"-Sa web":                        {"-SX web", 2},
		"-fNMSa web -S b true -S c":      {"-fNMSX web -S X true -S c", 4},
		"-p 22 -o -S web true":           {"-p 22 -o -S web true", 5},
		"-l -S web -TS a true":           {"-l -S web -TS X true", 5},
		"-S a -- web true":               {"-S X -- web true", 2},
		"-S":                             {"-S", 1},
		"-":                              {"-", 1},
		"-4 - -S a":                      {"-4 - -S X", 4},
		"":                               {"", 1},
		"-i k web sh -c x -S y":          {"-i k web sh -c x -S y", 3},
		"-J a,b -W h:22 -S none bastion": {"-J a,b -W h:22 -S X bastion", 7},
	} {
		args := strings.Split(line, " ")
		l := parseLine(args, sshFlags)
		got := strings.Join(l.replace('S', func(string) string { return "X" }), " ")
		if got != want.replaced || l.end != want.end {
			t.Errorf("%q becomes %q, its options end at %d", line, got, l.end)
		}
		if strings.Join(args, " ") != line {
			t.Errorf("%q was changed in place", line)
		}
	}
	if l := parseLine([]string{"-Ti", "key", "web"}, sshFlags); !l.has('i') || !l.has('T') || l.has('k') {
		t.Errorf("%+v", l)
	}
}

// A path to ssh becomes its name, wherever a program is told of one; all else stays.
func TestOthers_CallSSHByItsName(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"ssh", "wrapper"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "not-executable"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "ssh"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	in := func(s string) string { return strings.ReplaceAll(s, "DIR", dir) }
	for program, cases := range map[string]map[string]string{
		"rsync": {
			"-av a b":                   "-av a b",
			"-ave|DIR/ssh -p 1|a|b":     "-ave|ssh -p 1|a|b",
			"a|-e|DIR/ssh|b":            "a|-e|ssh|b",
			"-eDIR/ssh -i k|a|b":        "-essh -i k|a|b",
			"--rsh=DIR/ssh -l x|a|b":    "--rsh=ssh -l x|a|b",
			"--rsh|DIR/ssh|a|b":         "--rsh|ssh|a|b",
			"-e|DIR/wrapper|a|b":        "-e|DIR/wrapper|a|b",
			"-e|ssh -i DIR/ssh2|a|b":    "-e|ssh -i DIR/ssh2|a|b",
			"-f|-e|DIR/ssh|b":           "-f|-e|DIR/ssh|b",
			"--|-e|DIR/ssh":             "--|-e|DIR/ssh",
			"-e|DIR/link -q|a|b":        "-e|ssh -q|a|b",
			"-e|'DIR/ssh' -i 'a b'|a":   "-e|'ssh' -i 'a b'|a",
			"-e|X=1 exec \"DIR/ssh\"|a": "-e|X=1 exec \"ssh\"|a",
			"-e|DIR/not-executable|a":   "-e|DIR/not-executable|a",
		},
		"scp": {
			"a|h:b":               "-S|ssh|a|h:b",
			"-S|DIR/ssh|a|h:b":    "-S|ssh|-S|ssh|a|h:b",
			"-rSDIR/ssh|a|h:b":    "-S|ssh|-rSssh|a|h:b",
			"-S|DIR/wrapper|a|h:": "-S|ssh|-S|DIR/wrapper|a|h:",
			"-i|DIR/ssh|a|h:b":    "-S|ssh|-i|DIR/ssh|a|h:b",
		},
	} {
		for given, want := range cases {
			c := &call{args: strings.Split(in(given), "|"), names: namePaths{again: program}, env: environ.List{"RSYNC_RSH=" + dir + "/ssh -4"}}
			if err := programs()[program](c); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(in(want), strings.Join(c.args, "|")); d != "" {
				t.Errorf("%s %s: %s", program, given, d)
			}
			if got := c.env.Get("RSYNC_RSH"); program == "rsync" && got != "ssh -4" {
				t.Errorf("RSYNC_RSH is %q", got)
			}
		}
	}
	if got := ByPath(in("nc %h %p")); got != "" {
		t.Errorf("an ssh in %q", got)
	}
	for _, command := range []string{
		"exec DIR/ssh -W %h:%p hop", "${SSHBIN:-DIR/ssh} hop", "`echo DIR/ssh` hop", "$(echo DIR/ssh)", "sh -c 'DIR/ssh hop'",
		`DIR/"ssh" hop`, `DIR/s\sh hop`, "../..DIR/ssh hop", "nc -x a%h b; DIR/link",
	} {
		if got := ByPath(in(command)); !strings.HasSuffix(got, dir+"/ssh") && got != dir+"/link" {
			t.Errorf("no ssh but %q in %s", got, command)
		}
	}
}

// rsync reads options that stand for others from popt's files, also -a: there is no
// telling it to leave them.
func TestRsync_RefusesAnAliasWithAnSSHByItsPath(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ssh"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	for text, refused := range map[string]bool{
		"rsync alias -a -rlptgoD -e " + dir + "/ssh\n":          true,
		"rsync\talias --up -a \\\n  --rsh='" + dir + "/ssh -q'": true,
		"# mine\n  rsync exec --up " + dir + "/ssh":             true,
		"rsync alias --up -a -e ssh":                            false,
		"# rsync alias --up -e " + dir + "/ssh\n":               false,
		"rpm alias --up -e " + dir + "/ssh":                     false,
		"":                                                      false,
	} {
		home := t.TempDir()
		if err := os.WriteFile(filepath.Join(home, ".popt"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c := &call{args: []string{"-a", "x", "host:y"}, env: environ.List{"HOME=" + home}}
		if err := c.rsync(); (err != nil) != refused || refused && !strings.Contains(err.Error(), filepath.Join(home, ".popt")+" starts "+dir+"/ssh") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := (&call{env: environ.List{"HOME=/nowhere"}}).rsync(); err != nil {
		t.Error(err)
	}
}

// git is asked for its configuration with the options that it is called with.
func TestGitGlobal(t *testing.T) {
	for given, want := range map[string]string{
		"fetch origin": "", "-C dir fetch -c x": "-C dir", "-c a=b --no-pager push": "-c a=b --no-pager", "--git-dir=x -p log": "--git-dir=x -p",
		"--git-dir x log": "--git-dir x", "--namespace n --work-tree w log": "--namespace n --work-tree w", "--version": "", "-C": "",
	} {
		if got := strings.Join(gitGlobal(strings.Fields(given)), " "); got != want {
			t.Errorf("%q: %q", given, got)
		}
	}
}

// What git clone is told for the repository that it makes, it uses for the clone.
func TestCloned_FindsTheCommandOfTheNewRepository(t *testing.T) {
	for given, want := range map[string]string{
		"clone -c core.sshCommand=/x/ssh u":                      "/x/ssh",
		"clone -ccore.sshcommand=/x/ssh u":                       "/x/ssh",
		"clone -qc CORE.sshCommand=/x/ssh u":                     "/x/ssh",
		"clone --config core.sshCommand=/x/ssh u":                "/x/ssh",
		"clone --config=core.sshCommand=/x/ssh u":                "/x/ssh",
		"clone --conf=core.sshCommand=/x/ssh u":                  "/x/ssh",
		"clone -c core.sshCommand=a u -c core.sshCommand=/x/ssh": "/x/ssh",
		"clone -c core.pager=/x/ssh u":                           "",
		"fetch -c core.sshCommand=/x/ssh":                        "",
		"":                                                       "",
	} {
		if got := cloned(strings.Fields(given)); got != want {
			t.Errorf("%q: %q", given, got)
		}
	}
}
