package gate_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/kamal-op/kamal-op/internal/gate"
)

// BenchmarkChild is a child's log on its whole way, a line a write and 32 KiB a write.
func BenchmarkChild(b *testing.B) {
	line := "  INFO [0a1b2c3d] Running docker run --detach --name app-web-1234567 on 192.0.2.10\n"
	for name, piece := range map[string][]byte{"line": []byte(line), "32KiB": bytes.Repeat([]byte(line), 32<<10/len(line))} {
		for source, s := range map[string]*gate.Stream{"GitHub": onGitHub(io.Discard, nil).Stdout(), "GitLab": in(map[string]string{"GITLAB_CI": "true"}, io.Discard, nil).Stdout()} {
			b.Run(name+"/"+source, func(b *testing.B) {
				child := s.Child(s, gate.ChildOptions{})
				b.SetBytes(int64(len(piece)))
				b.ReportAllocs()
				for b.Loop() {
					_, _ = child.Write(piece)
				}
			})
		}
	}
}
