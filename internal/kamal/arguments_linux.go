package kamal

import "syscall"

// MaxArguments is how much execve(2) takes of arguments and environment together: a
// quarter of the stack that a process may have, and never more than 6 MiB or less than
// 128 KiB.
func MaxArguments() int {
	const least, most = 128 << 10, 6 << 20
	var stack syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_STACK, &stack); err != nil {
		return 0
	}
	return int(max(least, min(stack.Cur/4, most)))
}
