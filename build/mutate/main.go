// Command mutate changes the code of packages in small ways, one at a time, and
// counts how often their tests notice: what they do not notice nobody would.
//
//	go run ./build/mutate -gremlins PROGRAM [-sample 150] [-seed 1] PACKAGES
//
// gremlins lists the changes, and which of them no test comes to. A sample of them,
// the same one for the same seed, is made one after the other in an overlay of the
// source, and the package's tests are run with it (-short: without Docker). That is
// done also where no test is said to come to one: of the condition of a case it is
// said always, since Go's coverage counts it in no block. The score of a package is
// killed / (killed + lived + not covered); a change that does not compile, or that
// never ends, counts as nothing and as killed.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	gremlins := flags.String("gremlins", "", "the program gremlins")
	sample := flags.Int("sample", 150, "so many changes of each package; 0 for all")
	seed := flags.Uint64("seed", 1, "chooses the sample")
	least := flags.Float64("least", 0, "fail where a package's score is under this percentage")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *gremlins == "" || flags.NArg() == 0 {
		return errors.New("usage: mutate -gremlins PROGRAM [-sample N] [-seed N] [-least PERCENT] PACKAGES")
	}
	var low []string
	for _, dir := range flags.Args() {
		mutants, err := list(*gremlins, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		score, err := measure(dir, choose(mutants, *sample, *seed), out)
		if err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		if score < *least {
			low = append(low, fmt.Sprintf("%s: %.1f %%", dir, score))
		}
	}
	if len(low) > 0 {
		return fmt.Errorf("under %.1f %%: %q", *least, low)
	}
	return nil
}

// choose takes a sample of n mutants, the same one for the same seed, in the order
// of the source.
func choose(mutants []mutant, n int, seed uint64) []mutant {
	mutants = slices.Clone(mutants)
	slices.SortFunc(mutants, compare)
	if n == 0 || n >= len(mutants) {
		return mutants
	}
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a sample is to be the same again
	random.Shuffle(len(mutants), func(i, j int) { mutants[i], mutants[j] = mutants[j], mutants[i] })
	mutants = mutants[:n]
	slices.SortFunc(mutants, compare)
	return mutants
}

// measure runs the tests against each mutant of a package and gives its score.
func measure(dir string, mutants []mutant, out io.Writer) (score float64, err error) {
	work, err := os.MkdirTemp("", "kamal-op-mutate.")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	t, err := newTrial(dir, work)
	if err != nil {
		return 0, err
	}
	count := map[outcome]int{}
	for _, m := range mutants {
		result, err := t.run(m)
		if err != nil {
			return 0, err
		}
		if result == lived && !m.covered {
			result = notCovered
		}
		count[result]++
		if result == lived || result == notCovered {
			fmt.Fprintf(out, "%s %s: %s\n", result, filepath.Join(dir, m.position()), m.kind)
		}
	}
	total := count[killed] + count[lived] + count[notCovered]
	if total == 0 {
		return 0, errors.New("there is nothing to change")
	}
	score = 100 * float64(count[killed]) / float64(total)
	fmt.Fprintf(out, "%s: %.1f %% of %d: %d killed, %d lived, %d not covered (%d did not compile)\n",
		dir, score, total, count[killed], count[lived], count[notCovered], count[notViable])
	return score, nil
}
