package plan

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// A Plan is what a deploy would change.
type Plan struct {
	Changes    bool        `json:"changes"` // a deploy would change something, or an accessory is not as deploy.yml has it
	Service    string      `json:"service"`
	From       []string    `json:"from"` // the versions that run
	To         string      `json:"to"`
	Commits    []Commit    `json:"commits"`                   // between the only version that runs and the new one
	CommitsWhy string      `json:"commits_unknown,omitempty"` // why they are not known
	Image      Image       `json:"image"`
	Containers []Container `json:"containers"`
	Stray      []Stray     `json:"stray"`
	Unreached  []Unreached `json:"unreached"`
	Former     bool        `json:"former_hosts_known"` // hosts that deploy.yml named before were looked for
	FormerWhy  string      `json:"former_hosts_unknown,omitempty"`
}

// A Commit lies between two versions.
type Commit struct {
	Hash    string `json:"hash"`
	Subject string `json:"subject"`
}

// An Image is that of the new version.
type Image struct {
	Name    string   `json:"name"`
	State   string   `json:"state"` // "there", "to be built", "unknown", or "promoted" as another destination runs it
	Why     string   `json:"why,omitempty"`
	OnHosts []string `json:"on_hosts"` // hosts that have it already
}

// States of an image that others than a plan ask for or say.
const (
	ToBeBuilt = "to be built" // the registry has none
	Promoted  = "promoted"    // it is there, for Why, and is not built
)

// A Container is what a role or an accessory has on a host, and would have.
type Container struct {
	Host        string    `json:"host"`
	Role        string    `json:"role,omitempty"`
	Accessory   string    `json:"accessory,omitempty"`
	From        string    `json:"from"` // the container that runs; "" for none
	Created     time.Time `json:"created,omitzero"`
	To          string    `json:"to"`
	Changes     []Change  `json:"changes"`
	NotCompared []string  `json:"not_compared,omitempty"` // options of docker run
	NotKnown    []string  `json:"not_known,omitempty"`    // clear variables whose old values were left unread
}

