package ci_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kamal-op/kamal-op/internal/ci"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// environment reads a file of testdata/environments: the name of the system,
// and the variables that its documentation says a job has.
func environment(t testing.TB, path string) (name string, env map[string]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	env = map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if rest, ok := strings.CutPrefix(line, "# "); ok {
			name = rest
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		env[key] = value
	}
	return name, env
}

func environments(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/environments/*.env")
	if err != nil || len(paths) == 0 {
		t.Fatal("no environments", err)
	}
	return paths
}

func TestDetect_KnowsEverySystemByItsDocumentedEnvironment(t *testing.T) {
	for _, path := range environments(t) {
		want, env := environment(t, path)
		if got := detect(env, io.Discard, setup{}).Name(); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestDetect_KnowsATerminal(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		o    setup
		want string
	}{
		{nil, setup{Terminal: true}, "a terminal"},
		{nil, setup{Terminal: true, Plain: true}, "a plain log"},
		{map[string]string{"TERM": "dumb"}, setup{Terminal: true}, "a plain log"},
		{map[string]string{"GITHUB_ACTIONS": "true"}, setup{Terminal: true}, "GitHub"},
		{nil, setup{}, "a plain log"},
	} {
		if got := detect(test.env, io.Discard, test.o).Name(); got != test.want {
			t.Errorf("%v %+v: %q, want %q", test.env, test.o, got, test.want)
		}
	}
}

// clock is one that goes on by itself, half a second at each look.
func clock() func() time.Time {
	now := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	var mu sync.Mutex
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(500 * time.Millisecond)
		return now
	}
}

// visible shows what a log's reader obeys.
func visible(text string) string {
	return strings.NewReplacer("\x1b", `\e`, "\r", `\r`).Replace(text)
}

// golden holds a text against a file of testdata.
func golden(t *testing.T, path, got string) {
	t.Helper()
	path = filepath.Join("testdata", path)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

// The problems of the session below.
func noSuchField() *problem.Problem {
	return (&problem.Problem{
		Message: "DATABASE_PASSWORD is named in config/deploy.yml:18 but the item has no such field",
		Help:    problem.FieldMissing,
		Details: []string{"op://MyApp/Production has: DATABASE_PASSWRD, RAILS_MASTER_KEY, CHATKIT_PK"},
		Hint:    "rename the field in 1Password, or the name in deploy.yml. Did you mean DATABASE_PASSWRD?",
	}).At("config/deploy.yml", 18, 7)
}

// hostile is output that means something to one system or another.
const hostile = "::error::not ours\n  ::add-mask::a\n##[group]not ours\n##vso[task.setvariable]x ##teamcity[y]\n" +
	"\x1b[0Ksection_start:1560896352:theirs[collapsed=true]\r\x1b[0KTheirs\n\x1b[0Ksection_end:1560896352:theirs\r\x1b[0K\n" +
	"--- theirs\n+++ theirs\n\x1b[31m~~~ theirs\x1b[0m\n^^^ +++\n---\n+++\n  --- a yaml document, or a diff\n"

// session is a run that uses all there is, with a child's output in between.
func session(t *testing.T, s *system, log io.Writer) {
	t.Helper()
	if err := s.Mask(mask.NewSecret("DATABASE_PASSWORD", "correct%horse"), mask.NewSecret("KEY", "-----BEGIN\nline one\nab\n-----END\n"), mask.NewSecret("PIN", "123")); err != nil {
		t.Fatal(err)
	}
	s.Info("kamal 2.12.0 at bin/kamal")
	phases := ci.NewPhases(s.System, clock())
	phases.Begin("build and push", "")
	child := s.Child(log)
	write := func(text string) {
		t.Helper()
		if _, err := io.WriteString(child, text); err != nil {
			t.Fatal(err)
		}
	}
	write("#1 [internal] load build definition\n#2 DONE 0.1s\n")
	write(hostile)
	phases.Begin("boot", "192.0.2.10")
	write("  INFO [ab12] Running docker run\n  INFO waiting")
	s.Notice(problem.New("a lock was released, whose run is over", ""))
	write(" for the container\n")
	phases.Fail()
	s.Warning(problem.New("Gemfile.lock names kamal 2.11.0", "run bundle update kamal"))
	s.Error(noSuchField())
	s.Status("")
	if err := child.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSystem_LogsASessionAsItsGoldenFile(t *testing.T) {
	for _, path := range environments(t) {
		name := strings.TrimSuffix(filepath.Base(path), ".env")
		t.Run(name, func(t *testing.T) {
			_, env := environment(t, path)
			var log bytes.Buffer
			var ran strings.Builder
			session(t, detect(env, &log, setup{Now: clock(), Run: helper(&ran, nil)}), &log)
			golden(t, "sessions/"+name+".txt", visible(log.String())+ran.String())
		})
	}
	for _, colour := range []string{"", "1"} {
		t.Run("terminal"+colour, func(t *testing.T) {
			var log bytes.Buffer
			session(t, detect(map[string]string{"NO_COLOR": colour}, &log, setup{Terminal: true, Now: clock()}), &log)
			golden(t, "sessions/terminal"+colour+".txt", visible(log.String()))
		})
	}
}

// helper is an Options.Run that writes down what it was asked for.
func helper(ran *strings.Builder, err error) func(io.Reader, string, ...string) error {
	return func(stdin io.Reader, name string, args ...string) error {
		text, _ := io.ReadAll(stdin)
		fmt.Fprintf(ran, "[%s %s] <<< %s\n", name, strings.Join(args, " "), text)
		return err
	}
}

// No output of a child is a command, however it is cut and whatever we print
// in between.
func TestChild_PrintsNoCommand(t *testing.T) {
	for _, path := range environments(t) {
		_, env := environment(t, path)
		for _, between := range []bool{false, true} {
			var log bytes.Buffer
			s := detect(env, &log, setup{Now: clock()})
			child := s.Child(&log)
			for i := range len(hostile) {
				if _, err := child.Write([]byte{hostile[i]}); err != nil {
					t.Fatal(err)
				}
				if between && i%7 == 3 {
					s.Info("ours")
				}
			}
			if err := child.Close(); err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(path, "said-no.env") {
				continue // nobody but a person reads it
			}
			for _, command := range commands(s.Name(), log.String()) {
				t.Errorf("%s, with our lines in between %v: %q is a command", path, between, command)
			}
		}
	}
}

func TestChild_PrintsNoCommandOnALineThatWeBrokeOff(t *testing.T) {
	for system, test := range map[string]struct{ first, second string }{
		"github-docker-action": {"waiting", "::error::not ours\n"},
		"gitea":                {":", ":error::not ours\n"},
		"buildkite":            {"waiting ", "--- theirs\n"},
		"azure":                {"##v", "so[task.setvariable]x\n"},
		"gitlab":               {"section_", "start:1:a\r\x1b[0K\n"},
	} {
		_, env := environment(t, "testdata/environments/"+system+".env")
		var log bytes.Buffer
		s := detect(env, &log, setup{Now: clock()})
		out, errs := s.Child(&log), s.Child(&log)
		fmt.Fprint(out, test.first)
		s.Info("ours")
		fmt.Fprint(out, test.second)
		// The line that one stream has begun is the other's too.
		fmt.Fprint(out, test.first)
		fmt.Fprint(errs, "\n")
		fmt.Fprint(out, test.second)
		if err := errors.Join(out.Close(), errs.Close()); err != nil {
			t.Fatal(err)
		}
		for _, command := range commands(s.Name(), log.String()) {
			t.Errorf("%s: %q is a command in %q", system, command, log.String())
		}
	}
}

// commands are the lines that a system would obey, by its documentation or
// source: GitHub's runner takes "::" behind white space, and "##[" anywhere; a
// line ends at a lone CR as well; Buildkite leaves out colours.
func commands(system, log string) []string {
	var found []string
	for _, line := range strings.FieldsFunc(log, func(r rune) bool { return r == '\n' || r == '\r' }) {
		lower := strings.ToLower(line)
		obeyed := strings.Contains(lower, "##vso[") || strings.Contains(lower, "##teamcity[")
		switch system {
		case "GitHub", "Gitea", "Forgejo":
			obeyed = obeyed || strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[")
		case "Azure Pipelines":
			obeyed = obeyed || strings.Contains(line, "##[")
		case "GitLab":
			obeyed = obeyed || strings.Contains(line, "section_start:") || strings.Contains(line, "section_end:")
		case "Buildkite":
			line = strings.NewReplacer("\x1b[31m", "", "\x1b[0m", "", "\x1b[0K", "").Replace(line)
			for _, mark := range []string{"--- ", "+++ ", "~~~ ", "^^^ "} {
				obeyed = obeyed || strings.HasPrefix(line, mark)
			}
		}
		if obeyed {
			found = append(found, line)
		}
	}
	return found
}

func TestChild_ChangesNothingElse(t *testing.T) {
	text := "plain\r\n\x1b[32mgreen\x1b[0m 50%\r100%\nα\x00\xff: - + # [x] :: ##\n-- --\nsection: end\n"
	for _, path := range environments(t) {
		_, env := environment(t, path)
		for _, size := range []int{1, 3, len(text)} {
			var log bytes.Buffer
			child := detect(env, &log, setup{}).Child(&log)
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				if _, err := io.WriteString(child, rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if err := child.Close(); err != nil {
				t.Fatal(err)
			}
			if log.String() != text {
				t.Errorf("%s by %d: %q", path, size, log.String())
			}
		}
	}
}

func TestChild_ReachesAnotherWriterToo(t *testing.T) {
	_, env := environment(t, "testdata/environments/github-docker-action.env")
	var log, errs, elsewhere bytes.Buffer
	s := detect(env, &log, setup{Commands: &errs})
	for _, w := range []*bytes.Buffer{&errs, &elsewhere} {
		fmt.Fprint(s.Child(w), "::error::not ours\n")
		if got, want := w.String(), ":\\:error::not ours\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if log.Len() > 0 {
		t.Errorf("the log has %q", log.String())
	}
}

func TestSystem_CanBeUsedFromSeveralGoroutines(t *testing.T) {
	for _, path := range environments(t) {
		_, env := environment(t, path)
		var log bytes.Buffer
		s := detect(env, &log, setup{})
		var running sync.WaitGroup
		for i := range 4 {
			running.Go(func() {
				child := s.Child(&log)
				for range 50 {
					fmt.Fprintf(child, "child %d\n", i)
					s.Info("ours")
					s.Group("a group")
					s.Notice(problem.New("a notice", ""))
					_ = s.Mask(mask.NewSecret("S", fmt.Sprintf("secret %d", i)))
					s.EndGroup()
				}
			})
		}
		running.Wait()
		for _, line := range strings.Split(strings.TrimSpace(log.String()), "\n") {
			if strings.Count(line, "ours") > 1 || strings.Contains(line, "child") && len(line) > len("child 0") {
				t.Fatalf("%s: lines ran together: %q", path, line)
			}
		}
	}
}

// FuzzChild holds that a child's output is never a command, with lines of ours
// at any place in between and two streams that share the log.
func FuzzChild(f *testing.F) {
	f.Add(hostile, []byte{3, 200, 9, 130, 1})
	f.Add("::error::a\n:\r:x\n##[\x1b[0m--- a\nsection_start:", []byte{1, 255, 2, 128})
	f.Fuzz(func(t *testing.T, text string, plan []byte) {
		for _, env := range []string{"GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "TF_BUILD"} {
			var log bytes.Buffer
			s := detect(map[string]string{env: "true"}, &log, setup{})
			streams := []*gate.Child{s.Child(&log), s.Child(&log)}
			rest := text
			for _, step := range plan {
				n := min(int(step&15)+1, len(rest))
				if _, err := io.WriteString(streams[step>>4&1], rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
				if step&64 != 0 {
					_ = streams[0].Flush()
				}
				if step&128 != 0 {
					s.Info("ours")
				}
			}
			for _, stream := range streams {
				_ = stream.Close()
			}
			for _, command := range commands(s.Name(), log.String()) {
				t.Fatalf("%s: %q is a command in %q", s.Name(), command, log.String())
			}
		}
	})
}
