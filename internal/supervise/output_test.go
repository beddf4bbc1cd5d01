//go:build linux

package supervise_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/supervise"
)

// counting counts, and remembers the largest piece.
type counting struct{ bytes, largest int }

func (c *counting) Write(p []byte) (int, error) {
	c.bytes += len(p)
	c.largest = max(c.largest, len(p))
	return len(p), nil
}

func TestRun_PassesAGigabyteWithoutANewlineInFlatMemory(t *testing.T) {
	const total = 1 << 30
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var out counting
	c := self(t, "flood", "1073741824")
	c.Stdout = &out
	if exit := run(t, c); exit.Code != 0 {
		t.Fatalf("%+v", exit)
	}
	runtime.ReadMemStats(&after)
	if out.bytes != total {
		t.Errorf("%d bytes of %d", out.bytes, total)
	}
	// Looking for leftovers reads /proc, which is as large as the machine is busy.
	if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 {
		t.Errorf("allocated %d bytes in all", used)
	}
	if out.largest > 64<<10 {
		t.Errorf("a piece of %d bytes", out.largest)
	}
}

func TestRun_PassesOnEveryByteAsItComes(t *testing.T) {
	text := "Log into image registry…\xff no newline"
	answers, answer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer answers.Close()
	defer answer.Close()
	var pieces []string
	c := self(t, "slowly", text)
	c.Stdin = answers
	c.Stdout = writeFunc(func(p []byte) (int, error) {
		pieces = append(pieces, string(p))
		_, err := answer.Write([]byte{1})
		return len(p), err
	})
	if exit := run(t, c); exit.Code != 0 {
		t.Errorf("%+v", exit)
	}
	if len(pieces) != len(text) || strings.Join(pieces, "") != text {
		t.Errorf("%d bytes came as %q", len(text), pieces)
	}
}

func TestRun_PassesOnAPromptWhileTheChildWaits(t *testing.T) {
	answers, answer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer answers.Close()
	defer answer.Close()
	out := newPage()
	c := shell("date +%s%N >&2; printf 'Enter the password: '; read answer; echo got $answer")
	var begun bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = answers, out, &begun
	_, ended := begin2(t, c)
	out.await(t, "Enter the password: ") // nothing else comes before the answer
	if _, err := answer.WriteString("it\n"); err != nil {
		t.Fatal(err)
	}
	ended()
	if got, want := out.String(), "Enter the password: got it\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	printed := time.Unix(0, int64(pidIn(t, begun.String())))
	t.Logf("the prompt came %v after the child began", out.at[0].Sub(printed))
}

func TestRun_PassesOnAnyBytes(t *testing.T) {
	want := make([]byte, 0, 1<<16)
	for i := range 1 << 16 {
		want = append(want, byte(i*7), byte(i>>8))
	}
	path := file(t, "bytes", string(want), 0o600)
	var out bytes.Buffer
	c := shell("cat " + path)
	c.Stdout = &out
	run(t, c)
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("%d bytes came of %d, or others", out.Len(), len(want))
	}
}

// refusing takes some bytes and then fails.
type refusing struct {
	take int
	err  error
}

func (r *refusing) Write(p []byte) (int, error) {
	if r.take -= len(p); r.take < 0 {
		return 0, r.err
	}
	return len(p), nil
}

func TestRun_EndsAChildWhoseOutputNobodyTakes(t *testing.T) {
	for _, refusal := range []error{syscall.EPIPE, syscall.ENOSPC} {
		c := &supervise.Command{Path: "yes", Env: []string{"PATH=" + os.Getenv("PATH")}, Stdout: &refusing{take: 1 << 20, err: refusal}}
		exit, err := c.Run(t.Context())
		var output *supervise.OutputError
		if !errors.As(err, &output) || output.Stream != "standard output" || !errors.Is(err, refusal) {
			t.Errorf("got %v", err)
		}
		if want := (supervise.Exit{Code: -1, Signal: syscall.SIGPIPE}); exit != want {
			t.Errorf("got %+v, want %+v", exit, want)
		}
	}
}

func TestRun_StopsInOrderAChildWhoseOutputNobodyTakes(t *testing.T) {
	asked := false
	c := self(t, "obeys")
	c.Stdout = &refusing{err: syscall.EPIPE}
	c.Stop = stopWith(syscall.SIGUSR1, &asked)
	exit, err := c.Run(t.Context())
	if !errors.Is(err, syscall.EPIPE) {
		t.Errorf("got %v", err)
	}
	// It wrote once more after that, which was discarded and did it no harm.
	if want := (supervise.Exit{Code: 40 + int(syscall.SIGUSR1), Stage: supervise.Asked}); exit != want || !asked {
		t.Errorf("got %+v, want %+v", exit, want)
	}
}

func TestRun_GoesOnWithOneStreamWhereTheOtherIsRefused(t *testing.T) {
	var out bytes.Buffer
	c := shell("trap '' PIPE; echo lost >&2; sleep 0.1; echo lost >&2; echo kept")
	c.Stdout, c.Stderr = &out, &refusing{err: io.ErrClosedPipe}
	exit, err := c.Run(t.Context())
	var output *supervise.OutputError
	if !errors.As(err, &output) || output.Stream != "standard error" {
		t.Errorf("got %v", err)
	}
	if out.String() != "kept\n" || exit.Code != 0 {
		t.Errorf("got %q, %+v", out.String(), exit)
	}
}

func TestRun_TakesAShortWriteForARefusal(t *testing.T) {
	c := shell("echo a line")
	c.Stdout = writeFunc(func(p []byte) (int, error) { return len(p) - 1, nil })
	if _, err := c.Run(t.Context()); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v", err)
	}
}

func TestRun_DoesNotHangOnAWriterThatStalls(t *testing.T) {
	answers, answer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer answers.Close()
	free := make(chan struct{})
	ended := make(chan struct{})
	c := shell("echo a line; read answer; exit 0") // it ends when its line is being written
	c.Stdin = answers
	c.Stdout = writeFunc(func(p []byte) (int, error) { _ = answer.Close(); <-free; close(ended); return len(p), nil })
	c.WaitDelay = 10 * time.Millisecond
	if exit := run(t, c); exit.Code != 0 {
		t.Errorf("%+v", exit)
	}
	close(free)
	<-ended
}

func TestRun_WaitsForASlowWriter(t *testing.T) {
	// The child leaves a full pipe, which takes longer than WaitDelay to write,
	// but each piece takes less, by more than a busy machine adds.
	const total = 128 << 10
	var got, pieces int
	c := shell(fmt.Sprintf("head -c %d /dev/zero", total))
	c.Stdout = writeFunc(func(p []byte) (int, error) {
		time.Sleep(1800 * time.Millisecond)
		got += len(p)
		pieces++
		return len(p), nil
	})
	c.WaitDelay = 3 * time.Second
	run(t, c)
	if got != total {
		t.Errorf("%d bytes came in %d pieces", got, pieces)
	}
}

// writeFunc is a writer of one function.
type writeFunc func([]byte) (int, error)

func (f writeFunc) Write(p []byte) (int, error) { return f(p) }

func BenchmarkRun_Output(b *testing.B) {
	const total = 256 << 20
	b.SetBytes(total)
	for b.Loop() {
		var out counting
		c := self(b, "flood", "268435456")
		c.Stdout = &out
		run(b, c)
	}
}

func BenchmarkRun_True(b *testing.B) {
	for b.Loop() {
		run(b, &supervise.Command{Path: "/bin/true"})
	}
}
