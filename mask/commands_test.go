package mask

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestCommands_EveryCut(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"plain text\n", "plain text\n"},
		{"::error::x\n", ":\\:error::x\n"},
		{"text\n::error file=a,line=1::x\nmore", "text\n:\\:error file=a,line=1::x\nmore"},
		{"1%\r::set-env name=x::y", "1%\r:\\:set-env name=x::y"},
		{"\r\n \t::x", "\r\n \t:\\:x"},
		{"a ::x", "a ::x"},
		{"std::string", "std::string"},
		{": :x\n:\n:::", ": :x\n:\n:\\::"},
		{"\v\f::x", "\v\f:\\:x"},
		{"\ufeff::x", "\ufeff:\\:x"},
		{"\u00a0\u2003\u200b\x01::x", "\u00a0\u2003\u200b\x01:\\:x"},
		{"\u00e9::x", "\u00e9::x"},
		{"\xff::x", "\xff::x"},
		{"\xc3::x", "\xc3::x"},
		{"\xe2\x80::x\n::", "\xe2\x80::x\n:\\:"},
		{"a ##[group]b", "a ##\\[group]b"},
		{"###[x] ####[y]", "###\\[x] ####\\[y]"},
		{"##vso[task.setvariable variable=x]y", "##vso\\[task.setvariable variable=x]y"},
		{"##VSO[x]", "##VSO\\[x]"},
		{"##vs##vso[x]", "##vs##vso\\[x]"},
		{"##v#vso[x] #[a] # #[b] ##vso [", "##v#vso[x] #[a] # #[b] ##vso ["},
		{"::##[x]\n", ":\\:##\\[x]\n"},
		{"##[\n::", "##\\[\n:\\:"},
		{"##teamcity[setParameter name='x' value='y']", "##teamcity\\[setParameter name='x' value='y']"},
		{"##TeamCity[x] ##team[y] ##teamcity [z] ##t##teamcity[x]", "##TeamCity\\[x] ##team[y] ##teamcity [z] ##t##teamcity\\[x]"},
	} {
		for _, size := range []int{0, 1, 2, 3, 7} {
			var got bytes.Buffer
			c := NewCommands(&got)
			for p := []byte(tt.in); len(p) > 0; {
				n := len(p)
				if size > 0 {
					n = min(n, size)
				}
				if wrote, err := c.Write(p[:n]); err != nil || wrote != n {
					t.Fatal(wrote, err)
				}
				// Nothing is ever held back.
				p = p[n:]
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if got.String() != tt.want {
				t.Errorf("%q cut at %d: %q, want %q", tt.in, size, got.String(), tt.want)
			}
		}
	}
}

func TestCommands_ChangesNothingElse(t *testing.T) {
	in := strings.Repeat("  INFO [0a1b2c3d] Running docker ps --format '{{.ID}}' # comment :: ok\r\n#12 [stage 1/3] x\n", 50)
	var got bytes.Buffer
	if _, err := NewCommands(&got).Write([]byte(in)); err != nil {
		t.Fatal(err)
	}
	if got.String() != in {
		t.Error("a log without commands was changed")
	}
}

func TestCommands_ErrorStays(t *testing.T) {
	broken := errors.New("broken")
	c := NewCommands(&failing{after: 1, err: broken})
	if _, err := c.Write([]byte("a")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if n, err := c.Write([]byte("::x")); n != 0 || !errors.Is(err, broken) {
			t.Errorf("%d, %v, want 0 and the first error", n, err)
		}
	}
}

