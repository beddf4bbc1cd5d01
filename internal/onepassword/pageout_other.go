//go:build !linux

package onepassword

// pageOut does nothing: only Linux takes this advice.
func pageOut([]byte) {}
