// Package broker measures what the op command of a run costs Kamal.
//
// It runs in the Kamal image, where Kamal is and Go is not:
//
//	CGO_ENABLED=0 go test -c -o broker.test ./bench/broker
//	CGO_ENABLED=0 go build -o kamal-op .
//	docker run --rm -v $PWD:/b:ro --entrypoint /b/broker.test IMAGE -kamal /usr/bin/kamal -op /b/kamal-op -test.v
package broker

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/broker/opclient"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/mask"
)

var (
	realKamal = flag.String("kamal", "", "path of a real Kamal")
	program   = flag.String("op", "", "path of the built kamal-op")
	rounds    = flag.Int("rounds", 21, "how often each is run")
)

// noop is an op that does nothing but answer, at once, what Kamal needs to go on.
const noop = `#!/bin/sh
case "$1 $2" in
"item get") for a; do case $a in label=*) l=${a#label=};; esac; done
echo "{\"label\":\"$l\",\"value\":\"value-$l\",\"reference\":\"op://MyApp/Production/$l\"}";;
esac
`

// A vault that answers from memory: what is measured is the way, not the vault.
type vault struct {
	item onepassword.Item
	hold chan chan struct{} // where not nil, Read says that it was called, and waits
}

func (v *vault) Item(context.Context, string, string) (*onepassword.Item, error) { return &v.item, nil }

func (v *vault) Read(_ context.Context, ref onepassword.Reference) (mask.Secret, error) {
	if v.hold != nil {
		release := make(chan struct{})
		v.hold <- release
		<-release
	}
	for _, f := range v.item.Fields {
		if f.Label == ref.Field {
			return f.Value, nil
		}
	}
	return mask.Secret{}, fmt.Errorf("%s is not there", ref)
}

func (v *vault) Vaults(context.Context) ([]onepassword.Vault, error) {
	return []onepassword.Vault{{ID: "v", Name: "MyApp"}}, nil
}

func (v *vault) Items(context.Context, string) ([]onepassword.Overview, error) { return nil, nil }

func (v *vault) Environment(context.Context, string) ([]onepassword.Variable, error) { return nil, nil }

// A sample is what one process cost.
type sample struct {
	wall, cpu time.Duration
}

