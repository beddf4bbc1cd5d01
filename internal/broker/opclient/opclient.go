// Package opclient is the `op` command that stands first on the PATH of a run's
// children: it hands its arguments to the run's broker over the private socket
// and prints what comes back.
//
// It is what runs when kamal-op is called under the name op, for every item and
// every `op read` line: it imports nothing of ours and nothing slow.
package opclient

import "io"

// Main carries out one call. args are without the program's name; env is the
// environment as NAME=value entries. The result is the exit status.
func Main(args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	_, _ = io.WriteString(stderr, "[ERROR] op: there is no run to ask\n")
	return 1
}
