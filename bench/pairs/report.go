//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// goals are what is aimed at: a ratio of wall times, milliseconds of the own process's
// CPU, its megabytes; "" is none.
type goals struct{ wall, cpu, memory string }

// report prints what the deploys took, beside the goals.
// alone has one more than ours: the one before and the one after each of ours.
func report(out io.Writer, alone, ours []sample, goal goals) {
	wall := func(s sample) float64 { return s.wall.Seconds() }
	cpu := func(s sample) float64 { return s.cpu.Seconds() }
	begins := func(s sample) float64 { return s.begins().Seconds() }
	added := make([]float64, 0, len(ours))
	for i, s := range ours {
		added = append(added, 1000*(begins(s)-(begins(alone[i])+begins(alone[i+1]))/2))
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\n%d pairs\tmedian\tlowest\thighest\tgoal\n", len(ours))
	row := func(name, format string, all []float64, goal string) {
		slices.Sort(all)
		fmt.Fprintf(table, "%s\t"+format+"\t"+format+"\t"+format+"\t%s\n", name, middle(all), all[0], all[len(all)-1], goal)
	}
	row("wall, kamal-op by Kamal alone", "%.3f", ratios(alone, ours, wall), goal.wall)
	row("wall, Kamal alone by itself", "%.3f", itself(alone, wall), "")
	row("CPU, kamal-op by Kamal alone", "%.3f", ratios(alone, ours, cpu), "")
	row("CPU, Kamal alone by itself", "%.3f", itself(alone, cpu), "")
	row("wall of Kamal alone, s", "%.2f", each(alone, wall), "")
	row("wall of kamal-op, s", "%.2f", each(ours, wall), "")
	row("Kamal's first line later than alone, ms", "%.0f", added, "")
	row("first line of kamal-op, ms", "%.0f", each(ours, func(s sample) float64 { return milliseconds(s.first()) }), "100")
	row("CPU of kamal-op's own process, ms", "%.0f", each(ours, func(s sample) float64 { return milliseconds(s.ownCPU) }), goal.cpu)
	row("memory of kamal-op's own process, MB", "%.1f", each(ours, func(s sample) float64 { return float64(s.ownMemory) / 1e6 }), goal.memory)
	_ = table.Flush() // there is no one to be told
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// ratios are what ours have of something, by the mean of Kamal's before and after.
func ratios(alone, ours []sample, of func(sample) float64) []float64 {
	all := make([]float64, 0, len(ours))
	for i, s := range ours {
		all = append(all, 2*of(s)/(of(alone[i])+of(alone[i+1])))
	}
	return all
}

// itself is what each but the first has of something, by the one before.
func itself(alone []sample, of func(sample) float64) []float64 {
	all := make([]float64, 0, len(alone))
	for i := range alone[1:] {
		all = append(all, of(alone[i+1])/of(alone[i]))
	}
	return all
}

func each(samples []sample, of func(sample) float64) []float64 {
	all := make([]float64, 0, len(samples))
	for _, s := range samples {
		all = append(all, of(s))
	}
	return all
}

// middle is the median of sorted numbers.
func middle(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
