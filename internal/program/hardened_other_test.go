//go:build !linux

package program

func hardened() {}

func forgetful() {}
func sandboxed() {}
