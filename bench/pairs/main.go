//go:build linux

// Command pairs measures whole deploys with real Kamal: by Kamal alone with the values
// in its environment, and by kamal-op with a Connect server, or a service account, that
// takes 100 ms for each request, in turn, on the parts of a rehearsal.
// build/bench-deploy.sh runs it in the image that has Kamal, under an ssh-agent:
//
//	ssh-agent pairs -program PATH [-kamal PATH] [-rounds 10] [-backend service-account]
//	    [-secrets 200 -hosts 20] [-lines]
//
// Each deploy of kamal-op's stands between two of Kamal's, and is divided by their mean.
// What Kamal differs from itself is each of its deploys by the one before.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/rehearsal"
	"github.com/kamal-op/kamal-op/mask"
)

// latency is what the vault takes for each request.
const latency = 100 * time.Millisecond

func main() {
	p := pairs{env: os.Environ(), out: os.Stdout}
	flag.StringVar(&p.program, "program", "", "path of kamal-op, a static program")
	flag.StringVar(&p.kamal, "kamal", "/usr/bin/kamal", "path of Kamal")
	rounds := flag.Uint("rounds", 10, "deploys by kamal-op that count")
	flag.IntVar(&p.scale.secrets, "secrets", 5, "secrets of the project, all in one item")
	flag.IntVar(&p.scale.hosts, "hosts", 1, "hosts of the project, at most 250")
	flag.StringVar(&p.backend, "backend", connect, "where kamal-op reads: "+connect+" or "+serviceAccount)
	lines := flag.Bool("lines", false, "print the output of the last deploy of each, with the time of every line")
	flag.Parse()
	if p.backend != connect && p.backend != serviceAccount {
		fmt.Fprintf(os.Stderr, "bench: -backend is %s or %s\n", connect, serviceAccount)
		os.Exit(2)
	}
	if err := p.run(1+int(max(*rounds, 1)), *lines); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// The backends that kamal-op may read from.
const (
	connect        = "connect"
	serviceAccount = "service-account"
)

// pairs deploys in turn: one of ours after each of Kamal's but the last.
type pairs struct {
	program, kamal string
	backend        string
	env            []string
	out            io.Writer
	alone, ours    []sample
	scale          scale
}

// run deploys, and reports. deploys are those by Kamal alone: one more than by kamal-op.
func (p *pairs) run(deploys int, lines bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := p.rehearse(ctx, deploys); err != nil {
		return err
	}
	report(p.out, p.alone, p.ours, p.goals())
	if lines {
		p.alone[deploys-1].print(p.out, "Kamal alone")
		p.ours[deploys-2].print(p.out, "kamal-op")
	}
	return nil
}

// goals are what the deploys are to be within.
func (p *pairs) goals() goals {
	g := goals{wall: "1.03", cpu: "60", memory: "30"}
	if p.larger() {
		g.wall = "1.06"
	}
	if p.backend == serviceAccount {
		g = goals{wall: "1.12", cpu: "600"}
		if p.larger() {
			g.wall = "1.15"
		}
	}
	return g
}

// larger says whether the project is to be larger than the sample.
func (p *pairs) larger() bool { return p.scale.hosts > 1 || p.scale.secrets > 5 }

// rehearse deploys on the parts of a rehearsal.
func (p *pairs) rehearse(ctx context.Context, deploys int) error {
	// The values are sample values: nothing that Kamal alone would read in another way.
	values := map[string]string{}
	for _, name := range []string{"KAMAL_REGISTRY_PASSWORD", "RAILS_MASTER_KEY", "DATABASE_PASSWORD", "CHATKIT_PK", "MAILGUN_INGRESS_SIGNING_KEY"} {
		values[name] = "a-value-of-" + name
	}
	var said bytes.Buffer
	err := rehearsal.Run(ctx, rehearsal.Options{
		Env: environ.List(p.env).Without(func(name string) bool { return name == "SSH_AUTH_SOCK" }), Executable: p.program, Kamal: p.kamal,
		Values: values, Latency: latency, Out: &said,
		Deploy: func(ctx context.Context, r rehearsal.DeployRequest) (int, error) {
			return 0, p.deploy(ctx, r, values, deploys)
		},
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, said.String())
	}
	return nil
}

// deploy deploys the rehearsal's sample in turn.
func (p *pairs) deploy(ctx context.Context, r rehearsal.DeployRequest, values map[string]string, deploys int) (err error) {
	socket := environ.List(p.env).Get("SSH_AUTH_SOCK")
	if socket == "" {
		return errors.New("there is no ssh-agent for Kamal alone")
	}
	key, err := p.addKeys(ctx, r)
	if err != nil {
		return err
	}
	if p.larger() {
		defer func() { err = errors.Join(err, p.scale.close()) }()
		if err := p.scale.enlarge(ctx, &r, values, key); err != nil {
			return err
		}
	}
	docker, err := os.MkdirTemp("", "docker")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(docker) }()
	alone := command{path: p.kamal, args: []string{"deploy"}, dir: r.Dir}
	alone.env = append(slices.Clone(r.Env), "SSH_AUTH_SOCK="+socket, "DOCKER_CONFIG="+docker)
	for name, value := range values {
		alone.env = append(alone.env, name+"="+value)
	}
	ours := command{path: p.program, args: []string{"deploy", "--kamal", p.kamal}, dir: r.Dir}
	ours.env = append(slices.Clone(r.Env), "OP_CONNECT_HOST="+r.ConnectHost, "OP_CONNECT_TOKEN="+r.ConnectToken)
	if p.backend == serviceAccount {
		var a account
		defer func() { err = errors.Join(err, a.close()) }()
		if err := a.open(ctx, p.program, r); err != nil {
			return err
		}
		ours.env = append(slices.Clone(r.Env), a.env()...)
		ours.args = append(ours.args, "--core-cache", a.core())
	}
	for _, key := range r.SSHKeys {
		ours.args = append(ours.args, "--ssh-key", key)
	}
	for _, secret := range r.Secrets {
		ours.args = append(ours.args, "--secret", secret)
	}
	// The first of each builds the image, boots kamal-proxy and fills caches.
	for _, c := range []command{alone, ours} {
		if _, err := c.measure(ctx); err != nil {
			return err
		}
	}
	for i := range deploys {
		if p.alone, err = p.add(ctx, p.alone, alone); err != nil {
			return err
		}
		if i < deploys-1 {
			if p.ours, err = p.add(ctx, p.ours, ours); err != nil {
				return err
			}
		}
	}
	return nil
}

