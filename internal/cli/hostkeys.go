package cli

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/hosts"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/supervise"
)

// hostKeysCommand is `kamal-op host-keys [HOST…]`.
type hostKeysCommand struct {
	accessFlags
	destinationFlag
	configFileFlag
	directoryFlag
	Host []string `arg:"" optional:"" name:"host" help:"Hosts to ask, HOST or HOST:PORT, in place of those of deploy.yml." complete:"host"`
}

// Run asks every host for its key and prints them in the form that --host-keys
// takes. It logs in to none but a jump host, with --ssh-key. What it prints is
// what the network shows now: a person compares it with what the servers' owner
// knows before it is pinned.
func (c hostKeysCommand) Run(a *app) error {
	dir, err := a.directory("--working-directory", c.WorkingDirectory)
	if err != nil {
		return err
	}
	a.getReady()
	ctx, _, stop := supervise.Notify(context.Background())
	defer stop()
	targets, err := c.targets(ctx, a, dir)
	if err != nil {
		return err
	}
	o := hosts.Options{Env: a.Env, Dir: dir}
	if len(c.SSHKey) > 0 {
		wanted, vault, err := a.wanted(vaultFlags{accessFlags: c.accessFlags}, false)
		if err != nil {
			return err
		}
		if o.Keys, err = deploy.ReadKeys(ctx, a.process(nil), vault, wanted); err != nil {
			return a.explainConnect(err)
		}
	}
	results := hosts.Scan(ctx, targets, o)
	if _, err := fmt.Fprint(a.Stdout, hosts.Lines(results)); err != nil {
		return err
	}
	problems := append(hosts.Problems(results, o), hosts.Unnamed(results)...)
	for _, r := range results {
		if r.Outcome == hosts.JumpFailed && len(o.Keys) == 0 {
			problems = append(problems, problem.New(r.Target.Host+" is reached through another host, which must be logged in to",
				"give the key with --ssh-key op://Vault/Item"))
			break
		}
	}
	return problems.Err()
}

// targets are the hosts to ask.
func (c hostKeysCommand) targets(ctx context.Context, a *app, dir string) ([]hosts.Target, error) {
	if len(c.Host) > 0 {
		var targets []hosts.Target
		for _, text := range c.Host {
			t := hosts.Target{Host: text}
			if host, port, err := net.SplitHostPort(text); err == nil {
				n, err := strconv.Atoi(port)
				if err != nil || n < 1 || n > 65535 {
					return nil, problem.Usagef("a port is a number from 1 to 65535", "%q is not HOST or HOST:PORT", text)
				}
				t.Host, t.Port = host, n
			}
			targets = append(targets, t)
		}
		return targets, nil
	}
	config, err := kamal.ReadConfig(kamal.ProjectOptions{Dir: dir, ConfigFile: c.ConfigFile, Destination: c.Destination, Env: a.Env})
	if err != nil {
		return nil, err
	}
	targets, whole := deploy.Targets(ctx, config, a.Env)
	if !whole {
		a.notices("ERB decides some of deploy.yml's hosts, or how they are reached: name those as kamal-op host-keys HOST…")
	}
	if len(targets) == 0 {
		return nil, problem.New("deploy.yml has no host that is known here", "name them: kamal-op host-keys HOST…")
	}
	return targets, nil
}

// hostKeys takes --host-keys apart: the lines of host keys, and the references of
// fields that hold such. What a variable holds are lines. All that is wrong is told together, and nothing of a
// line, which may be a key that was pasted by mistake.
func hostKeys(given lines, read variableReader) (*hosts.Pins, []onepassword.Reference, error) {
	var (
		pins     *hosts.Pins
		refs     []onepassword.Reference
		problems problem.List
	)
	for _, l := range given {
		if strings.HasPrefix(l.text, "op://") {
			ref, err := onepassword.ParseReference(l.text)
			if err == nil && ref.WholeItem() {
				err = problem.Usagef("name the field too: "+l.text+"/host keys", "%s names an item, not a field", l.origin)
			}
			if err != nil {
				problems = append(problems, problem.Of(err)...)
			}
			refs = append(refs, ref)
			continue
		}
		text := l.text
		if onepassword.IsVariable(text) {
			value, err := read(text, l.origin)
			if err != nil {
				problems = append(problems, problem.Of(err)...)
				continue
			}
			text = value.Reveal()
		}
		more, err := hosts.ParsePins(text, l.origin)
		if err != nil {
			for _, p := range problem.Of(err) {
				q := *p
				q.Place = problem.Place{}
				if !strings.HasPrefix(q.Message, l.origin) {
					q.Message = l.origin + ": " + q.Message
				}
				problems = append(problems, &q)
			}
			continue
		}
		if pins == nil {
			pins = &hosts.Pins{}
		}
		pins.Add(more)
	}
	return pins, refs, problems.Err()
}
