package check

import (
	"slices"
	"strings"
)

// withoutFiles are a finding's message and hint without the secrets files that they name.
func (f *Finding) withoutFiles() (message, hint string) {
	message, hint = f.Problem.Message, f.Problem.Hint
	if len(f.lookedIn) > 0 {
		message = strings.Replace(message, oneOf(f.lookedIn), "\x00", 1)
		hint = strings.Replace(hint, strings.Join(f.belongs, " and "), "\x00", 1)
	}
	return message, hint
}

// alsoIn has a finding name the secrets files of another destination, too, where the
// same is wrong.
func (f *Finding) alsoIn(other Finding) {
	if len(f.lookedIn) == 0 {
		return
	}
	message, hint := f.withoutFiles()
	common := f.lookedIn[0] // which every destination reads
	f.lookedIn, f.belongs = withAll(f.lookedIn, other.lookedIn), withAll(f.belongs, other.belongs)
	if slices.Contains(f.belongs, common) {
		f.belongs = []string{common}
	}
	p := *f.Problem
	p.Message = strings.Replace(message, "\x00", oneOf(f.lookedIn), 1)
	p.Hint = strings.Replace(hint, "\x00", strings.Join(f.belongs, " and "), 1)
	f.Problem = &p
}

// withAll is a list with what of another it does not have.
func withAll(list, more []string) []string {
	list = slices.Clone(list)
	for _, one := range more {
		if !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	return list
}

// oneOf is a list as a sentence has it: a, b or c.
func oneOf(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + " or " + list[last]
}
