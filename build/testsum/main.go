// Command testsum reads what `go test -json` says: it shows it as `go test` does,
// keeps what each test took, and tells at the end which took longest.
//
//	go test -json ./... | go run ./build/testsum [-v] [-no-skips] [-least N] NAME
//	go run ./build/testsum -slowest 10
//
// The first form keeps the times in .cache/tests/NAME.json and fails where a test
// failed, where none ran, and as its flags say. The second reads all that was kept.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// kept is where the times of each run lie, from the root of the repository.
const kept = ".cache/tests"

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("testsum", flag.ContinueOnError)
	verbose := flags.Bool("v", false, "show the output of all tests, as it comes")
	noSkips := flags.Bool("no-skips", false, "a test that was skipped is a failure")
	least := flags.Int("least", 1, "so many tests must have passed")
	longest := flags.Int("slowest", 0, "list the slowest tests of all runs that were kept")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *longest > 0 {
		return list(out, kept, *longest)
	}
	if flags.NArg() != 1 {
		return errors.New("usage: testsum [-v] [-no-skips] [-least N] NAME, or testsum -slowest N")
	}
	s := summary{out: out, verbose: *verbose, output: map[test][]string{}}
	if err := s.read(in); err != nil {
		return err
	}
	if err := keep(filepath.Join(kept, flags.Arg(0)+".json"), s.times); err != nil {
		return err
	}
	return s.verdict(flags.Arg(0), *noSkips, *least)
}

// read goes through the events of a run; what is no event is shown as it is.
func (s *summary) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil || e.Action == "" {
			fmt.Fprintln(s.out, lines.Text())
			continue
		}
		s.take(e)
	}
	return lines.Err()
}
