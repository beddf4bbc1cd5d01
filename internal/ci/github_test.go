package ci_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// onGitHub is GitHub with a log and files.
func onGitHub(t testing.TB, o setup) (s *system, log *bytes.Buffer, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	log = &bytes.Buffer{}
	files = map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": "/github/workspace"}
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"} {
		files[name] = filepath.Join(dir, name)
		if err := os.WriteFile(files[name], nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return detect(files, log, o), log, files
}

// masksIn are the values that the runner takes from a log: it looks at the line
// behind white space, and replaces %0D, %0A and %25 in this order.
func masksIn(log string) []string {
	var masks []string
	for _, line := range strings.FieldsFunc(log, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if value, ok := strings.CutPrefix(strings.TrimLeft(line, " \t"), "::add-mask::"); ok {
			for _, pair := range [][2]string{{"%0D", "\r"}, {"%0A", "\n"}, {"%25", "%"}} {
				value = strings.ReplaceAll(value, pair[0], pair[1])
			}
			masks = append(masks, value)
		}
	}
	return masks
}

func TestGitHub_MasksEveryLineOfFourBytesAndMore(t *testing.T) {
	for _, test := range []struct {
		value string
		want  []string
	}{
		{"correct horse", []string{"correct horse"}},
		{"100%25 %0A", []string{"100%25 %0A"}},
		{"  trimmed\t", []string{"trimmed"}},
		{"first\nsecond\r\nthird\rfourth\n", []string{"first", "second", "third", "fourth"}},
		{"four", []string{"four"}},
		{"123", nil},
		{"{\n  \"key\": 1\n}\n", []string{"\"key\": 1"}},
		{"", nil},
		{"\n\n  \n", nil},
		{"äö", []string{"äö"}}, // bytes, not characters
		{"::add-mask::x", []string{"::add-mask::x"}},
	} {
		s, log, _ := onGitHub(t, setup{})
		if err := s.Mask(mask.NewSecret("NAME", test.value)); err != nil {
			t.Fatal(err)
		}
		if got := masksIn(log.String()); !slices.Equal(got, test.want) {
			t.Errorf("masks %q, want %q", got, test.want)
		}
	}
}

func TestGitHub_MasksOnceOnStandardErrorAtTheBeginningOfALine(t *testing.T) {
	var errs bytes.Buffer
	s, log, _ := onGitHub(t, setup{Commands: &errs})
	fmt.Fprint(s.Child(&errs), "unfinished")
	secrets := []mask.Secret{mask.NewSecret("A", "value"), mask.NewSecret("B", "value")}
	for range 2 {
		if err := s.Mask(secrets...); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := errs.String(), "unfinished\n::add-mask::value\n"; got != want || log.Len() > 0 {
		t.Errorf("standard error %q, log %q", got, log)
	}
}

func TestGitHub_BeginsALineForMasksEvenAsTheFirst(t *testing.T) {
	s, log, _ := onGitHub(t, setup{})
	if err := s.Mask(mask.NewSecret("A", "value")); err != nil {
		t.Fatal(err)
	}
	if got, want := log.String(), "\n::add-mask::value\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// broken is a writer that takes nothing.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestGitHub_SaysWhereMasksCannotReachTheRunner(t *testing.T) {
	s := detect(map[string]string{"GITHUB_ACTIONS": "true"}, broken{}, setup{})
	if err := s.Mask(mask.NewSecret("A", "value")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("got %v", err)
	}
	// None of these may panic.
	s.Group("a")
	s.Info("b")
	s.Error(problem.New("c", ""))
	s.EndGroup()
}

func TestGitHub_AnnotatesTheFileInTheRepository(t *testing.T) {
	for _, test := range []struct{ file, dir, want string }{
		{"config/deploy.yml", "", "file=config/deploy.yml,line=3"},
		{"./config/deploy.yml", "", "file=config/deploy.yml,line=3"},
		{"/github/workspace/config/deploy.yml", "", "file=config/deploy.yml,line=3"},
		{"config/deploy.yml", "/github/workspace/apps/web", "file=apps/web/config/deploy.yml,line=3"},
		{"config/a,b:c.yml", "", "file=config/a%2Cb%3Ac.yml,line=3"},
		{"../elsewhere", "/github/workspace", ""},
		{"/etc/passwd", "", ""},
	} {
		s, log, _ := onGitHub(t, setup{Dir: test.dir})
		s.Error(problem.New("wrong", "").At(test.file, 3, 0))
		want := "::error " + test.want + "::wrong"
		if test.want == "" {
			want = "::error::wrong"
		}
		if !strings.HasPrefix(log.String(), want) {
			t.Errorf("%s in %q: %q, want %q", test.file, test.dir, log, want)
		}
	}
}

func TestGitHub_PrintsWhatIsTooManyOrTooLongAsLines(t *testing.T) {
	s, log, _ := onGitHub(t, setup{})
	for i := range 12 {
		s.Warning(problem.Newf("warning %d", i))
	}
	if n := strings.Count(log.String(), "::warning::"); n != 10 {
		t.Errorf("%d annotations", n)
	}
	if !strings.HasSuffix(log.String(), "! warning 10\n! warning 11\n") {
		t.Errorf("got %q", log)
	}
	log.Reset()
	long := strings.Repeat("ä", 5000)
	s.Error(problem.New(long, ""))
	line, annotation, _ := strings.Cut(log.String(), "\n::")
	if !strings.HasPrefix(line, "✗ "+long+"\n  help: https://") {
		t.Error("the whole is not in the log")
	}
	if n := len([]rune(annotation)); n > 4096 {
		t.Errorf("an annotation of %d characters", n)
	}
}

func TestGitHub_KeepsOurOwnLinesFromBeingCommands(t *testing.T) {
	s, log, _ := onGitHub(t, setup{})
	s.Info("  ::error::a name\n##[error]of a field")
	s.Group("##[error]a\n::error::title")
	s.Notice(&problem.Problem{Message: "a\n::error::message", Details: []string{"::error::detail"}})
	for _, command := range commands("GitHub", log.String()) {
		if !strings.HasPrefix(command, "::group::") && !strings.HasPrefix(command, "::notice::") {
			t.Errorf("%q is a command", command)
		}
	}
}

func TestGitHub_HasOneGroupAtATime(t *testing.T) {
	s, log, _ := onGitHub(t, setup{})
	s.EndGroup()
	s.Group("one")
	s.Group("two")
	s.EndGroup()
	s.EndGroup()
	if got, want := log.String(), "::group::one\n::endgroup::\n::group::two\n::endgroup::\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// readValues reads a file of names and values as the runner does: a line
// NAME=VALUE, or NAME<<DELIMITER and lines up to the delimiter.
func readValues(text string) (map[string]string, error) {
	values := map[string]string{}
	for text != "" {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if line == "" {
			continue
		}
		equals, heredoc := strings.Index(line, "="), strings.Index(line, "<<")
		switch {
		case equals >= 0 && (heredoc < 0 || equals < heredoc):
			values[line[:equals]] = line[equals+1:]
		case heredoc >= 0:
			name, end := line[:heredoc], line[heredoc+2:]
			var all []string
			for {
				if text == "" {
					return nil, errors.New("the delimiter is missing")
				}
				line, text, _ = strings.Cut(text, "\n")
				if line == end {
					break
				}
				all = append(all, line)
			}
			values[name] = strings.Join(all, "\n")
		default:
			return nil, fmt.Errorf("the line %q has no value", line)
		}
	}
	return values, nil
}

func FuzzGitHub_Output(f *testing.F) {
	f.Add("1.2.3", "")
	f.Add("two\nlines\n", "earlier=1\n")
	f.Add("", "earlier=1")
	f.Add("_GitHubActionsFileCommandDelimeter_\nadmin=yes\n", "")
	f.Add("EOF\nadmin<<EOF\nyes\nEOF\n", "")
	f.Fuzz(func(t *testing.T, value, before string) {
		earlier, err := readValues(before)
		if err != nil || earlier["result"] != "" {
			t.Skip()
		}
		s, _, files := onGitHub(t, setup{})
		if err := os.WriteFile(files["GITHUB_OUTPUT"], []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Output("result", value); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(files["GITHUB_OUTPUT"])
		if err != nil {
			t.Fatal(err)
		}
		got, err := readValues(string(text))
		if err != nil {
			t.Fatalf("%v in %q", err, text)
		}
		if got["result"] != value {
			t.Errorf("got %q, want %q", got["result"], value)
		}
		if delete(got, "result"); len(got) != len(earlier) {
			t.Errorf("other values came out: %q from %q", got, text)
		}
	})
}

func TestGitHub_UsesAFreshDelimiterForEachValue(t *testing.T) {
	s, _, files := onGitHub(t, setup{})
	for _, write := range []func(string, string) error{s.Output, s.State} {
		if err := errors.Join(write("one", "1"), write("two", "2")); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_STATE"} {
		text, err := os.ReadFile(files[name])
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n") {
			if _, end, ok := strings.Cut(line, "<<"); ok {
				if seen[end] || len(end) < 20 {
					t.Errorf("the delimiter %q", end)
				}
				seen[end] = true
			}
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d values", len(seen))
	}
}

func TestGitHub_RefusesBadNames(t *testing.T) {
	s, _, files := onGitHub(t, setup{})
	for _, name := range []string{"", "a=b", "a<<b", "a\nb", "1a", "a b"} {
		if s.Output(name, "x") == nil || s.State(name, "x") == nil {
			t.Errorf("%q was taken", name)
		}
	}
	if text, _ := os.ReadFile(files["GITHUB_OUTPUT"]); len(text) > 0 {
		t.Errorf("written: %q", text)
	}
}

func TestGitHub_DoesNotPanicWithoutItsFiles(t *testing.T) {
	s := detect(map[string]string{"GITHUB_ACTIONS": "true"}, &bytes.Buffer{}, setup{})
	for _, err := range []error{s.Output("a", "b"), s.State("a", "b"), s.Summary("# a")} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("got %v", err)
		}
	}
	s = detect(map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": t.TempDir()}, &bytes.Buffer{}, setup{})
	if err := s.Output("a", "b"); err == nil || errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("writing to a folder gave %v", err)
	}
}

func TestGitHub_KeepsTheSummaryUnderItsLimit(t *testing.T) {
	s, _, files := onGitHub(t, setup{})
	if err := s.Summary("# Deployed"); err != nil {
		t.Fatal(err)
	}
	if err := s.Summary("```\n" + strings.Repeat("a line of the log\n", 100_000) + "```\n"); err != nil {
		t.Fatal(err)
	}
	if err := s.Summary("no room"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(files["GITHUB_STEP_SUMMARY"])
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	if len(page) > 1<<20 || len(page) < 1<<20-200 {
		t.Errorf("a page of %d bytes", len(page))
	}
	if !strings.HasPrefix(page, "# Deployed\n```\na line of the log\n") {
		t.Errorf("it begins with %q", page[:40])
	}
	if tail := page[len(page)-120:]; !strings.Contains(tail, "a line of the log\n```\n\n_The rest is left out") {
		t.Errorf("it ends with %q", tail)
	}
}
