package main

import (
	"slices"
	"strings"
	"testing"
)

const source = `package p

func f(a, b int) bool {
	s := "a && b" // a && b
	return a < b && -a-b > len(s)
}
`

func TestMutant_ChangesTheTokenAtItsPlace(t *testing.T) {
	for _, c := range []struct {
		column     int
		kind, want string
	}{
		{11, "CONDITIONALS_NEGATION", "return a >= b && -a-b > len(s)"},
		{11, "CONDITIONALS_BOUNDARY", "return a <= b && -a-b > len(s)"},
		{15, "INVERT_LOGICAL", "return a < b || -a-b > len(s)"},
		{18, "INVERT_NEGATIVES", "return a < b && +a-b > len(s)"},
		{20, "ARITHMETIC_BASE", "return a < b && -a+b > len(s)"},
	} {
		m := mutant{file: "p.go", line: 5, column: c.column, kind: c.kind}
		changed, err := m.apply([]byte(source))
		if want := strings.Replace(source, "return a < b && -a-b > len(s)", c.want, 1); err != nil || string(changed) != want {
			t.Errorf("%+v: %v\n%s", m, err, changed)
		}
	}
	for _, m := range []mutant{{"p.go", 4, 9, "INVERT_LOGICAL", true}, {"p.go", 5, 9, "INVERT_LOGICAL", true}, {"p.go", 50, 1, "INVERT_LOGICAL", true}} {
		if changed, err := m.apply([]byte(source)); err == nil {
			t.Errorf("%+v changed something:\n%s", m, changed)
		}
	}
}

func TestChoose_TheSameSampleForASeed(t *testing.T) {
	var all []mutant
	for line := range 100 {
		all = append(all, mutant{file: "p.go", line: line})
	}
	one := choose(all, 10, 1)
	slices.Reverse(all)
	if again := choose(all, 10, 1); !slices.Equal(one, again) || len(one) != 10 {
		t.Errorf("%v and %v", one, again)
	}
	if other := choose(all, 10, 2); slices.Equal(one, other) {
		t.Error("another seed chooses the same")
	}
	if len(choose(all, 0, 1)) != 100 || len(choose(all, 200, 1)) != 100 {
		t.Error("not all are there where all are asked for")
	}
}

func TestParse_LeavesPackagesBelow(t *testing.T) {
	report := `{"files":[
		{"file_name":"p.go","mutations":[{"type":"INVERT_LOGICAL","status":"RUNNABLE","line":5,"column":15},{"type":"ARITHMETIC_BASE","status":"NOT COVERED","line":5,"column":20}]},
		{"file_name":"below/q.go","mutations":[{"type":"INVERT_LOGICAL","status":"RUNNABLE","line":1,"column":1}]}]}`
	got, err := parse([]byte(report))
	if want := []mutant{{"p.go", 5, 15, "INVERT_LOGICAL", true}, {"p.go", 5, 20, "ARITHMETIC_BASE", false}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := parse([]byte(strings.Replace(report, "ARITHMETIC_BASE", "SOMETHING_NEW", 1))); err == nil {
		t.Error("an unknown kind passes")
	}
}

// A change that a test notices is killed, one that it does not lives, and what the
// language does not allow is told apart.
func TestTrial(t *testing.T) {
	tr, err := newTrial("testdata/sample", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for m, want := range map[mutant]outcome{
		{"sample.go", 6, 7, "CONDITIONALS_NEGATION", true}: killed,
		{"sample.go", 6, 7, "CONDITIONALS_BOUNDARY", true}: lived,
		{"sample.go", 7, 15, "ARITHMETIC_BASE", true}:      notViable,
		{"sample.go", 15, 4, "INCREMENT_DECREMENT", true}:  killed, // it never ends
	} {
		tr.time = 2e9
		if got, err := tr.run(m); err != nil || got != want {
			t.Errorf("%s of %s: %s, %v; want %s", m.kind, m.position(), got, err, want)
		}
	}
}

// A change that no test is said to come to is tried all the same.
func TestMeasure(t *testing.T) {
	var out strings.Builder
	score, err := measure("testdata/sample", []mutant{
		{"sample.go", 6, 7, "CONDITIONALS_NEGATION", false},
		{"sample.go", 6, 7, "CONDITIONALS_BOUNDARY", false},
		{"sample.go", 6, 7, "CONDITIONALS_BOUNDARY", true},
		{"sample.go", 7, 15, "ARITHMETIC_BASE", false},
	}, &out)
	const want = "not covered testdata/sample/sample.go:6:7: CONDITIONALS_BOUNDARY\n" +
		"lived testdata/sample/sample.go:6:7: CONDITIONALS_BOUNDARY\n" +
		"testdata/sample: 33.3 % of 3: 1 killed, 1 lived, 1 not covered (1 did not compile)\n"
	if err != nil || score < 33 || score > 34 || out.String() != want {
		t.Errorf("%v, %v\n%s", score, err, out.String())
	}
}
