package check

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

// Files that nobody has written by hand are checked, or refused with a problem: what
// is compared with everything else has a bound. Without one each of these takes many
// minutes.
func TestCheck_EndsWithHugeFiles(t *testing.T) {
	const config = "service: a\nimage: a\nservers: [192.0.2.1]\nregistry: {username: u, password: [R]}\n"
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	names := many(3000, "N%d=$(op read op://V/I/N)\n")
	for name, files := range map[string][2]string{
		"a name of half a megabyte":     {config + "env: {secret: [" + strings.Repeat("A", 500_000) + "]}\n", names},
		"names that nothing defines":    {config + "env:\n  secret:\n" + many(20_000, "    - X%d\n"), names},
		"parentheses that never close":  {config, "A=" + strings.Repeat("$(", 200_000) + "\n"},
		"a value of very many parts":    {config, "A=" + strings.Repeat("$A", 200_000) + "\n"},
		"definitions of definitions":    {config, many(30_000, "A%d=$A\n")},
		"a configuration of a megabyte": {config + "x-a: " + strings.Repeat("a", 2<<20), names},
		"a secrets file of a megabyte":  {config, strings.Repeat("# nothing\n", 200_000)},
	} {
		t.Run(name, func(t *testing.T) {
			archive := &txtar.Archive{Files: []txtar.File{{Name: "config/deploy.yml", Data: []byte(files[0])}, {Name: ".kamal/secrets", Data: []byte(files[1])}}}
			_, err := Check(context.Background(), Options{Dir: testkit.WriteProject(t, archive, testkit.Form{})})
			if strings.Contains(name, "of a megabyte") {
				if p := problem.Of(err); len(p) != 1 || !strings.Contains(p[0].Message, "too large") {
					t.Errorf("%v", err)
				}
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// A configuration that is a pipe is refused: nobody may ever write to it.
func TestCheck_RefusesAPipe(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "config"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "config", "deploy.yml"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Check(context.Background(), Options{Dir: dir})
	if p := problem.Of(err); len(p) != 1 || !strings.Contains(p[0].Message, "no regular file") {
		t.Errorf("%v", err)
	}
}

// What a pipe in the place of a secrets file gives is Kamal's to read: whether it has a
// name is not known, and no error.
func TestCheck_DoesNotGuessWhatAPipeGives(t *testing.T) {
	dir := testkit.WriteProject(t, &txtar.Archive{Files: []txtar.File{{
		Name: "config/deploy.yml", Data: []byte("service: s\nimage: a/b\nservers: [203.0.113.1]\nregistry: {username: u, password: [P]}\nbuilder: {arch: amd64}\n"),
	}}}, testkit.Form{})
	if err := os.MkdirAll(filepath.Join(dir, ".kamal"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, ".kamal", "secrets"), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := Check(context.Background(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		if f.Level == Error || !strings.Contains(f.Problem.Message, "whether .kamal/secrets defines it is not known") {
			t.Errorf("found is %+v", f)
		}
	}
	if len(report.Findings) != 1 || len(report.Matrices) != 1 || report.Matrices[0].Rows[0].File != Unknown {
		t.Errorf("%+v", report)
	}
}