// A Change is one thing that is not as it would be. Of a secret there is no value, and
// of a variable that goes.
type Change struct {
	Kind string `json:"kind"` // "version", "image", "command", "option", "clear", "secret", "variable" or "proxy"
	Name string `json:"name"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	What string `json:"what"` // "new", "gone" or "other"
}

// A Stray is a container that runs where deploy.yml names none.
type Stray struct {
	Host string `json:"host"`
	Name string `json:"name"`
	Role string `json:"role"`
	Why  string `json:"why"`
}

// Unreached is a host that could not be asked.
type Unreached struct {
	Host string `json:"host"`
	Why  string `json:"why"`
}

// Of makes the plan of what was observed.
func Of(o Observed) Plan {
	p := Plan{
		Service: o.Service, From: nonNil(o.Versions), To: o.Version, Commits: []Commit{}, Containers: []Container{}, Stray: []Stray{}, Unreached: []Unreached{},
		Former: o.Former, FormerWhy: o.FormerWhy, Image: Image{Name: o.Repository + ":" + o.Version, State: "unknown", Why: o.ImageUnknown, OnHosts: []string{}},
	}
	if o.Image != nil {
		p.Image.State = map[bool]string{true: "there", false: ToBeBuilt}[*o.Image]
	}
	p.commits(o)
	for _, h := range o.Hosts {
		if h.Error != "" {
			p.Unreached = append(p.Unreached, Unreached{h.Host, h.Error})
			continue
		}
		if h.Image {
			p.Image.OnHosts = append(p.Image.OnHosts, h.Host)
		}
		p.host(o, h)
	}
	p.Changes = len(p.Stray) > 0
	for _, c := range p.Containers {
		p.Changes = p.Changes || len(c.Changes) > 0
	}
	return p
}

// commits are told where one version runs: from several there is no one way.
func (p *Plan) commits(o Observed) {
	if len(o.Versions) != 1 || o.Versions[0] == o.Version {
		return
	}
	h := o.Commits[o.Versions[0]]
	p.CommitsWhy = h.Why
	for _, line := range h.List {
		hash, subject, _ := strings.Cut(line, "\t")
		p.Commits = append(p.Commits, Commit{hash, subject})
	}
}

// host is what one host has and would have.
func (p *Plan) host(o Observed, h observedHost) {
	known := map[string]bool{}
	for _, c := range h.Containers {
		n := container(o, h, c)
		known[n.From] = true
		p.Containers = append(p.Containers, n)
	}
	for _, r := range h.Running {
		if known[r.Name] {
			continue
		}
		s := Stray{Host: h.Host, Name: r.Name, Role: r.Role, Why: "deploy.yml does not name the host any more"}
		if h.Named {
			s.Why = "deploy.yml does not have the role on this host"
			if slices.ContainsFunc(h.Containers, func(c observedContainer) bool { return c.Role == r.Role }) {
				s.Why = "a second container of the role: a deploy stops it"
			}
		}
		p.Stray = append(p.Stray, s)
	}
}

func container(o Observed, h observedHost, c observedContainer) Container {
	n := Container{Host: h.Host, Role: c.Role, Accessory: c.Accessory, To: c.Prefix, Changes: []Change{}}
	if c.Role != "" {
		n.To += "-" + o.Version
	}
	if c.Has == nil {
		n.Changes = told([]Change{{Kind: "container", Name: n.To, To: n.To}})
		return n
	}
	n.From, n.Created = strings.TrimPrefix(c.Has.Name, "/"), c.Has.created()
	var changes []Change
	if c.Role != "" && n.From != n.To {
		changes = append(changes, Change{Kind: "version", Name: "version", From: strings.TrimPrefix(n.From, c.Prefix+"-"), To: o.Version})
	}
	if c.Accessory != "" && c.Has.Image != c.Want.Image {
		changes = append(changes, Change{Kind: "image", Name: "image", From: c.Has.Image, To: c.Want.Image})
	}
	changes = append(changes, command(c)...)
	options, not := compareOptions(c.Want, c.Has, h.Home)
	changes = append(changes, options...)
	variables, more, unknown := compareVariables(c.Want, c.Has)
	changes = append(changes, variables...)
	n.NotCompared, n.NotKnown = slices.Concat(not, more), unknown
	n.Changes = append(n.Changes, told(append(changes, compareProxy(c.Proxy)...))...)
	return n
}

// command compares what is run. Without a command of deploy.yml's it is the image's.
func command(c observedContainer) []Change {
	has, image, want := strings.Join(c.Has.Cmd, " "), strings.Join(c.Has.OfImage.Cmd, " "), strings.Join(c.Want.Cmd, " ")
	if want == "" && has == image || want == has {
		return nil
	}
	if has == image {
		has = ""
	}
	return []Change{{Kind: "command", Name: "command", From: has, To: want}}
}

// compareVariables compares the clear ones by their values and the secrets by what
// their digests have shown. Unknown are those that could have been a secret before.
func compareVariables(w wanted, h *has) (changes []Change, not, unknown []string) {
	clear := map[string]string{}
	for _, o := range w.Options {
		if o[0] == nil || *o[0] != "env" || o[1] == nil {
			continue
		}
		name, value, _ := strings.Cut(*o[1], "=")
		if !slices.Contains(kamals, name) {
			clear[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(clear)) {
		value, there := h.Clear[name]
		switch {
		case slices.Contains(w.Secrets, name): // the later one counts, which Kamal makes the secret
		case strings.Contains(clear[name], "${"):
			not = append(not, name)
		case slices.Contains(h.Others, name) && !h.EnvFile:
			unknown = append(unknown, name)
		case slices.Contains(h.Others, name):
			changes = append(changes, Change{Kind: "clear", Name: name, To: clear[name], What: "other"}) // it was a secret
		case !there:
			changes = append(changes, Change{Kind: "clear", Name: name, To: clear[name], What: "new"})
		case string(value) != clear[name]:
			changes = append(changes, Change{Kind: "clear", Name: name, From: string(value), To: clear[name], What: "other"})
		}
	}
	for _, name := range w.Secrets {
		switch state, there := h.Secrets[name]; {
		case !there:
			changes = append(changes, Change{Kind: "secret", Name: name, What: "new"})
		case state != "equal":
			changes = append(changes, Change{Kind: "secret", Name: name, What: "other"})
		}
	}
	gone := slices.Collect(maps.Keys(h.Secrets))
	for _, name := range append(gone, h.Others...) {
		_, wanted := clear[name]
		if !wanted && !slices.Contains(w.Secrets, name) && !slices.Contains(kamals, name) && !slices.Contains(h.OfImage.Variables, name) {
			changes = append(changes, Change{Kind: "variable", Name: name, What: "gone"})
		}
	}
	return changes, not, unknown
}

// kamals are the variables that Kamal sets itself.
var kamals = []string{"KAMAL_CONTAINER_NAME", "KAMAL_VERSION", "KAMAL_HOST", "KAMAL_DESTINATION"}

// told says of each change what it is.
func told(changes []Change) []Change {
	for i, c := range changes {
		switch {
		case c.What != "":
		case c.From == "":
			changes[i].What = "new"
		case c.To == "":
			changes[i].What = "gone"
		default:
			changes[i].What = "other"
		}
	}
	return changes
}

func nonNil(list []string) []string { return append([]string{}, list...) }
