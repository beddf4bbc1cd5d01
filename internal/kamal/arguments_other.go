//go:build !linux

package kamal

// MaxArguments is how much the system takes of arguments and environment together; 0 is
// that it is not known.
func MaxArguments() int { return 0 }
