package review

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// ConfigPreload is Ruby to be required before Kamal (RUBYOPT=-r FILE): `kamal
// config`, with it, writes the resolved configuration as one line of JSON and
// nothing of what is secret in it. ParseResolved reads that.
//
//go:embed config.rb
var ConfigPreload string

// LabelsPreload is Ruby to be required before Kamal in every command of a preview:
// it gives what Kamal makes the labels of App.Labels.
//
//go:embed labels.rb
var LabelsPreload string

// Overlay is the config/deploy.review.yml that a project begins with.
//
//go:embed deploy.review.yml
var Overlay string

// ResolvedLine begins the line that ConfigPreload writes.
const ResolvedLine = "@kamal-op-resolved "

// A Resolved is what Kamal makes of deploy.yml, as far as it can touch another app.
type Resolved struct {
	Service     string              `json:"service"`
	Destination string              `json:"destination"`
	Image       string              `json:"image"`   // the repository, with the registry's server
	Version     string              `json:"version"` // the image's tag
	Hosts       []string            `json:"hosts"`   // that Kamal connects to
	Roles       map[string]Role     `json:"roles"`
	Accessories map[string]Resource `json:"accessories"`
	ProxyRun    []string            `json:"proxy_run"` // kamal-proxy's docker run, where the configuration says how
}

// A Role is one role of the app.
type Role struct {
	Hosts []string `json:"hosts"`
	Proxy *Proxy   `json:"proxy"` // nil where it takes no requests
	Run   []string `json:"run"`   // the docker run of each host, as its shell is given it
}

// A Proxy is what kamal-proxy is told of a role or an accessory.
type Proxy struct {
	Hosts        []string `json:"hosts"`
	TLS          bool     `json:"tls"`
	PathPrefixes []string `json:"path_prefixes"`
	Health       string   `json:"health"` // the health check's path, "" where none is given
	Port         int      `json:"port"`   // kamal-proxy's own, 0 where it is the usual
}

// A Resource is one accessory.
type Resource struct {
	Service string   `json:"service"` // its container's name and label
	Image   string   `json:"image"`
	Hosts   []string `json:"hosts"`
	Proxy   *Proxy   `json:"proxy"`
	Run     []string `json:"run"`
}

// ParseResolved finds the configuration in what Kamal wrote.
func ParseResolved(output []byte) (Resolved, error) {
	var r Resolved
	for l := range bytes.Lines(output) {
		if raw, ok := bytes.CutPrefix(l, []byte(ResolvedLine)); ok {
			if err := json.Unmarshal(raw, &r); err != nil {
				return Resolved{}, fmt.Errorf("reading the resolved configuration: %w", err)
			}
			if r.Service == "" || r.Image == "" {
				return Resolved{}, errors.New("reading the resolved configuration: it has no service or no image")
			}
			return r, nil
		}
	}
	return Resolved{}, problem.Newf("kamal config did not show the configuration")
}

// proxies is every proxy of a configuration, with what it is of.
func (r Resolved) proxies() map[string]*Proxy {
	all := map[string]*Proxy{}
	for name, role := range r.Roles {
		if role.Proxy != nil {
			all["role "+name] = role.Proxy
		}
	}
	for name, a := range r.Accessories {
		if a.Proxy != nil {
			all["accessory "+name] = a.Proxy
		}
	}
	return all
}
