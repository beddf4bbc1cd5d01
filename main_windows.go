//go:build windows

// kamal-op does not run on Windows: run it under WSL, where it is a Linux program
// (docs/install.md). This file has another package's name, so that a build for
// Windows ends with that name at once, before anything is compiled.
package kamal_op_does_not_run_on_Windows_use_WSL
