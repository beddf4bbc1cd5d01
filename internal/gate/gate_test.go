package gate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

const value = "corr3ct \"horse\" batt3ry"

// onGitHub is a gate on GitHub that knows the value.
func onGitHub(out, errs io.Writer) *gate.Gate {
	return in(map[string]string{"GITHUB_ACTIONS": "true"}, out, errs)
}

func in(env map[string]string, out, errs io.Writer) *gate.Gate {
	g := gate.New(gate.Options{Env: env, Stdout: out, Stderr: errs})
	g.Mask(mask.NewSecret("PASSWORD", value))
	return g
}

func TestStream_MasksOurOwnText(t *testing.T) {
	var out bytes.Buffer
	s := onGitHub(&out, nil).Stdout()
	if err := s.Line("a line of " + value + "\n::stop-commands::x\n ##[group]##vso[task.x]##teamcity[x]"); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(s, "a table of "+value+"\n::stop-commands::x\n\x1b]0;title\x07\x1b[2J\u202e\x1b[31mred\x1b[0m\n")
	want := "a line of ***\n:\\:stop-commands::x\n ##\\[group]##vso\\[task.x]##teamcity\\[x]\n" +
		"a table of ***\n:\\:stop-commands::x\n\\x1b]0;title\\x07\\x1b[2J\\u202e\\x1b[31mred\\x1b[0m\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestGate_MasksAValueFromItsRegistrationOn(t *testing.T) {
	var out bytes.Buffer
	g := onGitHub(&out, nil)
	child := g.Stdout().Child(g.Stdout(), gate.ChildOptions{})
	fmt.Fprintln(child, "later")
	g.Mask(mask.NewSecret("LATER", "later value"))
	fmt.Fprintln(child, "the later value")
	_ = g.Stdout().Line("our later value")
	if want := "later\nthe ***\nour ***\n"; out.String() != want {
		t.Errorf("got %q", out.String())
	}
}

// Structured text is masked before it is encoded: it stays valid, and no encoding of
// the value hides it.
func TestJSON_MasksAndStaysJSON(t *testing.T) {
	g := in(nil, nil, nil)
	type document struct {
		Text  string            `json:"text"`
		List  []string          `json:"list"`
		Names map[string]string `json:"names"`
		N     int               `json:"n"`
	}
	for _, indent := range []string{"", "  "} {
		doc, err := json.MarshalIndent(document{value + "\n##[group]", []string{"\u202e##vso[x]", "a\\" + value}, map[string]string{value: "q\"" + value}, 7}, "", indent)
		if err != nil {
			t.Fatal(err)
		}
		got := g.JSON(doc)
		var back document
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatalf("%s: %v", got, err)
		}
		if back.Text != "***\n##[group]" || back.List[1] != "a\\***" || back.Names["***"] != "q\"***" || back.N != 7 {
			t.Errorf("got %+v", back)
		}
		for _, command := range []string{"##[", "##vso[", "\u202e", "corr3ct"} {
			if bytes.Contains(got, []byte(command)) {
				t.Errorf("%q is in %s", command, got)
			}
		}
	}
}

func TestCleaned_MasksEveryTextAndChangesNothingElse(t *testing.T) {
	g := in(nil, nil, nil)
	type inner struct{ Text *string }
	text := "the " + value
	before := struct {
		Inner inner
		Map   map[string][]inner
		List  problem.List
		N     int
	}{inner{&text}, map[string][]inner{value: {{&text}}}, problem.List{problem.New(value, value).At(value, 1, 2)}, 3}
	after := gate.Cleaned(g, before)
	if *after.Inner.Text != "the ***" || *after.Map["***"][0].Text != "the ***" || after.List[0].Error() != "***:1:2: ***" || after.N != 3 {
		t.Errorf("got %+v", after)
	}
	if text != "the "+value || before.List[0].Message != value {
		t.Error("what was given is changed")
	}
}

