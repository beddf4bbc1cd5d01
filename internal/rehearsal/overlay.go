package rehearsal

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"path"
	"slices"
	"strings"
)

// An overlay is what a rehearsal changes of a project's configuration: keys to
// drop, and then hashes to merge into it as Kamal merges a destination's file.
// It holds names and addresses, and no value of a secret.
type overlay struct {
	Drop [][]string     `json:"drop"`
	Set  map[string]any `json:"set"`

	s        *stage
	plain    map[string]string // keys of the root with a text, as YAML
	service  string            // of the project
	volumes  []string          // names of volumes that will be made
	left     []string          // what is left out, for a person
	settings []string          // names of plain settings that were moved
	moved    map[string]string // addresses of the project's servers to what stands for them
}

// newOverlay moves raw, a project's configuration, to this machine: the parts of
// the stage have started. login is the registry section's username and password.
func newOverlay(s *stage, raw, login map[string]any) *overlay {
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

// leftOut are options of docker run that a rehearsal leaves out, by why.
func leftOut() map[string]string {
	elsewhere, machine := "it leads beyond this machine", "it asks for a machine like the server"
	return map[string]string{
		"network": elsewhere, "net": elsewhere, "ip": elsewhere, "ip6": elsewhere,
		"log-driver": elsewhere, "log-opt": elsewhere, "mount": elsewhere, "volumes-from": elsewhere,
		"publish-all": elsewhere, "P": elsewhere, "pid": elsewhere, "ipc": elsewhere, "privileged": elsewhere,
		"cpus": machine, "cpuset-cpus": machine, "cpuset-mems": machine, "cpu-shares": machine,
		"memory": machine, "memory-swap": machine, "memory-reservation": machine, "m": machine,
		"gpus": machine, "device": machine, "runtime": machine, "platform": machine,
	}
}

// options moves docker's own options of a role or an accessory.
func (o *overlay) options(at []string, theirs any) {
	section := asMap(theirs)
	path := append(slices.Clone(at), "options")
	for _, key := range slices.Sorted(maps.Keys(section)) {
		if why, ok := leftOut()[key]; ok {
			o.drop(append(slices.Clone(path), key)...)
			o.leave("%s: %s is left out: %s", strings.Join(at, "."), key, why)
			continue
		}
		switch key {
		case "publish", "p":
			moved := []any{}
			for _, port := range asList(section[key]) {
				moved = append(moved, o.publish(port))
			}
			o.put(path, map[string]any{key: moved})
		case "volume", "v":
			o.put(path, map[string]any{key: o.volumeList(asList(section[key]))})
		}
	}
}

// publish is a free port of loopback for the container's port.
func (o *overlay) publish(port any) string {
	_, container := splitPublish(fmt.Sprint(port))
	return loopback + "::" + container
}

// volumeList moves volumes: named ones get a name of the rehearsal, and folders
// become folders in the home of the SSH host.
func (o *overlay) volumeList(list []any) []any {
	moved := []any{}
	for _, entry := range list {
		text := fmt.Sprint(entry)
		source, rest, ok := strings.Cut(text, ":")
		switch {
		case !ok, harmless(source):
			moved = append(moved, text)
			continue
		case path.IsAbs(source), strings.ContainsAny(source, "/$~"):
			source = o.s.path("home", "volumes", sanitize(source))
		default:
			source = o.s.made.service + "_" + source
			o.volumes = append(o.volumes, source)
		}
		moved = append(moved, source+":"+rest)
	}
	return moved
}

// harmless are files of the machine that a container may read as it may on any.
func harmless(source string) bool {
	return slices.Contains([]string{"/etc/localtime", "/etc/timezone", "/etc/ssl/certs"}, source)
}

// directories keeps the folders of an accessory under the SSH host's home.
func directories(list []any) []any {
	moved := []any{}
	for _, entry := range list {
		switch d := entry.(type) {
		case map[string]any:
			d = maps.Clone(d)
			d["local"] = sanitize(fmt.Sprint(d["local"]))
			moved = append(moved, d)
		default:
			local, rest, _ := strings.Cut(fmt.Sprint(d), ":")
			moved = append(moved, sanitize(local)+":"+rest)
		}
	}
	return moved
}

// sanitize makes a path on a server one that stays below where it is put.
func sanitize(name string) string {
	clean := path.Clean("/" + strings.NewReplacer("$", "_", "~", "_", `"`, "_", "`", "_").Replace(name))
	return strings.TrimPrefix(clean, "/")
}

// addresses notes where the project's servers are, so that settings of the app
// that name one lead to what stands for it: an accessory's container where one
// accessory is there, and this machine otherwise.
func (o *overlay) addresses(raw map[string]any) {
	hosts := map[string]bool{}
	var collect func(any)
	collect = func(theirs any) {
		switch h := theirs.(type) {
		case string:
			hosts[h] = true
		case []any:
			for _, one := range h {
				collect(one)
			}
		case map[string]any:
			for host := range h {
				hosts[host] = true
			}
		}
	}
	switch servers := raw["servers"].(type) {
	case []any:
		collect(servers)
	case map[string]any:
		for _, section := range servers {
			if role, ok := section.(map[string]any); ok {
				collect(role["hosts"])
			} else {
				collect(section)
			}
		}
	}
	for host := range hosts {
		o.moved[host] = loopback
	}
	there := map[string][]string{}
	for name, section := range asMap(raw["accessories"]) {
		for _, key := range []string{"host", "hosts"} {
			for _, host := range asList(asMap(section)[key]) {
				there[fmt.Sprint(host)] = append(there[fmt.Sprint(host)], name)
			}
		}
	}
	for host, names := range there {
		o.moved[host] = loopback
		if len(names) == 1 {
			o.moved[host] = o.accessoryService(names[0])
		}
	}
	delete(o.moved, "")
}

// clearEnv moves the plain settings of an env section that name a server of the
// project's: an app that is rehearsed has no business at its database. It is nil
// where there is nothing to move.
func (o *overlay) clearEnv(theirs any) map[string]any {
	env := asMap(theirs)
	plain, ok := env["clear"].(map[string]any)
	if !ok && env["secret"] == nil && env["tags"] == nil {
		plain = env
	}
	moved := map[string]any{}
	for name, value := range plain {
		text, isText := value.(string)
		if !isText {
			continue
		}
		if changed := o.moveText(text); changed != text {
			moved[name] = changed
		}
	}
	ours := map[string]any{}
	if len(moved) > 0 {
		o.settings = slices.AppendSeq(o.settings, maps.Keys(moved))
		if ok {
			ours["clear"] = moved
		} else {
			ours = moved
		}
	}
	for tag, section := range asMap(env["tags"]) {
		if changed := o.clearEnv(section); changed != nil {
			tags, _ := ours["tags"].(map[string]any)
			if tags == nil {
				tags = map[string]any{}
				ours["tags"] = tags
			}
			tags[tag] = changed
		}
	}
	if len(ours) == 0 {
		return nil
	}
	return ours
}

// moveText replaces addresses of the project's servers where they stand as a
// whole word: 10.0.0.1 is not in 10.0.0.12.
func (o *overlay) moveText(text string) string {
	hosts := slices.SortedFunc(maps.Keys(o.moved), func(a, b string) int { return len(b) - len(a) })
	for _, host := range hosts {
		if net.ParseIP(host) == nil && !strings.Contains(host, ".") {
			if text == host { // a bare word may mean anything inside a longer text
				return o.moved[host]
			}
			continue
		}
		for from := 0; ; {
			i := strings.Index(text[from:], host)
			if i < 0 {
				break
			}
			start, end := from+i, from+i+len(host)
			if (start == 0 || !wordByte(text[start-1])) && (end == len(text) || !wordByte(text[end])) {
				text = text[:start] + o.moved[host] + text[end:]
				end = start + len(o.moved[host])
			}
			from = end
		}
	}
	return text
}

func wordByte(c byte) bool {
	return c == '.' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

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
