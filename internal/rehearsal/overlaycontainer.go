package rehearsal

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

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
