package history

import (
	"cmp"
	_ "embed" // for the Ruby
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/kamal-op/kamal-op/internal/kamal"
)

//go:embed history.rb
var ruby string

// Preload is Ruby that, required before Kamal, adds the command to it.
func Preload() string { return kamal.HostsPreload() + ruby }

// Command is the command of Kamal that Preload adds.
const Command = "kamal_op_history"

// A History is what was deployed, the newest first.
type History struct {
	Service     string      `json:"service"`
	Destination string      `json:"destination,omitempty"`
	Deploys     []Deploy    `json:"deploys"`
	Runs        []Runs      `json:"runs"`
	Without     []string    `json:"without"` // hosts that have no line of any deploy
	Unreached   []Unreached `json:"unreached"`
}

// A Deploy is a record, and the hosts that have it.
type Deploy struct {
	Record
	Hosts []string `json:"hosts"`
}

// Runs are the versions that a host has containers of.
type Runs struct {
	Host   string   `json:"host"`
	Role   string   `json:"role"`
	Runs   []string `json:"runs"`
	Others []string `json:"others"` // stopped, and to go back to
}

// Unreached is a host that could not be asked.
type Unreached struct {
	Host string `json:"host"`
	Why  string `json:"why"`
}

// Parse reads what Command has written to standard output, among Kamal's own lines.
func Parse(out []byte) (h History, err error) {
	var raw struct {
		Service, Destination string
		Hosts                []struct {
			Host, Why, Log string
			Roles          []Runs
		}
	}
	if err := kamal.ReadReport(out, "history", "its audit logs", &raw); err != nil {
		return h, err
	}
	h = History{Service: raw.Service, Destination: raw.Destination, Deploys: []Deploy{}, Runs: []Runs{}, Without: []string{}, Unreached: []Unreached{}}
	var boots []bootLine
	for _, host := range raw.Hosts {
		if host.Why != "" {
			h.Unreached = append(h.Unreached, Unreached{host.Host, host.Why})
			continue
		}
		log, err := base64.StdEncoding.DecodeString(host.Log)
		if err != nil {
			return h, fmt.Errorf("kamal's report of the audit log of %s: %w", host.Host, err)
		}
		records, booted := readLog(string(log), host.Host, h.Destination)
		if len(records)+len(booted) == 0 {
			h.Without = append(h.Without, host.Host)
		}
		for _, r := range records {
			h.add(r, host.Host)
		}
		boots = append(boots, booted...)
		for _, role := range host.Roles {
			role.Host = host.Host
			h.Runs = append(h.Runs, role)
		}
	}
	h.addBoots(boots)
	slices.SortStableFunc(h.Deploys, func(a, b Deploy) int {
		return cmp.Or(b.Ended.Compare(a.Ended), cmp.Compare(a.Version, b.Version))
	})
	return h, nil
}

// add puts a record of a host's to those that are known: each host of a deploy has it.
func (h *History) add(r Record, host string) {
	i := slices.IndexFunc(h.Deploys, func(d Deploy) bool {
		return d.Run == r.Run && d.Ended.Equal(r.Ended) && d.Version == r.Version && d.Command == r.Command
	})
	if i < 0 {
		h.Deploys = append(h.Deploys, Deploy{Record: r})
		i = len(h.Deploys) - 1
	}
	if !slices.Contains(h.Deploys[i].Hosts, host) {
		h.Deploys[i].Hosts = append(h.Deploys[i].Hosts, host)
	}
}

// together is how far apart boots of one version may be to count as one deploy, and how
// far a clock may be off between a boot and the end of its deploy.
const (
	together = 15 * time.Minute
	slack    = 2 * time.Second
)

// addBoots puts what Kamal has written of boots to the deploys: those that none of our
// lines tells of.
func (h *History) addBoots(boots []bootLine) {
	slices.SortStableFunc(boots, func(a, b bootLine) int { return a.at.Compare(b.at) })
	ours := len(h.Deploys)
	for _, boot := range boots {
		known := slices.ContainsFunc(h.Deploys[:ours], func(d Deploy) bool {
			began := d.Ended.Add(-time.Duration(d.Took * float64(time.Second)))
			return d.booted(boot.version) && boot.at.After(began.Add(-slack)) && boot.at.Before(d.Ended.Add(slack))
		})
		if known {
			continue
		}
		i := ours + slices.IndexFunc(h.Deploys[ours:], func(d Deploy) bool {
			return d.Version == boot.version && d.By == boot.by && boot.at.Sub(d.Ended) < together
		})
		if i < ours {
			h.Deploys = append(h.Deploys, Deploy{Record: Record{Version: boot.version, How: "booted", By: boot.by}})
			i = len(h.Deploys) - 1
		}
		d := &h.Deploys[i]
		d.Ended = boot.at
		if !slices.Contains(d.Hosts, boot.host) {
			d.Hosts = append(d.Hosts, boot.host)
		}
		d.Boots = append(d.Boots, Boot{Host: boot.host, Role: boot.role, After: boot.version})
	}
}

// booted says whether the deploy has booted a version: its own, or the one that it has
// gone back to.
func (d Deploy) booted(version string) bool {
	return d.Version == version || slices.ContainsFunc(d.Boots, func(b Boot) bool { return b.Before == version || b.After == version })
}

// Running are the versions that run, of any role on any host.
func (h History) Running() (versions []string) {
	for _, r := range h.Runs {
		for _, v := range r.Runs {
			if !slices.Contains(versions, v) {
				versions = append(versions, v)
			}
		}
	}
	return versions
}

// Available are the versions that can be gone back to: every role on every host has a
// container of it.
func (h History) Available() (versions []string) {
	for _, r := range h.Runs {
		for _, v := range r.Others {
			everywhere := !slices.ContainsFunc(h.Runs, func(r Runs) bool { return !slices.Contains(r.Others, v) })
			if everywhere && !slices.Contains(versions, v) && kamal.IsVersion(v) {
				versions = append(versions, v)
			}
		}
	}
	return versions
}
