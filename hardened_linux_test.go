package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

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

// forgetful forgets variables, and prints what the system shows of the environment that
// it was started with, and what it still knows itself.
func forgetful() {
	names := os.Args[1:]
	if err := forget(func(name string) bool { return slices.Contains(names, name) }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shown, err := os.ReadFile("/proc/self/environ")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(strings.ReplaceAll(string(shown), "\x00", "\n"))
	fmt.Println("known:", os.Getenv(names[0]))
}
