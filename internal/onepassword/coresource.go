package onepassword

import (
	_ "unsafe" // for go:linkname
)

// The core lies in the program's data, 10 MB that are read once: to be decoded.
// wazero copies what it keeps of it. The SDK exports no name for it; where it has
// another one than this, what is here is empty and nothing is let go.
//
//go:linkname sdkCore github.com/1password/onepassword-sdk-go/internal.coreWASM
var sdkCore []byte

// letGoOfSource tells the system that the core's source is not needed in memory
// again. It is advice that changes nothing: whoever reads it after all gets it
// from the program's file.
func letGoOfSource() { pageOut(sdkCore) }

// releaseCore has the SDK forget its core, and make another one when it is asked next.
//
//go:linkname releaseCore github.com/1password/onepassword-sdk-go/internal.ReleaseCore
func releaseCore()
