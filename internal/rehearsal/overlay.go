package rehearsal

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// An overlay is what a rehearsal changes of a project's configuration: keys to
// drop, and then hashes to merge into it as Kamal merges a destination's file.
// It holds names and addresses, and no value of a secret.
type overlay struct {
	Drop [][]string     `json:"drop"`
	Set  map[string]any `json:"set"`

	s        *session
	plain    map[string]string // keys of the root with a text, as YAML
	service  string            // of the project
	volumes  []string          // names of volumes that will be made
	left     []string          // what is left out, for a person
	settings []string          // names of plain settings that were moved
	moved    map[string]string // addresses of the project's servers to what stands for them
}

// newOverlay moves raw, a project's configuration, to this machine: the parts of
// the session have started. login is the registry section's username and password.
func newOverlay(s *session, raw, login map[string]any) *overlay {
	service, _ := raw["service"].(string)
	o := &overlay{s: s, service: service, Set: map[string]any{}, plain: map[string]string{}, moved: map[string]string{}}
	o.scalar("service", s.made.service)
	if image, _ := raw["image"].(string); image == "" {
		o.Set["image"] = service
	}
	o.Set["labels"] = map[string]any{Label: s.made.id}
	o.addresses(raw)
	o.ssh()
	o.drop("registry")
	o.Set["registry"] = map[string]any{"server": s.registry.Address(), "username": login["username"], "password": login["password"]}
	o.builder(raw)
	o.proxy(nil, raw["proxy"])
	for _, key := range []string{"logging", "output"} {
		o.drop(key)
	}
	if !s.opts.WithHooks {
		o.scalar("hooks_path", s.path("hooks"))
	}
	if list, ok := raw["volumes"].([]any); ok {
		o.Set["volumes"] = o.volumeList(list)
	}
	o.servers(raw["servers"])
	o.accessories(asMap(raw["accessories"]))
	if env := o.clearEnv(raw["env"]); env != nil {
		o.Set["env"] = env
	}
	return o
}

// lines tell a person what a rehearsal leaves out or changes beside addresses.
func (o *overlay) lines() []string {
	lines := o.left
	if len(o.settings) > 0 {
		lines = append(lines, "settings that named a server of yours name this machine instead: "+
			strings.Join(unique(o.settings), ", "))
	}
	return lines
}

// scalar sets a key of the root to a text.
func (o *overlay) scalar(key, text string) {
	quoted, _ := json.Marshal(text) // of a string: never fails, and is YAML
	o.plain[key] = string(quoted)
}

func (o *overlay) drop(keys ...string) { o.Drop = append(o.Drop, keys) }

func (o *overlay) leave(format string, args ...any) {
	o.left = append(o.left, fmt.Sprintf(format, args...))
}

func (o *overlay) ssh() {
	o.drop("ssh")
	o.Set["ssh"] = map[string]any{"user": hostUser, "port": o.s.host.Port(), "config": false}
}

func (o *overlay) builder(raw map[string]any) {
	for _, key := range []string{"driver", "arch", "remote", "local", "cache", "provenance", "sbom"} {
		o.drop("builder", key)
	}
	o.Set["builder"] = map[string]any{"driver": "docker", "arch": o.s.engine.arch}
	if _, pack := asMap(raw["builder"])["pack"]; pack {
		o.leave("builder.pack builds with the engine of this machine")
	}
}

// proxy moves a proxy section: no certificates, and a kamal-proxy on loopback
// that carries the rehearsal's label.
func (o *overlay) proxy(at []string, theirs any) {
	section := asMap(theirs)
	o.drop(append(slices.Clone(at), "proxy", "run")...)
	ours := map[string]any{"run": map[string]any{
		"bind_ips": []any{loopback}, "http_port": 0, "https_port": 0,
		"options": map[string]any{"label": []any{Label + "=" + o.s.made.id}},
	}}
	if _, ok := section["ssl"]; ok {
		ours["ssl"] = false
	}
	o.put(append(slices.Clone(at), "proxy"), ours)
}

