package rotate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A Choice is what a person wants booted.
type Choice struct {
	Secrets     []string // for these alone, by their names or their variables'; none is for all
	Accessories []string // these too
}

// A Plan is what is booted again.
type Plan struct {
	Boots     []Boot      `json:"boots"`     // in their order
	Left      []Left      `json:"left"`      // not as the vault has it, and not booted
	Unreached []Unreached `json:"unreached"` // hosts that could not be asked
}

// A Boot is of a role at one version, or of an accessory, on some hosts.
type Boot struct {
	Role      string   `json:"role,omitempty"`
	Accessory string   `json:"accessory,omitempty"`
	Version   string   `json:"version,omitempty"`
	Hosts     []OnHost `json:"hosts"`
	Secrets   []string `json:"secrets"` // the variables that are not as the vault has them
}

// OnHost is the container that a boot replaces.
type OnHost struct {
	Host      string `json:"host"`
	Container string `json:"container"`
	ID        string `json:"id"`
}

// Left is a container that has another value than the vault, or none that runs.
type Left struct {
	Host      string   `json:"host"`
	Role      string   `json:"role,omitempty"`
	Accessory string   `json:"accessory,omitempty"`
	Container string   `json:"container"`
	Secrets   []string `json:"secrets"`
	Why       string   `json:"why"`

	id string
}

// Plan makes the plan of what runs. Accessories come first: an app that has a new
// password wants a database that knows it.
func (c Choice) Plan(r Report) Plan {
	p := Plan{Boots: []Boot{}, Left: []Left{}, Unreached: append([]Unreached{}, r.Unreached...)}
	for _, accessories := range []bool{true, false} {
		for _, at := range r.Running {
			if (at.Accessory != "") != accessories {
				continue
			}
			secrets := c.wrong(at)
			switch why := c.obstacle(r, at); {
			case len(secrets) == 0 && at.Container != "":
			case why != "":
				p.Left = append(p.Left, Left{at.Host, at.Role, at.Accessory, at.Container, secrets, why, at.ID})
			default:
				p.boot(at, secrets)
			}
		}
	}
	return p
}

// boot adds a container to the boots. A role is booted on all of its hosts by one
// command of Kamal's, so that deploy.yml's boot decides how many of them at once.
func (p *Plan) boot(at kamal.Running, secrets []string) {
	on := OnHost{at.Host, at.Container, at.ID}
	i := slices.IndexFunc(p.Boots, func(b Boot) bool {
		return b.Role == at.Role && b.Accessory == at.Accessory && b.Version == at.Version
	})
	if i < 0 {
		p.Boots = append(p.Boots, Boot{Role: at.Role, Accessory: at.Accessory, Version: at.Version, Hosts: []OnHost{on}, Secrets: secrets})
		return
	}
	b := &p.Boots[i]
	b.Hosts = append(b.Hosts, on)
	for _, name := range secrets {
		if !slices.Contains(b.Secrets, name) {
			b.Secrets = append(b.Secrets, name)
		}
	}
}

// wrong are the chosen variables of a container that it has otherwise than the vault.
func (c Choice) wrong(at kamal.Running) []string {
	names := []string{}
	for _, s := range at.Secrets {
		chosen := len(c.Secrets) == 0 || slices.Contains(c.Secrets, s.Secret) || slices.Contains(c.Secrets, s.Variable)
		if chosen && s.State.Wrong() {
			names = append(names, s.Variable)
		}
	}
	return names
}

// obstacle is why a container is not booted, "" where nothing is in the way.
func (c Choice) obstacle(r Report, at kamal.Running) string {
	switch {
	case at.Container == "" && at.Accessory != "":
		return "no container runs: kamal-op kamal -- accessory boot " + kamal.ShellWord(at.Accessory) + " boots it"
	case at.Container == "":
		return "no container runs: a deploy boots it"
	case at.Accessory != "" && !slices.Contains(c.Accessories, at.Accessory):
		return "an accessory is rebooted where it is named: --accessory " + kamal.ShellWord(at.Accessory)
	case at.Accessory != "":
		return ""
	case at.Version == "":
		return "its name does not tell the version: a deploy replaces it"
	case slices.Contains(r.other, place{at.Host, at.Role}):
		return "another image has the name of the version that runs: a deploy boots that"
	}
	return ""
}

