//go:build !linux

package deploy

// inMemory tells whether a directory's file system lives in memory. Other systems
// have no such place by default.
func inMemory(string) bool { return false }
