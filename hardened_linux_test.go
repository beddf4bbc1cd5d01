package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// hardened prints what harden sets, as a program of its own: the settings would
// stay with the test's process.
func hardened() {
	refused := harden()
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("dumpable", dumpable, "refused", len(refused))
}
