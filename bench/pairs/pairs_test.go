//go:build linux

package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestMeasure(t *testing.T) {
	// What it burns, and the memory it takes, are its child's.
	const burn = `i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; s=$(printf '%020000000d' 0)`
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	c := command{path: sh, args: []string{"-c", `echo one; "$0" -c "$1"; printf 'tw'; echo "o: Build and push app image..."`, sh, burn}}
	s, err := c.measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(s.lines) != 2 || s.lines[0].text != "one" || !strings.HasPrefix(s.lines[1].text, "two: ") {
		t.Fatalf("%+v", s.lines)
	}
	if s.first() <= 0 || s.first() >= s.begins() || s.begins() != s.lines[1].after {
		t.Errorf("the first line after %s, Kamal's after %s", s.first(), s.begins())
	}
	if s.ownCPU <= 0 || s.ownCPU > s.cpu/4 {
		t.Errorf("%s of %s are the process's own", s.ownCPU, s.cpu)
	}
	if s.ownMemory < 200<<10 || s.ownMemory > 15<<20 {
		t.Errorf("its own memory is %d", s.ownMemory)
	}
}

func TestMeasure_TellsWhatFailed(t *testing.T) {
	c := command{path: "/bin/sh", args: []string{"-c", "echo why; exit 3"}}
	if _, err := c.measure(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 3\nwhy") {
		t.Error(err)
	}
}

func TestReport(t *testing.T) {
	took := func(seconds float64) sample {
		d := time.Duration(seconds * float64(time.Second))
		return sample{wall: d, cpu: 2 * d, ownCPU: d / 100, ownMemory: 20e6, lines: []line{
			{after: d / 1000, text: "first"}, {after: d / 10, text: kamalBegins},
		}}
	}
	var out strings.Builder
	report(&out, []sample{took(4), took(6), took(6), took(10)}, []sample{took(10), took(6), took(4)}, goals{wall: "1.03", cpu: "60", memory: "30"})
	var rows []string
	for row := range strings.Lines(out.String()) {
		rows = append(rows, strings.Join(strings.Fields(row), " "))
	}
	for _, want := range []string{
		"3 pairs median lowest highest goal",
		"wall, kamal-op by Kamal alone 1.000 0.500 2.000 1.03",
		"wall, Kamal alone by itself 1.500 1.000 1.667",
		"CPU, kamal-op by Kamal alone 1.000 0.500 2.000",
		"wall of Kamal alone, s 6.00 4.00 10.00",
		"Kamal's first line later than alone, ms 0 -400 500",
		"first line of kamal-op, ms 6 4 10 100",
		"CPU of kamal-op's own process, ms 60 40 100 60",
		"memory of kamal-op's own process, MB 20.0 20.0 20.0 30",
	} {
		if !strings.Contains("\n"+strings.Join(rows, "\n")+"\n", "\n"+want+"\n") {
			t.Errorf("there is no row %q in\n%s", want, out.String())
		}
	}
}
