package deploy

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/standin"
)

var (
	realKamal = flag.String("kamal", "", "path of a real Kamal to measure with, in the Kamal image")
	program   = flag.String("program", "", "path of kamal-op where it is not to be built here")
)

// BenchmarkKamal is what stands before Kamal's first command: `kamal config` of the
// walkthrough project, by Kamal alone with the values in its environment and by ours
// with a Connect server that takes 100 ms for each request, in turn. It reports both,
// their difference and the spread of Kamal against itself, all of them medians.
//
// A whole deploy has the same difference once, and the login check.
func BenchmarkKamal(b *testing.B) {
	if *realKamal == "" {
		b.Skip("runs with -kamal PATH, in the Kamal image")
	}
	binary := *program
	if binary == "" {
		binary = build(b)
	}
	dir := project(b)
	if err := os.Remove(filepath.Join(dir, "kamal")); err != nil {
		b.Fatal(err)
	}
	vault, err := standin.StartVault(b.Context(), standin.VaultOptions{Vaults: []standin.VaultSpec{walkthrough(b)}, Latency: 100 * time.Millisecond})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = vault.Close() }()
	env := []string{"PATH=" + filepath.Dir(*realKamal) + ":/usr/bin:/bin", "HOME=" + dir, "LANG=C.UTF-8"}
	alone, ours := slices.Clone(env), append(slices.Clone(env), "OP_CONNECT_HOST="+vault.URL(), "OP_CONNECT_TOKEN="+vault.Token())
	args := []string{"kamal", "--kamal", *realKamal, "--ssh-key", "op://MyApp/Server"}
	for _, name := range names {
		alone = append(alone, name+"=a value of "+name)
		args = append(args, "--secret", name+"=op://MyApp/Production/"+name)
	}
	command := []string{"config", "--version", "v1"}
	args = append(append(args, "--"), command...)
	var first, second, with []cost
	for b.Loop() {
		first = append(first, run(b, dir, alone, *realKamal, command...))
		with = append(with, run(b, dir, ours, binary, args...))
		second = append(second, run(b, dir, alone, *realKamal, command...))
	}
	wall := func(c cost) time.Duration { return c.wall }
	cpu := func(c cost) time.Duration { return c.cpu }
	for name, value := range map[string]time.Duration{
		"kamal-ms": median(first, wall), "again-ms": median(second, wall), "ours-ms": median(with, wall),
		"kamal-cpu-ms": median(first, cpu), "ours-cpu-ms": median(with, cpu),
		"added-ms": median(with, wall) - median(append(first, second...), wall),
	} {
		b.ReportMetric(float64(value.Microseconds())/1000, name)
	}
}

// median is the middle one of what costs have of something.
func median(costs []cost, of func(cost) time.Duration) time.Duration {
	var all []time.Duration
	for _, c := range costs {
		all = append(all, of(c))
	}
	slices.Sort(all)
	return all[len(all)/2]
}
