package main

import (
	"io"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// cpu is the processor time of this thread. The clock is asked and not getrusage,
// whose times come in ticks.
func cpu() time.Duration {
	const threadCPU = 3 // CLOCK_THREAD_CPUTIME_ID
	var t syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, threadCPU, uintptr(unsafe.Pointer(&t)), 0); errno != 0 {
		panic(errno)
	}
	return time.Duration(t.Nano())
}

// cutting is how a log comes in Writes.
type cutting struct {
	name string
	size int // 0 is by line
}

func (c cutting) cut(log []byte) [][]byte {
	var writes [][]byte
	for i := 0; i < len(log); {
		n := c.size
		if n == 0 {
			n = 1
			for log[i+n-1] != '\n' {
				n++
			}
		}
		n = min(n, len(log)-i)
		writes = append(writes, log[i:i+n])
		i += n
	}
	return writes
}

// rate is the speed in MB/s of processor time: the best of some rounds, each
// ended after budget.
type measured struct {
	subject
	w       io.Writer
	end     func() error
	writes  [][]byte
	at      int
	best    float64
	seconds float64
	allocs  float64
}

func (m *measured) round(budget time.Duration) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, writes := 0, 0
	start := cpu()
	batch := 1 // the time is asked for so seldom that it does not count
	for spent := time.Duration(0); spent < budget; {
		for range batch {
			p := m.writes[m.at]
			if _, err := m.w.Write(p); err != nil {
				panic(err)
			}
			n += len(p)
			writes++
			if m.at++; m.at == len(m.writes) {
				m.at = 0
			}
		}
		now := cpu() - start
		if now-spent < budget/50 {
			batch *= 2
		}
		spent = now
	}
	took := (cpu() - start).Seconds()
	runtime.ReadMemStats(&after)
	m.allocs = float64(after.Mallocs-before.Mallocs) / float64(writes)
	if speed := float64(n) / 1e6 / took; speed > m.best {
		m.best = speed
	}
}

// compare measures subjects in turns, so that what disturbs disturbs all.
func compare(subjects []subject, secrets []string, log []byte, c cutting, rounds int, budget time.Duration) []*measured {
	writes := c.cut(log)
	all := make([]*measured, len(subjects))
	for i, s := range subjects {
		m := &measured{subject: s, writes: writes}
		m.w, m.end = s.make(&sink{}, secrets)
		all[i] = m
	}
	runtime.GC()
	for _, m := range all {
		m.round(budget / 8)
		m.best = 0
	}
	for range rounds {
		for _, m := range all {
			m.round(budget)
		}
	}
	for _, m := range all {
		if err := m.end(); err != nil {
			panic(err)
		}
	}
	return all
}
