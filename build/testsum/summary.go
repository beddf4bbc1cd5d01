package main

import (
	"fmt"
	"io"
	"strings"
)

// An event is one line of `go test -json`; `go doc test2json` tells what they mean.
type event struct {
	Action     string
	Package    string
	ImportPath string // in place of the package, while it is built
	Test       string
	Output     string
	Elapsed    float64 // seconds
}

// A test is one test of a package, or one of its subtests.
type test struct{ Package, Name string }

// A summary is what is known of one run of `go test`.
type summary struct {
	out     io.Writer
	verbose bool

	output  map[test][]string // of tests that have not ended
	times   []timing
	passed  int // tests, without subtests
	skipped []string
	failed  []string
}

// take takes an event in.
func (s *summary) take(e event) {
	this := test{e.Package, e.Test}
	switch e.Action {
	case "output", "build-output":
		switch {
		case e.Package == "" || s.verbose && e.Test == "":
			fmt.Fprint(s.out, e.Output)
		case s.verbose:
			s.tell(e)
		default:
			s.output[this] = append(s.output[this], e.Output)
		}
		return
	case "build-fail":
		s.failed = append(s.failed, e.ImportPath+" (build)")
		return
	case "pass", "fail", "skip":
	default:
		return
	}
	if e.Test == "" {
		s.end(e)
		return
	}
	s.times = append(s.times, timing{e.Package, e.Test, e.Elapsed})
	name := e.Package + "." + e.Test
	switch e.Action {
	case "fail":
		s.failed = append(s.failed, name)
		s.show(this)
	case "skip":
		s.skipped = append(s.skipped, name)
	default:
		if !strings.Contains(e.Test, "/") {
			s.passed++
		}
	}
	if s.verbose && !strings.Contains(e.Test, "/") {
		s.show(this)
	}
	delete(s.output, this)
}

// tell shows at once that a test begins, and the rest of its output, with that of
// its subtests, when it is over: tests that run side by side stay apart.
func (s *summary) tell(e event) {
	name, _, sub := strings.Cut(e.Test, "/")
	switch {
	case strings.HasPrefix(e.Output, "=== RUN") && !sub:
		fmt.Fprint(s.out, e.Output)
	case strings.HasPrefix(e.Output, "=== "): // who waits and who goes on
	default:
		whole := test{e.Package, name}
		s.output[whole] = append(s.output[whole], e.Output)
	}
}

// end takes in that a package is done.
func (s *summary) end(e event) {
	own := test{Package: e.Package}
	if e.Action == "fail" {
		s.failed = append(s.failed, e.Package)
		// A test that was running when its process died has no end of its own.
		for this := range s.output {
			if this.Package == e.Package && this != own {
				s.show(this)
			}
		}
		s.show(own)
		return
	}
	// The last line tells that all is well, and how long it took.
	if lines := s.output[own]; len(lines) > 0 {
		fmt.Fprint(s.out, lines[len(lines)-1])
	}
	delete(s.output, own)
}

// show shows what a test said, once.
func (s *summary) show(this test) {
	for _, text := range s.output[this] {
		fmt.Fprint(s.out, text)
	}
	delete(s.output, this)
}

// verdict is nil where a run was as it should be.
func (s *summary) verdict(name string, noSkips bool, least int) error {
	fmt.Fprintf(s.out, "%s: %d tests passed, %d failed, %d were skipped\n", name, s.passed, len(s.failed), len(s.skipped))
	switch {
	case len(s.failed) > 0:
		return fmt.Errorf("%s: failed:\n  %s", name, strings.Join(s.failed, "\n  "))
	case noSkips && len(s.skipped) > 0:
		return fmt.Errorf("%s: skipped, which is no pass:\n  %s", name, strings.Join(s.skipped, "\n  "))
	case s.passed < least:
		return fmt.Errorf("%s: only %d tests passed, not %d", name, s.passed, least)
	}
	return nil
}
