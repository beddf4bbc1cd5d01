//go:build linux

// Package firstline measures how long a person looks at nothing: from the start of the
// program to the first byte on a terminal, for every command that asks something of
// somebody. The aim is less than 100 ms.
package firstline

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/kamal-op/kamal-op/internal/standin"
)

func BenchmarkFirstLine(b *testing.B) {
	program := filepath.Join(b.TempDir(), "kamal-op")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, "../..").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	vault, err := standin.StartVault(context.Background(), standin.VaultOptions{Vaults: []standin.VaultSpec{{
		Name: "MyApp", Items: []standin.ItemSpec{{Title: "Production", Fields: []standin.FieldSpec{{Label: "A", Value: "a-value-of-some-length", Type: "CONCEALED"}}}},
	}}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = vault.Close() })
	dir := project(b)
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + b.TempDir(), "TERM=xterm",
		"OP_CONNECT_HOST=" + vault.URL(), "OP_CONNECT_TOKEN=" + vault.Token(), "KAMAL_OP_SECRET=A=op://MyApp/Production/A",
	}
	for _, line := range []string{
		"deploy", "setup", "redeploy", "rollback v1", "kamal -- app details", "check", "add B --dry-run", "remove A --dry-run", "rename A B --dry-run",
		"verify", "plan", "watch", "promote --from staging --to production", "freeze -m Holidays", "thaw", "history", "doctor", "rotate --dry-run", "host-keys", "init --dry-run", "migrate --dry-run", "run -- true",
		"review list", "rehearse --project .", "version", "config", "help deploy", "completion bash", "man",
	} {
		b.Run(strings.ReplaceAll(line, " ", "_"), func(b *testing.B) {
			var slowest time.Duration
			fastest := time.Hour
			for b.Loop() {
				took := firstByte(b, program, dir, env, strings.Fields(line))
				slowest, fastest = max(slowest, took), min(fastest, took)
			}
			b.ReportMetric(float64(slowest.Microseconds())/1000, "ms-at-most")
			b.ReportMetric(float64(fastest.Microseconds())/1000, "ms-at-least") // on a busy machine it is the one that says something
		})
	}
}

// firstByte is the time from the start to the first byte on the terminal.
func firstByte(b *testing.B, program, dir string, env, args []string) time.Duration {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), program, args...)
	cmd.Dir, cmd.Env = dir, env
	begun := time.Now()
	screen, err := pty.Start(cmd)
	if err != nil {
		b.Fatal(err)
	}
	_, err = screen.Read(make([]byte, 1))
	took := time.Since(begun)
	if err != nil {
		b.Fatalf("%q says nothing: %v", args, err)
	}
	b.StopTimer()
	_ = cmd.Process.Kill()             // it is not to begin what it says
	_, _ = io.Copy(io.Discard, screen) // its end is an error of a terminal
	_ = screen.Close()
	_ = cmd.Wait() // it was killed
	b.StartTimer()
	return took
}

// project is a project with a Kamal that takes a second to say which it is.
func project(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	for name, text := range map[string]string{
		"config/deploy.yml":            "service: myapp\nimage: example/myapp\nservers: [203.0.113.10]\nregistry: {username: example, password: [A]}\nbuilder: {arch: amd64}\n",
		"config/deploy.staging.yml":    "servers: [203.0.113.11]\n",
		"config/deploy.production.yml": "servers: [203.0.113.12]\n",
		".kamal/secrets":               "A=$A\n",
		"bin/kamal":                    "#!/bin/sh\nsleep 1\n[ \"$1\" = version ] && echo 2.12.0\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}
