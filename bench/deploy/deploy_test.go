// Package deploy measures what kamal-op adds to Kamal: the CPU time and memory of
// a whole `kamal-op deploy` in Connect mode around a Kamal that does nothing,
// beside that Kamal alone in the same run, and the start of the program.
package deploy

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

// names are the secrets of the walkthrough project.
var names = []string{"KAMAL_REGISTRY_PASSWORD", "RAILS_MASTER_KEY", "DATABASE_PASSWORD", "CHATKIT_PK", "MAILGUN_INGRESS_SIGNING_KEY"}

// A cost is what a run of a program took: processor time of it and its children,
// wall time, the largest resident set among them.
type cost struct {
	cpu, wall time.Duration
	rss       int64 // bytes
}

// run runs a program to its end.
func run(b *testing.B, dir string, env []string, program string, args ...string) cost {
	b.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = dir, env
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		b.Fatal("this system does not say what a process took")
	}
	return cost{
		cpu:  cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		wall: time.Since(began), rss: usage.Maxrss << 10,
	}
}

// build builds the program as it is released.
func build(b *testing.B) string {
	b.Helper()
	binary := filepath.Join(b.TempDir(), "kamal-op")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, "github.com/kamal-op/kamal-op")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// BenchmarkVersion is the start of the program: every step of a CI job pays it.
func BenchmarkVersion(b *testing.B) {
	binary := build(b)
	var sum cost
	for b.Loop() {
		c := run(b, "", nil, binary, "version")
		sum.cpu, sum.wall, sum.rss = sum.cpu+c.cpu, sum.wall+c.wall, max(sum.rss, c.rss)
	}
	report(b, sum)
}

// BenchmarkDeploy is a deploy of the walkthrough project, with its five secrets
// and its key from a vault on this machine, and a Kamal that only starts and
// ends: what is left is ours. own-cpu-ms is that less the same Kamal alone, which
// a run calls twice (its version, its command).
func BenchmarkDeploy(b *testing.B) {
	binary := build(b)
	dir := project(b)
	vault, err := standin.StartVault(b.Context(), standin.VaultOptions{Vaults: []standin.VaultSpec{walkthrough(b)}})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = vault.Close() }()
	kamal := filepath.Join(dir, "kamal")
	env := []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "OP_CONNECT_HOST=" + vault.URL(), "OP_CONNECT_TOKEN=" + vault.Token()}
	args := []string{"deploy", "--kamal", kamal, "--ssh-key", "op://MyApp/Server"}
	for _, name := range names {
		args = append(args, "--secret", name+"=op://MyApp/Production/"+name)
	}
	args = append(args, "--", "--skip-push")
	var sum, alone cost
	for b.Loop() {
		c := run(b, dir, env, binary, args...)
		sum.cpu, sum.wall, sum.rss = sum.cpu+c.cpu, sum.wall+c.wall, max(sum.rss, c.rss)
		for _, arg := range []string{"version", "deploy"} {
			alone.cpu += run(b, dir, env, kamal, arg).cpu
		}
	}
	report(b, sum)
	b.ReportMetric(float64((sum.cpu-alone.cpu).Microseconds())/1000/float64(b.N), "own-cpu-ms")
}

func report(b *testing.B, sum cost) {
	b.Helper()
	n := float64(b.N)
	b.ReportMetric(float64(sum.cpu.Microseconds())/1000/n, "cpu-ms")
	b.ReportMetric(float64(sum.wall.Microseconds())/1000/n, "wall-ms")
	b.ReportMetric(float64(sum.rss)/(1<<20), "rss-MiB")
}

// project is the walkthrough project with a Kamal that does nothing.
func project(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	secrets, uses := "", ""
	for _, name := range names {
		secrets += name + "=$" + name + "\n"
		if name != "KAMAL_REGISTRY_PASSWORD" {
			uses += "    - " + name + "\n"
		}
	}
	for name, text := range map[string]string{
		"config/deploy.yml": "service: myapp\nimage: example/myapp\nservers: [203.0.113.10]\nbuilder: {arch: amd64}\n" +
			"registry: {username: example, password: [KAMAL_REGISTRY_PASSWORD]}\nenv:\n  secret:\n" + uses,
		".kamal/secrets": secrets,
		"kamal":          "#!/bin/sh\necho 2.12.0\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// walkthrough is the walkthrough's vault, its values and its key made up.
func walkthrough(b *testing.B) standin.VaultSpec {
	b.Helper()
	key, _ := testkit.SSHKey(b, "")
	production := standin.ItemSpec{Title: "Production"}
	for _, name := range names {
		production.Fields = append(production.Fields, standin.FieldSpec{Label: name, Value: rand.Text(), Type: "CONCEALED"})
	}
	return standin.VaultSpec{Name: "MyApp", Items: []standin.ItemSpec{production, {
		Title:  "Server",
		Fields: []standin.FieldSpec{{Label: "SSH_KEY", Value: key, Type: "CONCEALED"}},
	}}}
}
