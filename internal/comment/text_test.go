package comment_test

import (
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/comment"
)

func TestCode(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a": "`a`", "a`b": "``a`b``", "`a": "`` `a ``", "a``": "``` a`` ```", "@acme": "`@acme`",
	} {
		if got := comment.Code(text); got != want {
			t.Errorf("%q is %q, not %q", text, got, want)
		}
	}
}

func FuzzCode(f *testing.F) {
	f.Add("`a``")
	f.Add("\x1b[31m\n::error::x")
	f.Add("  ```")
	f.Fuzz(func(t *testing.T, s string) {
		got := comment.Code(s)
		if strings.ContainsAny(got, "\n\r\x1b\x00") {
			t.Errorf("%q", got)
		}
		fence := len(got) - len(strings.TrimLeft(got, "`"))
		if inner := strings.Trim(got, "`"); got != "" && strings.Contains(inner, strings.Repeat("`", fence)) {
			t.Errorf("%q ends within", got)
		}
		b := comment.Block([]string{s})
		fenced, _, _ := strings.Cut(b, "text\n")
		if strings.Count(b, "\n") != 2 || strings.Count(b, fenced) != 2 {
			t.Errorf("%q", b)
		}
	})
}