// Check tells what of the choice is not there. What is on a host that could not be
// asked nobody knows, nor which secrets a container would have that does not run.
func (c Choice) Check(r Report) error {
	if len(r.Unreached) > 0 {
		return nil
	}
	var problems problem.List
	var secrets, accessories []string
	known := true
	for _, at := range r.Running {
		known = known && at.Container != ""
		if at.Accessory != "" {
			accessories = append(accessories, at.Accessory)
		}
		for _, s := range at.Secrets {
			secrets = append(secrets, s.Secret, s.Variable)
		}
	}
	missing := func(what string, chosen, there []string) {
		slices.Sort(there)
		for _, name := range chosen {
			if !slices.Contains(there, name) {
				problems = append(problems, problem.Usagef("there are: "+strings.Join(slices.Compact(there), ", "), "deploy.yml has no %s %s", what, name))
			}
		}
	}
	if known {
		missing("role or accessory with the secret", c.Secrets, secrets)
	}
	missing("accessory with secrets that is called", c.Accessories, accessories)
	return problems.Err()
}

// Environment is what BootCommand boots, as a variable of its environment.
func (p Plan) Environment() ([]string, error) {
	text, err := json.Marshal(p.Boots)
	if err != nil {
		return nil, fmt.Errorf("writing down what is booted: %w", err)
	}
	return []string{bootsVariable + "=" + string(text)}, nil
}

// Version is that of the first role that is booted, "" where none is. Kamal writes one
// into its lock.
func (p Plan) Version() string {
	for _, b := range p.Boots {
		if b.Version != "" {
			return b.Version
		}
	}
	return ""
}

// Elsewhere are the versions that run and are not that of the project's files: what
// else differs between the two comes with a boot.
func (p Plan) Elsewhere(r Report) (versions []string) {
	here, _, _ := strings.Cut(r.Version, "_uncommitted")
	for _, b := range p.Boots {
		if b.Version != "" && here != "" && b.Version != here && b.Version != r.Version && !slices.Contains(versions, b.Version) {
			versions = append(versions, b.Version)
		}
	}
	return versions
}

// Done are the boots of which another container runs than before, as far as the plan
// that was made after them tells.
func (p Plan) Done(after Plan) []Boot {
	var same []string
	for _, b := range after.Boots {
		for _, h := range b.Hosts {
			same = append(same, h.Host+" "+h.ID)
		}
	}
	for _, l := range after.Left {
		same = append(same, l.Host+" "+l.id)
	}
	done := []Boot{}
	for _, b := range p.Boots {
		b.Hosts = slices.DeleteFunc(slices.Clone(b.Hosts), func(h OnHost) bool {
			lost := slices.ContainsFunc(after.Unreached, func(u Unreached) bool { return u.Host == h.Host })
			down := slices.ContainsFunc(after.Left, func(l Left) bool {
				return l.id == "" && l.Host == h.Host && l.Role == b.Role && l.Accessory == b.Accessory
			})
			return lost || down || slices.Contains(same, h.Host+" "+h.ID)
		})
		if len(b.Hosts) > 0 {
			done = append(done, b)
		}
	}
	return done
}

// Undone is the plan once it was carried out: what it would boot still was not, or has
// not helped.
func (p Plan) Undone() Plan {
	for _, b := range p.Boots {
		for _, h := range b.Hosts {
			p.Left = append(p.Left, Left{Host: h.Host, Role: b.Role, Accessory: b.Accessory, Container: h.Container, Secrets: b.Secrets, Why: "it has another value than the vault still", id: h.ID})
		}
	}
	p.Boots = []Boot{}
	return p
}

// Equal says whether every container that was asked for has what the vault has.
func (p Plan) Equal() bool { return len(p.Boots)+len(p.Left)+len(p.Unreached) == 0 }

// Locked says whether the host that the deploy lock lies on was reached.
func (p Plan) Locked(r Report) bool {
	return !slices.ContainsFunc(p.Unreached, func(u Unreached) bool { return u.Host == r.Lock })
}
