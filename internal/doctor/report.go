package doctor

import (
	"slices"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// A State is how it is with what was looked at.
type State string

// The states of a finding.
const (
	Well   State = "well"
	Notice State = "notice"  // a run does not fail for it
	Wrong  State = "problem" // a run fails for it, or is not safe
	Unseen State = "unknown" // it could not be looked at
)

// The areas, in the order of the report.
const (
	areaCredentials = "1Password"
	areaSecrets     = "secrets"
	areaKey         = "SSH key"
	areaHosts       = "hosts"
	areaRegistry    = "registry"
	areaMachine     = "this machine"
	areaKamal       = "Kamal"
	areaGitHub      = "GitHub"
	areaProjectFile = "project file"
)

// A Finding is what one look has found. No value of a secret stands in it.
type Finding struct {
	Area    string   `json:"area"`
	Check   string   `json:"check"`           // what was looked at, such as "disk"
	About   string   `json:"about,omitempty"` // of several things of a kind, such as a host
	State   State    `json:"state"`
	Text    string   `json:"text"`
	Details []string `json:"details,omitempty"`
	Hint    string   `json:"hint,omitempty"`
	Place   string   `json:"place,omitempty"` // in a file of the user's
	Help    string   `json:"help,omitempty"`  // the page on which more is written of a problem
}

// A Report is all that was found.
type Report struct {
	Findings []Finding     `json:"findings"`
	Counts   map[State]int `json:"counts"`
}

// Status is the exit status of a report.
func (r Report) Status() int {
	switch {
	case r.Counts[Wrong] > 0:
		return problem.Found
	case r.Counts[Unseen] > 0:
		return problem.Partial
	}
	return problem.Done
}

// report makes one of findings that stand in the order of their checks. What two looks
// have met, such as credentials that are refused, is told once; what is wrong in two
// places is told of each.
func report(found []Finding) Report {
	r := Report{Findings: []Finding{}, Counts: map[State]int{Well: 0, Notice: 0, Wrong: 0, Unseen: 0}}
	for _, f := range found {
		same := func(other Finding) bool {
			return other.Text == f.Text && other.About == f.About && other.State == f.State && other.Place == f.Place
		}
		if slices.ContainsFunc(r.Findings, same) {
			continue
		}
		if f.State == Wrong && f.Help == "" {
			f.Help = problem.Doctor.URL()
		}
		r.Findings = append(r.Findings, f)
		r.Counts[f.State]++
	}
	return r
}

// problems are findings of an error's problems.
func problems(f Finding, err error) (found []Finding) {
	for _, p := range problem.Of(err) {
		f.Text, f.Details, f.Hint, f.Place, f.Help = p.Message, p.Details, p.Hint, p.Place.String(), ""
		if f.State == Wrong {
			f.Help = p.URL()
		}
		found = append(found, f)
	}
	return found
}

// unseen is a finding of what could not be looked at.
func unseen(area, check, text, why string) Finding {
	return Finding{Area: area, Check: check, State: Unseen, Text: text, Hint: why}
}
