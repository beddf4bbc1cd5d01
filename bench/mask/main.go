// Command mask measures the masker beside a copy of memory, a textbook automaton
// and, built with -tags peers after ./peers.sh, the maskers of GitLab's and
// Buildkite's runners, all on the same log in the same run. It prints the tables
// of ../README.md.
package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/mask"
)

// subject is one of those that are measured: it makes a stream that masks, and
// what ends it.
type subject struct {
	name string
	make func(w io.Writer, secrets []string) (io.Writer, func() error)
}

var peers []subject

func ours(opts ...mask.Option) func(w io.Writer, secrets []string) (io.Writer, func() error) {
	return func(w io.Writer, secrets []string) (io.Writer, func() error) {
		m := mask.New(opts...)
		for _, s := range secrets {
			m.Add(s)
		}
		stream := m.Writer(w)
		return stream, stream.Close
	}
}

// sink counts what reaches it.
type sink struct{ n int64 }

func (s *sink) Write(p []byte) (int, error) {
	s.n += int64(len(p))
	return len(p), nil
}

// copier is the ceiling: it copies each Write into a buffer that stays in the
// cache, as anything that writes would.
type copier struct {
	out io.Writer
	buf [64 << 10]byte
}

func (c *copier) Write(p []byte) (int, error) {
	n := copy(c.buf[:], p)
	return c.out.Write(c.buf[:n])
}

func main() {
	size := flag.Int("size", 64, "MiB of log")
	rounds := flag.Int("rounds", 5, "rounds, of which the best counts")
	budget := flag.Duration("budget", 300*time.Millisecond, "processor time of a round")
	slow := flag.Bool("slow", true, "measure the slow ones too")
	only := flag.String("only", "", "line, page, block, short, forms, build, pipe: measure this only")
	flag.Parse()
	runtime.LockOSThread()
	random := rand.New(rand.NewPCG(5, 5))

	memmove := subject{"memmove", func(w io.Writer, _ []string) (io.Writer, func() error) {
		return &copier{out: w}, func() error { return nil }
	}}
	textbook := subject{"textbook Aho-Corasick", func(w io.Writer, secrets []string) (io.Writer, func() error) {
		return &dfaWriter{dfa: newDFA(secrets), out: w}, func() error { return nil }
	}}
	b := bench{random: random, size: *size, rounds: *rounds, budget: *budget}
	subjects := []subject{memmove, {"mask, all forms", ours()}, {"mask, values only", ours(mask.Encodings(false))}}
	if *slow {
		subjects = append(append(subjects, textbook), peers...)
	}

	missed := b.cuttings(subjects, *only)
	if *only == "" || *only == "forms" {
		b.forms(memmove)
	}
	if *only == "" || *only == "build" {
		building(random)
	}
	if *only == "" || *only == "pipe" {
		runtime.UnlockOSThread() // who waits for a pipe shall not hold a thread
		piping(random, *size, *rounds)
	}
	if len(missed) > 0 {
		fmt.Printf("\nless than %d times Buildkite's:\n%s\n", wanted, strings.Join(missed, "\n"))
		os.Exit(1)
	}
}

// A bench is what all tables are measured with.
type bench struct {
	random *rand.Rand
	size   int // MiB of log
	rounds int
	budget time.Duration
}

// cuttings prints a table for each way of cutting a log into Writes, and returns
// the rows that miss what is wanted.
func (b bench) cuttings(subjects []subject, only string) (missed []string) {
	for _, c := range []struct {
		cutting
		key    string
		counts []int
	}{
		{cutting{"one line a Write", 0}, "line", []int{1, 10, 100, 1000, 10000}},
		{cutting{"Writes of 4 KiB", 4 << 10}, "page", []int{1, 10, 100, 1000, 10000}},
		{cutting{"Writes of 32 KiB", 32 << 10}, "block", []int{1, 10, 100, 1000, 10000}},
		{cutting{"Writes of 80 bytes", 80}, "short", []int{1, 10, 100, 1000, 10000}},
	} {
		if only != "" && only != c.key {
			continue
		}
		fmt.Printf("\n%s, 0.1 %% of lines hold a secret: share of memmove (MB/s of processor time)\n\n| secrets |", c.name)
		for _, s := range subjects {
			fmt.Printf(" %s |", s.name)
		}
		columns := len(subjects)
		if measuresPeer(subjects) {
			fmt.Print(" mask / buildkite-agent |")
			columns++
		}
		fmt.Print("\n|---|" + strings.Repeat("---|", columns) + "\n")
		for _, n := range c.counts {
			secrets := makeSecrets(n, b.random)
			log := writeLog(nil, b.size<<20, b.random, secrets, 0.001)
			if ratio := report(fmt.Sprint(n), compare(subjects, secrets, log, c.cutting, b.rounds, b.budget)); ratio < wanted {
				missed = append(missed, fmt.Sprintf("%s, %d secrets: %.2g", c.name, n, ratio))
			}
		}
	}
	return missed
}

