// Package longrun tells tests how often to do what is random or repeated: a little
// in every run, and in full where the long run was asked for, as by `make test-long`.
package longrun

import "os"

// env is the variable that asks for the long run.
const env = "KAMAL_OP_LONG_TESTS"

// Asked tells whether the long run was asked for.
func Asked() bool { return os.Getenv(env) != "" }

// Times is how often something is done: usual, or many in the long run.
func Times(usual, many int) int {
	if Asked() {
		return many
	}
	return usual
}
