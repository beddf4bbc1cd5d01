// Package supervise runs one child process and sees it to its end: its own
// session and process group, its streams, its terminal, the signals it gets,
// and the processes that it leaves behind. Whatever happens, the exit status
// is the child's own and nothing of the child's is left running.
//
// # How a child is stopped
//
// The end of the context (or a signal on Command.Signals) begins an orderly
// stop. It has up to three stages, each with its own time:
//
//  1. Asked: Command.Stop is called, or, where there is none, the group gets
//     the signal that the context's cause carries (see Signalled), else SIGTERM.
//     The child has Command.Grace to come down.
//  2. Terminated: the whole group gets SIGTERM and has Command.TermGrace.
//  3. Killed: everything in the child's session gets SIGKILL.
//
// Every further SIGINT, SIGTERM, SIGHUP or SIGQUIT on Command.Signals goes to
// the next stage at once. With the defaults the worst case is 5 seconds: a CI
// runner that cancels gives 10 (SIGINT, 7.5 s, SIGTERM, 2.5 s, SIGKILL).
package supervise
