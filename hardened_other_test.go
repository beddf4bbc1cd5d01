//go:build !linux

package main

func hardened() {}
