package mask

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

func letters(random *rand.Rand, n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[random.IntN(len(alphabet))]
	}
	return string(b)
}

// logLines are some of what a deployment prints.
var logLines = []string{
	"  INFO [0a1b2c3d] Finished in 1.234 seconds with exit status 0 (successful).\n",
	"#12 sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 12.34MB / 56.78MB 1.2s\n",
	`{"time":"2026-11-21T10:20:30.123456Z","level":"INFO","msg":"Request","request_id":"0a1b2c3d-1234-5678-9abc-0123456789ab","path":"/rooms/12/messages","status":200}` + "\n",
	"#21 34.567 Installing nokogiri 1.18.2 with native extensions and whatever else is needed\n",
	"[0a1b2c3d-1234-5678-9abc-0123456789ab] Completed 200 OK in 12ms (Views: 3.4ms | ActiveRecord: 5.6ms)\n",
	"  \x1b[0;34;49mINFO\x1b[0m [\x1b[0;32;49m0a1b2c3d\x1b[0m] Running \x1b[1;33;49mdocker image ls --filter label=service=app\x1b[0m on 203.0.113.7\n",
}

func BenchmarkWriter(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{10, 100, 1000} {
		for _, forms := range []bool{false, true} {
			if forms && n > 100 {
				continue
			}
			m := New(Encodings(forms))
			for range n {
				m.Add(letters(random, 20+random.IntN(45)))
			}
			for _, size := range []int{0, 80, 32 << 10} {
				var writes [][]byte
				total := 0
				if size == 0 {
					for range 50 {
						for _, l := range logLines {
							writes = append(writes, []byte(l))
							total += len(l)
						}
					}
				} else {
					text := bytes.Repeat([]byte(logLines[0]+logLines[1]+logLines[2]+logLines[3]+logLines[4]+logLines[5]), 300)
					for len(text) > size {
						writes = append(writes, text[:size])
						total += size
						text = text[size:]
					}
				}
				b.Run(fmt.Sprintf("secrets=%d/forms=%v/write=%d", n, forms, size), func(b *testing.B) {
					w := m.Writer(io.Discard)
					b.SetBytes(int64(total / len(writes)))
					b.ReportAllocs()
					i := 0
					for b.Loop() {
						if _, err := w.Write(writes[i]); err != nil {
							b.Fatal(err)
						}
						if i++; i == len(writes) {
							i = 0
						}
					}
				})
			}
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	var secrets []string
	for range 20 {
		secrets = append(secrets, letters(random, 20+random.IntN(45)))
	}
	b.ReportAllocs()
	for b.Loop() {
		m := New()
		for _, s := range secrets {
			m.Add(s)
		}
		m.compiled()
	}
}
