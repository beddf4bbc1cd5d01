//go:build !linux

package deploy

// inMemory reports whether a directory's file system lives in memory. Other systems
// have no such place by default.
func inMemory(string) bool { return false }
