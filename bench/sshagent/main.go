// Command sshagent measures the agent of package sshagent beside OpenSSH's
// ssh-agent and Go's own signer, in one run on one machine:
//
//	go run ./bench/sshagent [-rounds 3] [-time 1s] [-keys ed25519,ecdsa,rsa]
//
// The load comes from a process of its own, the same for both agents; this
// process holds the agent, with every rule of its policy on. Each number is the
// best of the rounds, since what disturbs a round only makes it slower.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/sshagent"
	"golang.org/x/crypto/ssh"
)

func main() {
	rounds := flag.Int("rounds", 3, "rounds of which the best counts")
	duration := flag.Duration("time", time.Second, "time of a round")
	keys := flag.String("keys", "ed25519,ecdsa,rsa", "kinds of keys, separated by commas")
	load := flag.String("load", "", "be the process that makes the load; its job as JSON")
	flag.Parse()
	var err error
	if *load != "" {
		err = runLoad(*load, os.Stdout)
	} else {
		err = run(context.Background(), os.Stdout, strings.Split(*keys, ","), *rounds, *duration)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, kinds []string, rounds int, duration time.Duration) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := start(out, dir); err != nil {
		return err
	}
	if err := memory(ctx, out, dir); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "\n%-10s %5s  %28s  %28s  %6s\n", "key", "conns", "sshagent sig/s (p50, p99 ms)", "ssh-agent sig/s (p50, p99 ms)", "ratio")
	for _, kind := range kinds {
		if err := compare(ctx, out, dir, kind, rounds, duration); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

// makeKey makes a key with ssh-keygen and returns its path.
func makeKey(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	kind, _, _ := strings.Cut(name, "-")
	args := []string{"-q", "-t", kind, "-N", "", "-f", path}
	if kind == "rsa" {
		args = append(args, "-b", "4096")
	}
	out, err := exec.Command("ssh-keygen", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ssh-keygen: %w: %s", err, out)
	}
	return path, nil
}

func parse(path string) (*sshagent.Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return sshagent.ParseKey(text, nil)
}

// compare runs both agents with one key, round by round in turn.
func compare(ctx context.Context, out io.Writer, dir, kind string, rounds int, duration time.Duration) error {
	path, err := makeKey(dir, kind)
	if err != nil {
		return err
	}
	key, err := parse(path)
	if err != nil {
		return err
	}
	hostPath, err := makeKey(dir, "ed25519-host-of-"+kind)
	if err != nil {
		return err
	}
	host, err := parse(hostPath)
	if err != nil {
		return err
	}
	ours, err := sshagent.Start(ctx, sshagent.Options{
		Keys: []*sshagent.Key{key}, Users: []string{"root", "deploy"}, HostKeys: []string{host.Fingerprint()},
		Descendants: true, Log: func(sshagent.Event) {},
	})
	if err != nil {
		return err
	}
	defer func() { _ = ours.Close() }()
	theirs, stop, err := startOpenSSH(path)
	if err != nil {
		return err
	}
	defer stop()
	j := job{Key: path, Host: hostPath, Time: duration}
	for _, conns := range []int{1, 8, 64, 256} {
		if kind != "ed25519" && (conns == 8 || conns == 256) {
			continue
		}
		sockets := map[string]string{"ours": ours.Socket(), "theirs": theirs}
		if conns == 64 {
			sockets["alone"] = "" // no agent: Go's own signer
		}
		j.Conns = conns
		best, err := j.best(ctx, rounds, sockets)
		if err != nil {
			return err
		}
		a, b := best["ours"], best["theirs"]
		_, _ = fmt.Fprintf(out, "%-10s %5d  %12.0f (%5.2f, %6.2f)  %12.0f (%6.2f, %6.2f)  %6.2f\n",
			kind, conns, a.Rate, a.P50, a.P99, b.Rate, b.P50, b.P99, a.Rate/b.Rate)
		if conns == 64 {
			alone := best["alone"].Rate
			_, _ = fmt.Fprintf(out, "%-10s        Go's own signer on all cores: %.0f sig/s; the agent at 64 makes %.0f %% of it\n", "", alone, 100*a.Rate/alone)
		}
	}
	return nil
}

func startOpenSSH(key string) (socket string, stop func(), err error) {
	socket = key + ".sock"
	cmd := exec.Command("ssh-agent", "-D", "-a", socket)
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for range 200 {
		if _, err = os.Stat(socket); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	add := exec.Command("ssh-add", "-q", key)
	add.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
	if out, err := add.CombinedOutput(); err != nil {
		stop()
		return "", nil, fmt.Errorf("ssh-add: %w: %s", err, out)
	}
	return socket, stop, nil
}

// best is the best of the rounds with each agent, by its name.
func (j job) best(ctx context.Context, rounds int, sockets map[string]string) (map[string]result, error) {
	best := map[string]result{}
	for range rounds {
		for name, socket := range sockets {
			j.Socket = socket
			r, err := j.run(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s, %d connections: %w", name, j.Conns, err)
			}
			if r.Rate > best[name].Rate {
				best[name] = r
			}
		}
	}
	return best, nil
}

// run starts the process that makes the load.
func (j job) run(ctx context.Context) (r result, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	text, err := json.Marshal(j)
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, self, "-load", string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(out, &r)
}

// start measures how long it takes from the key's text to the first signature.
func start(out io.Writer, dir string) error {
	for _, kind := range []string{"ed25519", "ecdsa"} {
		path, err := makeKey(dir, kind+"-start")
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var took []time.Duration
		for range 200 {
			in := slices.Clone(text)
			began := time.Now()
			key, err := sshagent.ParseKey(in, nil)
			if err != nil {
				return err
			}
			a, err := sshagent.Start(context.Background(), sshagent.Options{Keys: []*sshagent.Key{key}, Users: []string{"root"}})
			if err != nil {
				return err
			}
			c, err := dial(a.Socket())
			if err != nil {
				return err
			}
			if err = c.ask(request(key, nil), nil); err != nil {
				return err
			}
			took = append(took, time.Since(began))
			if err := a.Close(); err != nil {
				return err
			}
			_ = c.Close()
		}
		slices.Sort(took)
		_, _ = fmt.Fprintf(out, "%s: from the key's text to the first signature %v (median of %d; best %v)\n", kind, took[len(took)/2], len(took), took[0])
	}
	return nil
}

// memory measures what 60 connections cost that claim a long frame and stall.
func memory(ctx context.Context, out io.Writer, dir string) error {
	path, err := makeKey(dir, "ed25519-memory")
	if err != nil {
		return err
	}
	key, err := parse(path)
	if err != nil {
		return err
	}
	a, err := sshagent.Start(ctx, sshagent.Options{Keys: []*sshagent.Key{key}})
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	for _, claim := range []uint32{16 << 20, 256 << 10} {
		before, err := resident()
		if err != nil {
			return err
		}
		var conns []*conn
		for range 60 {
			c, err := dial(a.Socket())
			if err != nil {
				return err
			}
			head := []byte{byte(claim >> 24), byte(claim >> 16), byte(claim >> 8), byte(claim), 13, 0, 0, 0}
			if _, err := c.Write(head); err != nil {
				return err
			}
			conns = append(conns, c)
		}
		time.Sleep(300 * time.Millisecond)
		after, err := resident()
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(out, "60 stalled connections that claim %d KiB each: resident memory %+d KiB, both ends\n", claim>>10, after-before)
		for _, c := range conns {
			_ = c.Close()
		}
	}
	return nil
}

// resident is this process's resident memory in KiB.
func resident() (int, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			return strconv.Atoi(f[1])
		}
	}
	return 0, errors.New("no VmRSS in /proc/self/status")
}

// signData makes what a host signs in a session binding.
func signData(k *sshagent.Key, data []byte) (*ssh.Signature, error) {
	return k.Signer().Sign(rand.Reader, data)
}
