//go:build !linux

package program

// harden sets what holds for the whole process: on other systems nothing does.
func harden() []error { return nil }

// forgetter gives what overwrites variables in what the system shows of our environment:
// on other systems nothing does.
func forgetter() func(func(string) bool) error { return nil }
