package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A timing is what a test took.
type timing struct {
	Package string
	Test    string
	Seconds float64
}

// keep writes what the tests of a run took into a file.
func keep(path string, times []timing) error {
	text, err := json.Marshal(times)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// list writes the n slowest tests of all runs that were kept.
func list(out io.Writer, dir string, n int) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	var all []timing
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var times []timing
		if err := json.Unmarshal(text, &times); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, times...)
	}
	fmt.Fprintf(out, "The slowest %d tests:\n", n)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, t := range slowest(all, n) {
		took := time.Duration(t.Seconds * float64(time.Second)).Round(100 * time.Millisecond)
		fmt.Fprintf(table, "%s\t  %s %s\n", took, t.Package[strings.LastIndex(t.Package, "/")+1:], t.Test)
	}
	return table.Flush()
}

// slowest are the n tests that took longest, the slowest first. A subtest is part of
// its test, but for one that runs in parallel: the time of its test leaves it out.
func slowest(times []timing, n int) []timing {
	took := map[test]float64{}
	for _, t := range times {
		took[test{t.Package, t.Test}] = t.Seconds
	}
	list := slices.DeleteFunc(slices.Clone(times), func(t timing) bool {
		slash := strings.LastIndexByte(t.Test, '/')
		return slash >= 0 && took[test{t.Package, t.Test[:slash]}] >= t.Seconds
	})
	slices.SortStableFunc(list, func(a, b timing) int { return cmp.Compare(b.Seconds, a.Seconds) })
	return list[:min(n, len(list))]
}
