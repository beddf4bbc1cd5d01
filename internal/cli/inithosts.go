package cli

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/hosts"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// hostKeys fetches the keys of the servers, for the project file. A person at a terminal
// is shown them first; without one, they are taken where --pin-hosts says so. Those that
// are pinned already stay.
func (c initCommand) hostKeys(ctx context.Context, a *app, o check.Options) ([]string, error) {
	ask := a.question(ctx)
	if c.Offline || c.JSON && !c.PinHosts || ask == nil && !c.PinHosts || c.pinned(a, o) {
		return nil, nil
	}
	var targets []hosts.Target
	for _, d := range o.AllDestinations() {
		config, err := kamal.ReadConfig(kamal.ProjectOptions{Dir: o.Dir, ConfigFile: o.ConfigFile, Destination: d, Env: a.Env})
		if err != nil || d == "review" {
			continue // what is wrong with it is told when it is read to be changed
		}
		of, whole := deploy.Targets(ctx, config, a.Env)
		if targets = append(targets, of...); !whole {
			a.notices("ERB decides some of deploy.yml's hosts, or how they are reached: kamal-op host-keys HOST… prints their keys")
		}
	}
	if len(targets) == 0 {
		return nil, nil
	}
	a.system.Status("asking the servers for their host keys")
	results := hosts.Scan(ctx, targets, hosts.Options{Env: a.Env, Dir: o.Dir})
	a.system.Status("")
	for _, p := range append(hosts.Problems(results, hosts.Options{Env: a.Env, Dir: o.Dir}), hosts.Unnamed(results)...) {
		a.system.Notice(p) // a project may begin before its servers do
	}
	keys := strings.Split(strings.TrimSpace(hosts.Lines(results)), "\n")
	if keys[0] == "" {
		return nil, nil
	}
	if c.PinHosts {
		return keys, nil
	}
	return c.confirmed(ctx, a, ask, results, keys)
}

// pinned tells whether the project, or who calls, says host keys already.
func (c initCommand) pinned(a *app, o check.Options) bool {
	if _, _, given := a.lookup.value("host-keys"); given {
		return true
	}
	for _, d := range append(o.AllDestinations(), "") {
		p := a.lookup.file
		p.destination = d
		if len(p.lines("host-keys")) > 0 {
			if c.PinHosts {
				a.notices("the project file has host-keys already, and they stay")
			}
			return true
		}
	}
	return false
}

// confirmed shows a person what the servers have shown, and takes it where they agree.
func (c initCommand) confirmed(ctx context.Context, a *app, ask func(question string) (string, error), results []hosts.Result, keys []string) ([]string, error) {
	var b strings.Builder
	b.WriteString("The servers show these host keys. Compare them with what their owner knows\n(on the server: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub):\n")
	told := map[string]bool{}
	for _, r := range results {
		if r.HostKey == nil {
			continue
		}
		if line := fmt.Sprintf("  %s  %s  %s\n", r.Target.Host, r.HostKey.Type(), ssh.FingerprintSHA256(r.HostKey)); !told[line] {
			told[line] = true
			b.WriteString(gate.Visible(strings.TrimSuffix(line, "\n")) + "\n")
		}
	}
	if _, err := fmt.Fprint(a.Stderr, b.String()); err != nil {
		return nil, err
	}
	answer, err := ask("Are they right, and the only ones to be accepted from now on? [y/N]: ")
	if ended := context.Cause(ctx); ended != nil {
		return nil, ended
	}
	if err != nil {
		return nil, problem.Usagef("--pin-hosts takes them without a question; --offline asks no server", "the question has no answer: %v", err)
	}
	if answer = strings.ToLower(answer); answer != "y" && answer != "yes" {
		a.notices("no host key is written: kamal-op host-keys prints them, and init asks again")
		return nil, nil
	}
	return keys, nil
}
