// Package sample is what the tests of mutate change.
package sample

// Sign tells whether a number is under another.
func Sign(n, of int, name string) string {
	if n < of {
		return name + " is less"
	}
	return name
}

// Count counts to a number.
func Count(to int) (n int) {
	for n != to {
		n++
	}
	return n
}
