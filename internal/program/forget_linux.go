package program

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// forgetter gives what overwrites the values of variables where the system keeps what
// this program was started with, which /proc/PID/environ and `ps e` show to root and,
// until the process is hardened, to its user. Go has copies of its own, which stay.
//
// It is to be had before the process is hardened: the system then gives our memory to
// nobody of this user, not even to us. (Docker's seccomp profile may refuse
// process_vm_writev, which needs no descriptor.)
func forgetter() func(names func(string) bool) error {
	memory, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	return func(names func(string) bool) error {
		if err == nil {
			err = forget(memory, names)
		}
		if err != nil {
			return fmt.Errorf("the system does not let this process overwrite what it was started with, so that root can read secrets in /proc/PID/environ: %w", err)
		}
		return nil
	}
}

// forget overwrites variables in our memory.
func forget(memory *os.File, names func(string) bool) error {
	at, size, err := initialEnvironment()
	if err != nil {
		return err
	}
	text := make([]byte, size)
	if _, err := memory.ReadAt(text, at); err != nil {
		return err
	}
	for entry := range bytes.SplitAfterSeq(text, []byte{0}) {
		name, value, ok := bytes.Cut(bytes.TrimSuffix(entry, []byte{0}), []byte("="))
		if ok && len(value) > 0 && names(string(name)) {
			clear(value)
			if _, err := memory.WriteAt(value, at+int64(len(name)+1)); err != nil {
				return err
			}
		}
		at += int64(len(entry))
	}
	return nil
}

// initialEnvironment is where the strings of the environment lie in our memory:
// env_start and env_end of proc_pid_stat(5).
func initialEnvironment() (start, size int64, err error) {
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
	start, err = strconv.ParseInt(fields[envStart-third], 10, 64)
	if err != nil {
		return 0, 0, err
	}
	end, err := strconv.ParseInt(fields[envEnd-third], 10, 64)
	const most = 16 << 20 // beyond what a program can be started with
	if err != nil || start <= 0 || end < start || end-start > most {
		return 0, 0, errors.New("/proc/self/stat does not say where it is")
	}
	return start, end - start, nil
}
