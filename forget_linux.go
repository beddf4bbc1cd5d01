package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// forget overwrites the values of variables where the system keeps what this program
// was started with, which /proc/PID/environ and `ps e` show to root and, until the
// process is hardened, to its user. Go has copies of its own, which stay.
func forget(names func(string) bool) error {
	start, size, err := initialEnvironment()
	if err != nil {
		return notForgotten(err)
	}
	text := make([]byte, size)
	if err := ownMemory(unix.ProcessVMReadv, text, start); err != nil {
		return notForgotten(err)
	}
	at := start
	for entry := range bytes.SplitAfterSeq(text, []byte{0}) {
		name, value, ok := bytes.Cut(bytes.TrimSuffix(entry, []byte{0}), []byte("="))
		if ok && len(value) > 0 && names(string(name)) {
			clear(value)
			if err := ownMemory(unix.ProcessVMWritev, value, at+uintptr(len(name))+1); err != nil {
				return notForgotten(err)
			}
		}
		at += uintptr(len(entry))
	}
	return nil
}

func notForgotten(err error) error {
	return fmt.Errorf("the system does not let this process overwrite what it was started with, so that root can read secrets in /proc/PID/environ: %w", err)
}

// initialEnvironment is where the strings of the environment lie in our memory:
// env_start and env_end of proc_pid_stat(5).
func initialEnvironment() (start, size uintptr, err error) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0, 0, err
	}
	// The second field is the program's name, which may have spaces and parentheses.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const third, envStart, envEnd = 3, 50, 51
	if len(fields) <= envEnd-third {
		return 0, 0, errors.New("/proc/self/stat does not say where it is")
	}
	from, err := strconv.ParseUint(fields[envStart-third], 10, 64)
	if err != nil {
		return 0, 0, err
	}
	to, err := strconv.ParseUint(fields[envEnd-third], 10, 64)
	const most = 16 << 20 // beyond what a program can be started with
	if err != nil || from == 0 || to < from || to-from > most {
		return 0, 0, errors.New("/proc/self/stat does not say where it is")
	}
	return uintptr(from), uintptr(to - from), nil
}

// ownMemory copies between a slice and an address of this process.
func ownMemory(copied func(int, []unix.Iovec, []unix.RemoteIovec, uint) (int, error), ours []byte, at uintptr) error {
	if len(ours) == 0 {
		return nil
	}
	local := []unix.Iovec{{Base: &ours[0]}}
	local[0].SetLen(len(ours))
	n, err := copied(os.Getpid(), local, []unix.RemoteIovec{{Base: at, Len: len(ours)}}, 0)
	if err == nil && n != len(ours) {
		err = errors.New("a part of it is not there")
	}
	return err
}
