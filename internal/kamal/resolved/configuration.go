// Package resolved asks Kamal what it makes of a project's configuration. ERB,
// anchors, defaults and the merge of a destination's file are Kamal's own: one Ruby
// file, loaded into Kamal, tells them.
package resolved

import (
	"bytes"
	_ "embed" // for the Ruby
	"encoding/json"
	"errors"
	"fmt"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// Preload is Ruby to be required before Kamal (RUBYOPT=-r FILE): `kamal config`, with
// it, writes the configuration as one line of JSON and nothing of what is secret in
// it. Parse reads that.
//
//go:embed resolved.rb
var Preload string

// Line begins the line that `kamal config` writes with Preload.
const Line = "@kamal-op-resolved "

// A Configuration is what Kamal makes of deploy.yml. What only `kamal config` tells
// is not in what Resolve gives, and the other way round.
type Configuration struct {
	Service     string               `json:"service"`
	Destination string               `json:"destination"` // of Parse, as Version
	Image       string               `json:"image"`       // the repository, with the registry's server
	Version     string               `json:"version"`     // the image's tag
	Hosts       []string             `json:"hosts"`       // that Kamal connects to
	Roles       map[string]Role      `json:"roles"`
	Accessories map[string]Accessory `json:"accessories"`
	ProxyRun    []string             `json:"proxy_run"` // of Parse: kamal-proxy's docker run, where the configuration says how
	Reach
}

// A Reach is by what else a run reaches other machines; of Resolve.
type Reach struct {
	SSH       SSH     `json:"ssh,omitzero"`
	Registry  string  `json:"registry,omitempty"`
	Builder   Builder `json:"builder,omitzero"`
	HooksPath string  `json:"hooks_path,omitempty"`
	Output    bool    `json:"output,omitempty"` // the log is copied elsewhere
}

// SSH is how Kamal logs in.
type SSH struct {
	User  string `json:"user"`
	Port  string `json:"port"`
	Proxy bool   `json:"proxy"`
	Keys  bool   `json:"keys"` // the configuration names keys of its own
}

// A Builder is where images are built.
type Builder struct {
	Driver string `json:"driver"`
	Remote string `json:"remote"`
	Cached bool   `json:"cached"`
}

// A Role is one role of the app.
type Role struct {
	Hosts []string `json:"hosts"`
	Proxy *Proxy   `json:"proxy"` // nil where it takes no requests
	Run   []string `json:"run"`   // of Parse: the docker run of each host, as its shell is given it
	Container
}

// An Accessory is one accessory.
type Accessory struct {
	Service  string   `json:"service"` // its container's name and label
	Image    string   `json:"image"`
	Hosts    []string `json:"hosts"`
	Proxy    *Proxy   `json:"proxy"`
	Run      []string `json:"run"`                // as a role's
	Registry string   `json:"registry,omitempty"` // of Resolve
	Container
}

// A Container is what a role's or an accessory's containers are run with; of Resolve.
type Container struct {
	Args    []string          `json:"args,omitempty"`    // of docker run
	Secrets map[string]string `json:"secrets,omitempty"` // variable to secret
}

// A Proxy is what kamal-proxy is told of a role or an accessory.
type Proxy struct {
	Hosts        []string  `json:"hosts"`
	TLS          bool      `json:"tls"`
	PathPrefixes []string  `json:"path_prefixes"`
	Health       string    `json:"health"` // the health check's path, "" where none is given
	Port         int       `json:"port"`   // kamal-proxy's own, 0 where it is the usual
	Run          *ProxyRun `json:"run,omitempty"`
}

// A ProxyRun is how kamal-proxy itself is run, where the configuration says; of
// Resolve.
type ProxyRun struct {
	Args     []string `json:"args"` // of docker run
	Registry string   `json:"registry"`
}

// Parse finds the configuration in what `kamal config` wrote with Preload.
func Parse(output []byte) (Configuration, error) {
	var c Configuration
	for l := range bytes.Lines(output) {
		if raw, ok := bytes.CutPrefix(l, []byte(Line)); ok {
			if err := json.Unmarshal(raw, &c); err != nil {
				return Configuration{}, fmt.Errorf("reading the resolved configuration: %w", err)
			}
			if c.Service == "" || c.Image == "" {
				return Configuration{}, errors.New("reading the resolved configuration: it has no service or no image")
			}
			return c, nil
		}
	}
	return Configuration{}, problem.Newf("kamal config did not show the configuration").About(problem.KamalFailed)
}

// Proxies is every proxy of a configuration, with what it is of.
func (c Configuration) Proxies() map[string]*Proxy {
	all := map[string]*Proxy{}
	for name, role := range c.Roles {
		if role.Proxy != nil {
			all["role "+name] = role.Proxy
		}
	}
	for name, a := range c.Accessories {
		if a.Proxy != nil {
			all["accessory "+name] = a.Proxy
		}
	}
	return all
}
