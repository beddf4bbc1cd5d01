package onepassword

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pageOut lets the system take back the whole pages of b. MADV_PAGEOUT (Linux 5.4)
// keeps what is in them, unlike MADV_DONTNEED, so that it does not matter what kind
// of memory b is in; an older kernel refuses, and nothing is lost.
func pageOut(b []byte) {
	size := uintptr(os.Getpagesize())
	if uintptr(len(b)) < 2*size {
		return
	}
	start := uintptr(unsafe.Pointer(&b[0])) //nolint:gosec // an address, to find the first page
	skip := (size - start%size) % size
	whole := (uintptr(len(b)) - skip) / size * size
	_ = unix.Madvise(b[skip:skip+whole], unix.MADV_PAGEOUT) // advice
}