// A transcript is what a fake API was sent.
type transcript struct{ bodies []string }

func (s *transcript) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if int64(len(body)) != req.ContentLength {
		err = fmt.Errorf("%d bytes of %d", len(body), req.ContentLength)
	}
	s.bodies = append(s.bodies, string(body))
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, err
}

func TestTransport_MasksWhatIsSentButIdentifiers(t *testing.T) {
	var sent transcript
	client := http.Client{Transport: in(nil, nil, nil).Transport(&sent)}
	g := map[string]any{"body": "x " + value, "description": value, "environment": value, "payload": map[string]string{"run": value, "nonce": value}}
	body, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Post("http://api.invalid/comments", "application/json", bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	var back struct {
		Body, Description, Environment string
		Payload                        map[string]string
	}
	if err := json.Unmarshal([]byte(sent.bodies[0]), &back); err != nil {
		t.Fatal(err)
	}
	if back.Body != "x ***" || back.Description != "***" || back.Environment != value || back.Payload["run"] != "***" || back.Payload["nonce"] != value {
		t.Errorf("sent %s", sent.bodies[0])
	}
}

// A secret that is a common word, or the name of a host, does not change by which
// names GitHub and our own post step find things again.
func TestValue_KeepsACommonWordForPrograms(t *testing.T) {
	var sent transcript
	g := in(nil, nil, nil)
	g.Mask(mask.NewSecret("STAGE", "production"), mask.NewSecret("HOST", "db.example.com"))
	state := `{"places":["production","db.example.com"],"x":` + string(marshal(t, value)) + `}`
	if got := g.Value(state); got != `{"places":["production","db.example.com"],"x":"***"}` {
		t.Errorf("a state is %s", got)
	}
	if got := g.Value("production " + value); got != "production ***" {
		t.Errorf("an output is %s", got)
	}
	client := http.Client{Transport: g.Transport(&sent)}
	if _, err := client.Post("http://api.invalid/", "application/json", strings.NewReader(`{"environment":"production","log_url":"https://db.example.com/","body":"production"}`)); err != nil {
		t.Fatal(err)
	}
	if want := `{"environment":"production","log_url":"https://db.example.com/","body":"***"}`; sent.bodies[0] != want {
		t.Errorf("sent %s", sent.bodies[0])
	}
}

func TestHelp_MasksArgumentsAndInput(t *testing.T) {
	var ran string
	g := gate.New(gate.Options{Run: func(stdin io.Reader, name string, args ...string) error {
		text, err := io.ReadAll(stdin)
		ran = name + " " + strings.Join(args, " ") + " <<< " + string(text)
		return err
	}})
	g.Mask(mask.NewSecret("PASSWORD", value))
	if err := g.Help(value, "buildkite-agent", "annotate", value); err != nil || ran != "buildkite-agent annotate *** <<< ***" {
		t.Errorf("%q, %v", ran, err)
	}
	if err := in(nil, nil, nil).Help("", "buildkite-agent"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestUnmasked_ReportsEachNameOnce(t *testing.T) {
	g := in(nil, nil, nil)
	g.Mask(mask.NewSecret("PIN", "12"), mask.NewSecret("WORD", "deploy"), mask.NewSecret("", "x"), mask.NewSecret("EMPTY", ""))
	told := g.Unmasked()
	if len(told) != 2 || !strings.HasPrefix(told[0].Message, "PIN is ") || !strings.HasPrefix(told[1].Message, "WORD is ") {
		t.Errorf("told %v", told)
	}
	if again := g.Unmasked(); len(again) != 0 {
		t.Errorf("told again %v", again)
	}
}

// A child's output that a person has sent to a file is masked and nothing else, on a
// CI system too; so is a pipe's where no CI system reads.
func TestChild_OnlyMasksInAPersonsFile(t *testing.T) {
	dump := "::error::x\n##[group]##vso[task.x]\n\x1b[2J\u202e--- a\n  ::add-mask::other value\nthe other value, \x00\xff\r\n" + value
	want := strings.ReplaceAll(strings.ReplaceAll(dump, "other value", "***"), value, "***")
	for name, env := range map[string]map[string]string{"GitHub": {"GITHUB_ACTIONS": "true"}, "a person's machine": nil} {
		path := filepath.Join(t.TempDir(), "dump.sql")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		var pipe bytes.Buffer
		g := in(env, f, &pipe)
		streams := []*gate.Stream{g.Stdout()}
		if env == nil {
			streams = append(streams, g.Stderr())
		}
		for _, s := range streams {
			child := g.Stdout().Child(s, gate.ChildOptions{})
			for i := range len(dump) {
				if _, err := child.Write([]byte(dump)[i : i+1]); err != nil {
					t.Fatal(err)
				}
			}
			if err := child.Close(); err != nil {
				t.Fatal(err)
			}
		}
		_ = f.Close()
		text, err := os.ReadFile(path)
		if err != nil || string(text) != want {
			t.Errorf("%s: the file holds %q, %v", name, text, err)
		}
		if env == nil && pipe.String() != want {
			t.Errorf("the pipe got %q", pipe.String())
		}
	}
}

// A report on one stream begins where the status line of the other was: both may be on
// one terminal. The line comes again when there is something new to say.
func TestStream_HidesTheStatusLineOfTheOtherStream(t *testing.T) {
	var screen bytes.Buffer
	g := onGitHub(&screen, &screen)
	line := "… waiting"
	g.Stderr().OnTerminal("\n", func() string { return line })
	g.Stderr().Redraw(nil)
	if _, err := io.WriteString(g.Stdout(), "a report\n"); err != nil {
		t.Fatal(err)
	}
	g.Stderr().Redraw(nil) // its seconds go on
	if _, err := g.Stdout().JSON().Write([]byte("{}\n")); err != nil {
		t.Fatal(err)
	}
	g.Stderr().Redraw(func() { line = "… something else" })
	want := "… waiting\r\x1b[Ka report\n{}\n… something else"
	if got := screen.String(); got != want {
		t.Errorf("%q, not %q", got, want)
	}
}

// A problem leaves with every text of it masked; the one that was given keeps them, for
// who compares.
func TestProblem_IsMaskedWhole(t *testing.T) {
	g := in(nil, nil, nil)
	p := &problem.Problem{Message: "m " + value, Hint: "h " + value, Details: []string{"d", "d " + value}, Place: problem.Place{File: value + ".yml", Line: 3}, Status: problem.TimedOut}
	for _, got := range []*problem.Problem{g.Problem(p), problem.Of(g.Error(errors.Join(problem.New("another", ""), p)))[1]} {
		if got.Message != "m ***" || got.Hint != "h ***" || strings.Join(got.Details, "|") != "d|d ***" || got.Place.String() != "***.yml:3" || got.Status != problem.TimedOut {
			t.Errorf("%+v", got)
		}
	}
	if p.Hint != "h "+value || p.Details[1] != "d "+value {
		t.Errorf("the problem itself is changed: %+v", p)
	}
	if g.Problem(nil) != nil || g.Error(nil) != nil {
		t.Error("there is a problem of nothing")
	}
}

// A command that masks counts at the beginning of a line only, and nobody knows what was
// printed there before us.
func TestMaskCommands_BeginALine(t *testing.T) {
	var out bytes.Buffer
	s := onGitHub(&out, nil).Stdout()
	if err := errors.Join(s.MaskCommands(nil), s.MaskCommands([]string{"::add-mask::a", "::add-mask::b"}), s.MaskCommands([]string{"::add-mask::c"})); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(s.Child(s, gate.ChildOptions{}), "begun")
	if err := s.MaskCommands([]string{"::add-mask::d"}); err != nil {
		t.Fatal(err)
	}
	if want := "\n::add-mask::a\n::add-mask::b\n::add-mask::c\nbegun\n::add-mask::d\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