// add adds the sample of one deploy, and tells it.
func (p *pairs) add(ctx context.Context, to []sample, c command) ([]sample, error) {
	s, err := c.measure(ctx)
	if err != nil {
		return to, err
	}
	name := "Kamal alone"
	if c.path == p.program {
		name = "kamal-op"
	}
	fmt.Fprintf(p.out, "%-12s %5.2f s, CPU %5.2f s, begins after %4.2f s; load %s\n",
		name, s.wall.Seconds(), s.cpu.Seconds(), s.begins().Seconds(), load())
	return append(to, s), nil
}

// addKeys gives the rehearsal's keys to the agent of Kamal alone, and gives the last.
func (p *pairs) addKeys(ctx context.Context, r rehearsal.DeployRequest) (last string, err error) {
	vault, err := onepassword.NewConnect(onepassword.ConnectOptions{Host: r.ConnectHost, Token: mask.NewSecret("token", r.ConnectToken)})
	if err != nil {
		return "", err
	}
	defer func() { _ = vault.Close() }()
	resolver := onepassword.NewResolver(vault, onepassword.Options{})
	for _, text := range r.SSHKeys {
		ref, err := onepassword.ParseReference(text)
		if err != nil {
			return "", err
		}
		key, err := resolver.SSHKey(ctx, ref)
		if err != nil {
			return "", err
		}
		last = key.Private.Reveal()
		cmd := exec.CommandContext(ctx, "ssh-add", "-q", "-")
		cmd.Stdin, cmd.Env = strings.NewReader(last), p.env
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("ssh-add: %w: %s", err, out)
		}
	}
	return last, nil
}

// load is the load average of the last minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	minute, _, _ := strings.Cut(string(text), " ")
	return minute
}