// forms prints the table of what all forms of production's secrets cost.
func (b bench) forms(memmove subject) {
	secrets := makeProduction(b.random)
	log := writeLog(nil, b.size<<20, b.random, nil, 0)
	m := mask.New()
	for _, s := range secrets {
		m.Add(s)
	}
	fmt.Printf("\nAll forms of 20 secrets, two short ones and a key (%d patterns), no hits\n\n| Writes | memmove | mask, all forms |\n|---|---|---|\n", m.Patterns())
	for _, c := range []cutting{{"line", 0}, {"80 bytes", 80}, {"4 KiB", 4 << 10}, {"32 KiB", 32 << 10}} {
		report(c.name, compare([]subject{memmove, {"mask, all forms", ours()}}, secrets, log, c, b.rounds, b.budget))
	}
}

// wanted is how many times the speed of Buildkite's replacer the masker has at least,
// in every row.
const wanted = 3

const buildkite = "buildkite-agent"

func measuresPeer(subjects []subject) bool {
	return slices.ContainsFunc(subjects, func(s subject) bool { return s.name == buildkite })
}

// report prints a row. The ratio is what the slower of the two modes has of
// Buildkite's speed; infinite if that is not measured.
func report(name string, all []*measured) (ratio float64) {
	ratio = math.Inf(1)
	fmt.Printf("| %s |", name)
	for i, m := range all {
		if i == 0 {
			fmt.Printf(" 1 (%.0f) |", m.best)
			continue
		}
		allocs := ""
		if m.allocs > 0.01 {
			allocs = fmt.Sprintf(", %.3g allocations a Write", m.allocs)
		}
		fmt.Printf(" %.2g (%.4g%s) |", m.best/all[0].best, m.best, allocs)
		if m.name == buildkite {
			ratio = min(all[1].best, all[2].best) / m.best
		}
	}
	if !math.IsInf(ratio, 1) {
		fmt.Printf(" %.3g |", ratio)
	}
	fmt.Println()
	return ratio
}

// building reports time and memory until the first Write.
func building(random *rand.Rand) {
	fmt.Print("\nBuilding: all Adds and the first Write\n\n| secrets | patterns | ms of processor time | MB |\n|---|---|---|---|\n")
	for _, c := range []struct {
		name    string
		secrets []string
		opts    []mask.Option
	}{
		{"20, all forms", makeSecrets(20, random), nil},
		{"20, two short ones and a key, all forms", makeProduction(random), nil},
		{"1,000, forms off", makeSecrets(1000, random), []mask.Option{mask.Encodings(false)}},
		{"10,000, forms off", makeSecrets(10000, random), []mask.Option{mask.Encodings(false)}},
	} {
		best := time.Hour
		var heap float64
		var patterns int
		for range 5 {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			start := cpu()
			m := mask.New(c.opts...)
			for _, s := range c.secrets {
				m.Add(s)
			}
			w := m.Writer(&sink{})
			if _, err := w.Write([]byte("x\n")); err != nil {
				panic(err)
			}
			best = min(best, cpu()-start)
			patterns = m.Patterns()
			runtime.GC()
			runtime.ReadMemStats(&after)
			heap = float64(after.HeapAlloc-before.HeapAlloc) / 1e6
			runtime.KeepAlive(w)
		}
		fmt.Printf("| %s | %d | %.2f | %.1f |\n", c.name, patterns, float64(best.Microseconds())/1000, heap)
	}
}

// piping reports the wall speed from one process through us to another.
func piping(random *rand.Rand, size, rounds int) {
	fmt.Print("\nThrough pipes (cat, us, cat), 64 KiB reads: share of a plain copy's wall speed (MB/s)\n\n| secrets | plain copy | mask, values only |\n|---|---|---|\n")
	kinds := []subject{
		{name: "plain copy"}, {"mask, values only", ours(mask.Encodings(false))},
	}
	for _, n := range []int{10, 100, 1000} {
		secrets := makeSecrets(n, random)
		log := writeLog(nil, size<<20, random, secrets, 0.001)
		file, err := os.CreateTemp("", "log")
		if err != nil {
			panic(err)
		}
		if _, err := file.Write(log); err != nil {
			panic(err)
		}
		best := make([]float64, len(kinds))
		for range rounds {
			for i, k := range kinds {
				start := time.Now()
				through(file.Name(), 4, secrets, k)
				best[i] = max(best[i], 4*float64(len(log))/1e6/time.Since(start).Seconds())
			}
		}
		fmt.Printf("| %d | 1 (%.0f) |", n, best[0])
		for _, speed := range best[1:] {
			fmt.Printf(" %.2f (%.0f) |", speed/best[0], speed)
		}
		fmt.Println()
		_ = file.Close()
		_ = os.Remove(file.Name())
	}
}

// through sends a file some times through this process.
func through(name string, times int, secrets []string, s subject) {
	args := make([]string, times)
	for i := range args {
		args[i] = name
	}
	from, to := exec.Command("cat", args...), exec.Command("cat")
	out, err := from.StdoutPipe()
	if err != nil {
		panic(err)
	}
	in, err := to.StdinPipe()
	if err != nil {
		panic(err)
	}
	if err := from.Start(); err != nil {
		panic(err)
	}
	if err := to.Start(); err != nil {
		panic(err)
	}
	var w io.Writer = in
	end := func() error { return nil }
	if s.make != nil {
		w, end = s.make(in, secrets)
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{out}, make([]byte, 64<<10)); err != nil {
		panic(err)
	}
	if err := end(); err != nil {
		panic(err)
	}
	_ = in.Close()
	_ = from.Wait()
	_ = to.Wait()
}