// put sets a hash in Set, making those above it.
func (o *overlay) put(at []string, value map[string]any) {
	into := o.Set
	for _, key := range at[:len(at)-1] {
		next, ok := into[key].(map[string]any)
		if !ok {
			next = map[string]any{}
			into[key] = next
		}
		into = next
	}
	last := at[len(at)-1]
	if there, ok := into[last].(map[string]any); ok {
		maps.Copy(there, value)
		return
	}
	into[last] = value
}

// servers moves every role to the one host: servers that share an engine would
// collide on the names of their containers.
func (o *overlay) servers(theirs any) {
	switch servers := theirs.(type) {
	case []any:
		o.Set["servers"] = oneHost(servers)
	case map[string]any:
		for _, role := range slices.Sorted(maps.Keys(servers)) {
			switch section := servers[role].(type) {
			case []any:
				o.put([]string{"servers"}, map[string]any{role: oneHost(section)})
			case map[string]any:
				o.role(role, section)
			}
		}
	}
}

func (o *overlay) role(role string, section map[string]any) {
	at := []string{"servers", role}
	o.drop("servers", role, "logging")
	ours := map[string]any{}
	if hosts, ok := section["hosts"]; ok {
		ours["hosts"] = oneHost(hosts)
	}
	if env := o.clearEnv(section["env"]); env != nil {
		ours["env"] = env
	}
	o.put(at, ours)
	o.options(at, section["options"])
	if _, ok := section["proxy"].(map[string]any); ok {
		o.proxy(at, section["proxy"])
	}
}

// oneHost is a list of hosts moved to loopback: one, with the tags of the first,
// or none where there was none.
func oneHost(theirs any) []any {
	hosts, ok := theirs.([]any)
	if !ok {
		hosts = []any{theirs}
	}
	if len(hosts) == 0 {
		return []any{}
	}
	if tagged, ok := hosts[0].(map[string]any); ok {
		for _, tags := range tagged {
			return []any{map[string]any{loopback: tags}}
		}
	}
	return []any{loopback}
}

func (o *overlay) accessories(theirs map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(theirs)) {
		section := asMap(theirs[name])
		at := []string{"accessories", name}
		for _, key := range []string{"host", "hosts", "role", "roles", "tag", "tags", "registry", "network"} {
			o.drop(append(slices.Clone(at), key)...)
		}
		ours := map[string]any{
			"host":    loopback,
			"service": o.accessoryService(name),
			"labels":  map[string]any{Label: o.s.made.id},
		}
		if server, _ := asMap(section["registry"])["server"].(string); server != "" {
			image, _ := section["image"].(string)
			ours["image"] = server + "/" + image
			o.leave("the accessory %s is pulled from %s without logging in there", name, server)
		}
		if port, ok := section["port"]; ok {
			ours["port"] = o.publish(port)
		}
		if list, ok := section["volumes"].([]any); ok {
			ours["volumes"] = o.volumeList(list)
		}
		if list, ok := section["directories"].([]any); ok {
			ours["directories"] = directories(list)
		}
		if env := o.clearEnv(section["env"]); env != nil {
			ours["env"] = env
		}
		o.put(at, ours)
		o.options(at, section["options"])
		// The name that the app knows the accessory by still leads to it.
		known, _ := section["service"].(string)
		if known == "" {
			known = o.service + "-" + name
		}
		o.put(append(slices.Clone(at), "options"), map[string]any{
			"network-alias": append(asList(asMap(section["options"])["network-alias"]), known),
		})
		if len(asMap(section["proxy"])) > 0 {
			o.proxy(at, section["proxy"])
		}
	}
}

func (o *overlay) accessoryService(name string) string { return o.s.made.service + "-" + name }

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// asList is a list as it is, and anything else there is as a list of one.
func asList(v any) []any {
	switch list := v.(type) {
	case nil:
		return nil
	case []any:
		return list
	}
	return []any{v}
}
