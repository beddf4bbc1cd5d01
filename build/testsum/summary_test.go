package main

import (
	"strings"
	"testing"
)

// events are what `go test -json` says of a run: each line ACTION TEST OUTPUT.
func events(lines ...string) string {
	var b strings.Builder
	for _, line := range lines {
		action, rest, _ := strings.Cut(line, " ")
		name, output, _ := strings.Cut(rest, " ")
		b.WriteString(`{"Action":"` + action + `","Package":"example.com/p","Test":"` + name + `","Output":"` + output + `\n","Elapsed":2}` + "\n")
	}
	return b.String()
}

// summarize reads a run and gives what is shown of it and the verdict.
func summarize(t *testing.T, run string, noSkips bool, least int) (shown string, err error) {
	t.Helper()
	var out strings.Builder
	s := summary{out: &out, output: map[test][]string{}}
	if err := s.read(strings.NewReader(run)); err != nil {
		t.Fatal(err)
	}
	err = s.verdict("unit", noSkips, least)
	return out.String(), err
}

func TestSummary_Verdict(t *testing.T) {
	for name, c := range map[string]struct {
		run     string
		noSkips bool
		least   int
		wrong   string // in the error; "" for none
	}{
		"all passed":             {run: events("pass TestA", "pass TestB", "pass "), least: 2},
		"one failed":             {run: events("pass TestA", "fail TestB", "fail "), wrong: "example.com/p.TestB"},
		"one does not build":     {run: events("pass TestA") + `{"ImportPath":"example.com/q","Action":"build-fail"}` + "\n", wrong: "example.com/q (build)"},
		"a package failed alone": {run: events("pass TestA", "fail "), wrong: "failed:\n  example.com/p"},
		"one was skipped":        {run: events("pass TestA", "skip TestB")},
		"none may be skipped":    {run: events("pass TestA", "skip TestA/b"), noSkips: true, wrong: "example.com/p.TestA/b"},
		"too few ran":            {run: events("pass TestA", "pass TestA/a", "pass TestA/b"), least: 2, wrong: "only 1"},
		"nothing ran":            {least: 1, wrong: "only 0"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := summarize(t, c.run, c.noSkips, c.least)
			if (err != nil) != (c.wrong != "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("the verdict is %v, want one with %q", err, c.wrong)
			}
		})
	}
}

// What a test said is shown where it failed, and where its process died with it.
func TestSummary_ShowsWhatFailed(t *testing.T) {
	shown, _ := summarize(t, events(
		"output TestA said-by-a", "pass TestA",
		"output TestB said-by-b", "fail TestB",
		"output TestC said-by-c", "output  panic", "fail "), false, 1)
	for text, want := range map[string]bool{"said-by-a": false, "said-by-b": true, "said-by-c": true, "panic": true} {
		if strings.Contains(shown, text) != want {
			t.Errorf("%q is shown: %v, want %v\n%s", text, !want, want, shown)
		}
	}
}

// What is no event, as the output of a script around the tests, is shown.
func TestSummary_ShowsOtherLines(t *testing.T) {
	shown, err := summarize(t, "an image is built\n"+events("pass TestA"), false, 1)
	if err != nil || !strings.Contains(shown, "an image is built\n") {
		t.Errorf("%v: %q", err, shown)
	}
}

// What a subtest took is told once: with its test, or where that leaves it out.
func TestList_SlowestFirst(t *testing.T) {
	dir := t.TempDir()
	for name, times := range map[string][]timing{
		"one.json": {{"example.com/p", "TestA", 1}, {"example.com/p", "TestC/sub", 8}, {"example.com/p", "TestC", 9}},
		"two.json": {{"example.com/q", "TestB", 70.04}, {"example.com/q", "TestD", 0}, {"example.com/q", "TestD/parallel", 20}},
	} {
		if err := keep(dir+"/"+name, times); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	if err := list(&out, dir, 3); err != nil {
		t.Fatal(err)
	}
	if want := "The slowest 3 tests:\n  1m10s  q TestB\n    20s  q TestD/parallel\n     9s  p TestC\n"; out.String() != want {
		t.Errorf("listed is\n%s\nwant\n%s", out.String(), want)
	}
}

// Of tests that run side by side each is shown by itself, with its subtests.
func TestSummary_VerboseKeepsTestsApart(t *testing.T) {
	var out strings.Builder
	s := summary{out: &out, verbose: true, output: map[test][]string{}}
	run := events("output TestA === RUN   TestA", "output TestA === PAUSE TestA", "output TestB === RUN   TestB",
		"output TestA/sub in-a", "output TestB in-b", "pass TestA/sub", "output TestA --- PASS: TestA", "pass TestA",
		"output TestB --- FAIL: TestB", "fail TestB", "output TestC === RUN   TestC", "output TestC in-c", "fail ")
	if err := s.read(strings.NewReader(run)); err != nil {
		t.Fatal(err)
	}
	want := "=== RUN   TestA\n=== RUN   TestB\nin-a\n--- PASS: TestA\nin-b\n--- FAIL: TestB\n=== RUN   TestC\nin-c\n"
	if out.String() != want {
		t.Errorf("shown is\n%s\nwant\n%s", out.String(), want)
	}
}