func run(t *testing.T, dir string, env []string, name string, args ...string) sample {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, env
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	wall := time.Since(began)
	return sample{wall, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
}

// middle is the median of one measure.
func middle(samples []sample, measure func(sample) time.Duration) time.Duration {
	all := make([]time.Duration, len(samples))
	for i, s := range samples {
		all[i] = measure(s)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func wall(s sample) time.Duration { return s.wall }
func cpu(s sample) time.Duration  { return s.cpu }

func project(t *testing.T) (dir string, v *vault) {
	t.Helper()
	dir, v = t.TempDir(), &vault{}
	var secrets, names strings.Builder
	for n := range 20 {
		name := fmt.Sprintf("S%d", n)
		fmt.Fprintf(&secrets, "F%d=$(kamal secrets fetch --adapter 1password --account a --from MyApp/Production %s)\n%s=$(kamal secrets extract %s $F%d)\n", n, name, name, name, n)
		fmt.Fprintf(&names, "    - %s\n", name)
		v.item.Fields = append(v.item.Fields, onepassword.Field{ID: name, Label: name, Type: "CONCEALED", Value: mask.NewSecret(name, "value-"+name)})
	}
	files := map[string]string{
		"config/deploy.yml": "service: app\nimage: me/app\nservers: [192.0.2.1]\nregistry: {username: me, password: [S0]}\nbuilder: {arch: amd64}\nenv:\n  secret:\n" + names.String(),
		".kamal/secrets":    secrets.String(),
		"noop/op":           noop,
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir, v
}

func start(t *testing.T, dir string, v *vault) (env []string) {
	t.Helper()
	p, err := kamal.OpenProject(kamal.ProjectOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	private, err := os.MkdirTemp("/tmp", "bench")
	if err != nil {
		t.Fatal(err)
	}
	b, err := broker.Listen(t.Context(), broker.ListenOptions{Dir: private, Executable: *program})
	if err != nil {
		t.Fatal(err)
	}
	b.Open(broker.Options{Vault: v, Project: p})
	t.Cleanup(func() { _ = b.Close(); _ = os.RemoveAll(private) })
	base := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LANG=C.UTF-8", "VERSION=v1"}
	return append(base, b.Environment(base)...)
}

// TestSecretsPrint: 20 fetch lines are 60 calls of op. Goal: at most 1.5 times the
// same with an op that does nothing. The three are run in turns, so that what
// else the machine does meets all of them.
func TestSecretsPrint(t *testing.T) {
	if *realKamal == "" || *program == "" {
		t.Skip("needs -kamal and -op")
	}
	dir, v := project(t)
	plain := []string{"PATH=" + filepath.Join(dir, "noop") + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LANG=C.UTF-8", "VERSION=v1"}
	ours := start(t, dir, v)
	// The preload with an op that does nothing: what each of the two costs.
	half := slices.Clone(ours)
	for i, entry := range half {
		if path, ok := strings.CutPrefix(entry, "PATH="); ok {
			half[i] = "PATH=" + filepath.Join(dir, "noop") + ":" + path
		}
	}
	measured := map[string][]sample{}
	for range *rounds {
		measured["no-op"] = append(measured["no-op"], run(t, dir, plain, *realKamal, "secrets", "print"))
		measured["kamal-op"] = append(measured["kamal-op"], run(t, dir, ours, *realKamal, "secrets", "print"))
		measured["no-op, preloaded"] = append(measured["no-op, preloaded"], run(t, dir, half, *realKamal, "secrets", "print"))
		measured["version"] = append(measured["version"], run(t, dir, plain, *realKamal, "version"))
		measured["version, preloaded"] = append(measured["version, preloaded"], run(t, dir, ours, *realKamal, "version"))
	}
	for name, samples := range measured {
		t.Logf("%-20s wall %v, cpu %v", name, middle(samples, wall).Round(time.Millisecond), middle(samples, cpu).Round(time.Millisecond))
	}
	t.Logf("kamal secrets print: %.2f times the wall time of a no-op op, %.2f times its cpu; goal 1.5",
		float64(middle(measured["kamal-op"], wall))/float64(middle(measured["no-op"], wall)),
		float64(middle(measured["kamal-op"], cpu))/float64(middle(measured["no-op"], cpu)))
}

// memory is the most that a call had, as the system tells while the call waits for
// its answer. What wait4(2) tells has this process's own in it.
func memory(t *testing.T, v *vault, env []string, dir, op string) string {
	t.Helper()
	v.hold = make(chan chan struct{})
	cmd := exec.Command(op, "read", "op://MyApp/Production/S1")
	cmd.Dir, cmd.Env = dir, env
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	release := <-v.hold
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	close(release)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strings.TrimSpace(text)
		}
	}
	return "unknown"
}

// TestCall: one call of op. Goals: 10 ms wall, 5 ms CPU, 14 MB.
func TestCall(t *testing.T) {
	if *program == "" {
		t.Skip("needs -op")
	}
	dir, v := project(t)
	env := start(t, dir, v)
	op := strings.TrimPrefix(strings.SplitN(env[4], ":", 2)[0], "PATH=") + "/op"
	var calls, nothing []sample
	for range *rounds * 5 {
		calls = append(calls, run(t, dir, env, op, "read", "op://MyApp/Production/S1"))
		nothing = append(nothing, run(t, dir, env, "/bin/true"))
	}
	t.Logf("op read: wall %v, cpu %v, memory %s; goals 10ms, 5ms, 14 MB", middle(calls, wall), middle(calls, cpu), memory(t, v, env, dir, op))
	t.Logf("/bin/true: wall %v, cpu %v", middle(nothing, wall), middle(nothing, cpu))
}

// BenchmarkAnswer is one `op read` as the broker answers it on its socket, without the
// process that asks.
func BenchmarkAnswer(b *testing.B) {
	private, err := os.MkdirTemp("/tmp", "bench")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(private) }()
	v := &vault{item: onepassword.Item{Fields: []onepassword.Field{{ID: "S1", Label: "S1", Type: "CONCEALED", Value: mask.NewSecret("S1", "value-S1")}}}}
	served, err := broker.Listen(b.Context(), broker.ListenOptions{Dir: private, Executable: os.Args[0]})
	if err != nil {
		b.Fatal(err)
	}
	served.Open(broker.Options{Vault: v, AnyVault: true})
	defer func() { _ = served.Close() }()
	var socket string
	for _, entry := range served.Environment(nil) {
		if path, ok := strings.CutPrefix(entry, opclient.SocketVariable+"="); ok {
			socket = path
		}
	}
	request, err := json.Marshal(map[string]any{"op": opclient.Request{Args: []string{"read", "op://MyApp/Production/S1"}}})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Write(append(request, '\n')); err != nil {
			b.Fatal(err)
		}
		var reply opclient.Reply
		if err := json.NewDecoder(conn).Decode(&reply); err != nil || string(reply.Stdout) != "value-S1\n" {
			b.Fatalf("%+v, %v", reply, err)
		}
		if err := conn.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
