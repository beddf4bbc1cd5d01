//go:build !linux

package main

func hardened() {}

func forgetful() {}
func sandboxed() {}
