//go:build !linux

package main

// harden sets what holds for the whole process: on other systems nothing does.
func harden() []error { return nil }

// forget overwrites variables in what the system shows of our environment: on other
// systems nothing does.
func forget(func(string) bool) error { return nil }
