package check

import "strings"

// maxName is beyond every name that a person gives a secret. What is longer is
// compared with nothing.
const maxName = 256

// Nearest is the one of the names that is spelt almost like name: at most a third
// of it differs, and no more than two letters. "" where there is none.
func Nearest(name string, names []string) string {
	best, distance := "", min(2, len(name)/3)+1
	if len(name) > maxName {
		return ""
	}
	for _, n := range names {
		if len(n)-len(name) >= distance || len(name)-len(n) >= distance {
			continue // so much longer or shorter is no slip
		}
		if d := editDistance(strings.ToUpper(n), strings.ToUpper(name)); d < distance {
			best, distance = n, d
		}
	}
	return best
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