// FuzzCommands wants no command left, nothing lost, and no difference in how the
// text is cut.
func FuzzCommands(f *testing.F) {
	f.Add([]byte("a\n ::x::y\r##[z]##vso[q]"), uint8(3))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		var whole, pieces bytes.Buffer
		if _, err := NewCommands(&whole).Write(text); err != nil {
			t.Fatal(err)
		}
		c := NewCommands(&pieces)
		for p := text; len(p) > 0; p = p[min(len(p), int(size)+1):] {
			if _, err := c.Write(p[:min(len(p), int(size)+1)]); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(whole.Bytes(), pieces.Bytes()) {
			t.Fatalf("whole %q, in pieces %q", whole.Bytes(), pieces.Bytes())
		}
		if got, want := strings.ReplaceAll(whole.String(), `\`, ""), strings.ReplaceAll(string(text), `\`, ""); got != want {
			t.Fatalf("%q became %q", text, whole.Bytes())
		}
		lower := strings.ToLower(whole.String())
		if strings.Contains(lower, "##[") || strings.Contains(lower, "##vso[") || strings.Contains(lower, "##teamcity[") {
			t.Errorf("%q leaves %q", text, whole.Bytes())
		}
		for _, line := range strings.FieldsFunc(whole.String(), func(r rune) bool { return r == '\n' || r == '\r' }) {
			if strings.HasPrefix(strings.TrimSpace(line), "::") {
				t.Errorf("%q leaves %q", text, line)
			}
		}
	})
}

// FuzzCommands_Marks wants the marks of GitLab and Buildkite to be gone too, however
// the text is cut.
func FuzzCommands_Marks(f *testing.F) {
	f.Add("--- a\n--- b\r+++ c\n-", uint8(1))
	f.Add("section_start:section_end:\nsection_sta", uint8(2))
	f.Add("section_section_start: sectsection_end: section_ssection_start:section_startsection_end:", uint8(2))
	f.Add("\x1b[0m\x1b[31m--- x\n\x1b[--- y\n\x1b--- z\n\x1b[1m-\x1b[0m-- q", uint8(5))
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		var whole, pieces bytes.Buffer
		if _, err := NewCommands(&whole, GitLabSections, BuildkiteHeadlines).Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		c := NewCommands(&pieces, GitLabSections, BuildkiteHeadlines)
		for p := []byte(text); len(p) > 0; p = p[min(len(p), int(size)+1):] {
			if _, err := c.Write(p[:min(len(p), int(size)+1)]); err != nil {
				t.Fatal(err)
			}
		}
		out := whole.String()
		if out != pieces.String() {
			t.Fatalf("whole %q, in pieces %q", out, pieces.String())
		}
		if strings.ReplaceAll(out, `\`, "") != strings.ReplaceAll(text, `\`, "") {
			t.Errorf("%q became %q", text, out)
		}
		for _, mark := range []string{"section_start:", "section_end:", "##["} {
			if strings.Contains(out, mark) {
				t.Errorf("%q in %q of %q", mark, out, text)
			}
		}
		for _, line := range strings.FieldsFunc(out, func(r rune) bool { return r == '\n' || r == '\r' }) {
			for _, mark := range []string{"--- ", "---\t", "+++ ", "+++\t", "~~~ ", "~~~\t", "^^^ ", "^^^\t"} {
				if strings.HasPrefix(line, mark) {
					t.Errorf("%q in %q of %q", mark, out, text)
				}
			}
		}
	})
}

func TestCommands_KnowsTheMarksThatAreAskedFor(t *testing.T) {
	for _, tt := range []struct {
		marks    Marks
		in, want string
	}{
		{GitLabSections, "\x1b[0Ksection_start:1:a\r\x1b[0KA\nx section_end:2:a", "\x1b[0Ksection_start\\:1:a\r\x1b[0KA\nx section_end\\:2:a"},
		{GitLabSections, "section_section_start:x sections_end: --- x", "section_section_start\\:x sections_end: --- x"},
		{BuildkiteHeadlines, "--- a\n\x1b[31m~~~ b\n---\n----\n ---\n+++\tc\n^^^ +++", "---\\ a\n\x1b[31m~~~\\ b\n---\n----\n ---\n+++\\\tc\n^^^\\ +++"},
		{0, "--- a\nsection_start:1:a", "--- a\nsection_start:1:a"},
	} {
		var got bytes.Buffer
		if _, err := NewCommands(&got, tt.marks).Write([]byte(tt.in)); err != nil {
			t.Fatal(err)
		}
		if got.String() != tt.want {
			t.Errorf("%q: %q, want %q", tt.in, got.String(), tt.want)
		}
	}
}
