package ci_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/problem"
)

func TestText_ShowsAProblem(t *testing.T) {
	for _, test := range []struct {
		p     *problem.Problem
		level ci.Level
		want  string
	}{
		{noSuchField(), ci.Error, `✗ DATABASE_PASSWORD is named in config/deploy.yml:18 but the item has no such field
  op://MyApp/Production has: DATABASE_PASSWRD, RAILS_MASTER_KEY, CHATKIT_PK
  hint: rename the field in 1Password, or the name in deploy.yml. Did you mean DATABASE_PASSWRD?`},
		{problem.New("a plain one", ""), ci.Notice, "• a plain one"},
		{problem.New("no such host", "").At("config/deploy.yml", 3, 9), ci.Warning, "! no such host\n  at config/deploy.yml:3:9"},
		{&problem.Problem{Message: "two\nlines\n", Details: []string{"", "one\n  two"}, Hint: "this\nand that"}, ci.Error, "✗ two\n  lines\n  one\n    two\n  hint: this\n  and that"},
		{&problem.Problem{}, ci.Error, "✗ something is wrong"},
		{problem.New("the field \x1b[2J\x07\u202e\u0085\u2028\xff", ""), ci.Error, `✗ the field \x1b[2J\x07\u202e\u0085\u2028\xff`},
	} {
		if diff := cmp.Diff(test.want, ci.Text(test.level, test.p, false)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestText_HasColoursOnlyWhereAsked(t *testing.T) {
	got := ci.Text(ci.Error, problem.New("wrong", "do this"), true)
	if want := "\x1b[31m✗\x1b[0m wrong\n  \x1b[36mhint: \x1b[0mdo this"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Whatever a problem holds, its text is lines of valid UTF-8 that a terminal
// shows and does not obey.
func FuzzText(f *testing.F) {
	f.Add("message", "detail", "hint", "file")
	f.Add("\x1b]0;title\x07", "\r\n", "\xc3\x28", "a\nb")
	f.Fuzz(func(t *testing.T, message, detail, hint, file string) {
		got := ci.Text(ci.Error, &problem.Problem{Message: message, Details: []string{detail}, Hint: hint, Place: problem.Place{File: file, Line: 1}}, false)
		if !utf8.ValidString(got) {
			t.Errorf("%q is no text", got)
		}
		if at := strings.IndexFunc(got, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 }); at >= 0 {
			t.Errorf("%q holds a control character", got)
		}
		for i, line := range strings.Split(got, "\n") {
			if i == 0 != strings.HasPrefix(line, "✗ ") || i > 0 && !strings.HasPrefix(line, "  ") {
				t.Errorf("line %d is %q", i, line)
			}
		}
	})
}

// An error leads to the page on which more is written of it: the first one in a log
// that does so, and no warning.
func TestPlain_LinksAPageOnce(t *testing.T) {
	var log bytes.Buffer
	s := detect(map[string]string{}, &log, setup{})
	missing := func(name string) *problem.Problem { return problem.New(name, "").About(problem.SecretMissing) }
	s.Warning(missing("a"))
	s.Error(missing("b"))
	s.Error(missing("c"))
	s.Error(problem.Usagef("", "d"))
	want := "! a\n✗ b\n  help: " + problem.SecretMissing.URL() + "\n✗ c\n✗ d\n  help: " + problem.Usagef("", "").URL() + "\n"
	if got := log.String(); got != want {
		t.Errorf("%q, not %q", got, want)
	}
}
