package plan

import (
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
)

// An option is one of `docker run`, as words that can be compared: of the engine's
// answer, and of what is written in deploy.yml.
type option struct {
	names []string
	has   func(h *has) []string
	want  func(value string) string // nil takes the value as it is written
	given bool                      // compared only where deploy.yml gives it: else the engine decides
	image func(h *has) []string     // what the image has already, wanted or not; nil for nothing
}

// options are those that are compared. All others are said not to be.
func options() []option {
	return []option{
		{names: []string{"restart"}, has: restarts, want: func(v string) string {
			if v == "no" {
				return ""
			}
			return v
		}},
		{names: []string{"network", "net"}, has: ofText(func(c hostConfig) string { return c.NetworkMode })},
		{names: []string{"log-driver"}, has: ofText(func(c hostConfig) string { return c.LogConfig.Type }), given: true},
		{names: []string{"log-opt"}, has: ofList(func(c hostConfig) []string { return pairs(c.LogConfig.Config, "=") }), given: true},
		{names: []string{"volume", "v"}, has: volumes},
		{
			names: []string{"label", "l"}, has: func(h *has) []string { return without(labelled(h.Labels), labelled(h.OfImage.Labels)) },
			want: func(v string) string { return strings.TrimSuffix(v, "=") }, image: func(h *has) []string { return labelled(h.OfImage.Labels) },
		},
		{names: []string{"publish", "p"}, has: published, want: publish},
		{names: []string{"memory", "m"}, has: ofNumber(bytesText, func(c hostConfig) int64 { return c.Memory }), want: size},
		{names: []string{"memory-reservation"}, has: ofNumber(bytesText, func(c hostConfig) int64 { return c.MemoryReservation }), want: size},
		{names: []string{"memory-swap"}, has: ofNumber(bytesText, func(c hostConfig) int64 { return c.MemorySwap }), want: size, given: true},
		{names: []string{"shm-size"}, has: ofNumber(bytesText, func(c hostConfig) int64 { return c.ShmSize }), want: size, given: true},
		{names: []string{"cpus"}, has: ofNumber(cpusText, func(c hostConfig) int64 { return c.NanoCpus }), want: cpus},
		{names: []string{"cpu-shares", "c"}, has: ofNumber(plainText, func(c hostConfig) int64 { return c.CPUShares })},
		{names: []string{"cpuset-cpus"}, has: ofText(func(c hostConfig) string { return c.CpusetCpus })},
		{names: []string{"pids-limit"}, has: ofNumber(plainText, func(c hostConfig) int64 {
			if c.PidsLimit == nil {
				return 0
			}
			return *c.PidsLimit
		})},
		{names: []string{"cap-add"}, has: ofList(func(c hostConfig) []string { return capabilities(c.CapAdd) }), want: capability},
		{names: []string{"cap-drop"}, has: ofList(func(c hostConfig) []string { return capabilities(c.CapDrop) }), want: capability},
		{names: []string{"security-opt"}, has: ofList(func(c hostConfig) []string { return c.SecurityOpt }), given: true},
		{names: []string{"add-host"}, has: ofList(func(c hostConfig) []string { return c.ExtraHosts }), want: func(v string) string { return strings.Replace(v, "=", ":", 1) }},
		{names: []string{"dns"}, has: ofList(func(c hostConfig) []string { return c.DNS })},
		{names: []string{"group-add"}, has: ofList(func(c hostConfig) []string { return c.GroupAdd })},
		{names: []string{"tmpfs"}, has: ofList(func(c hostConfig) []string { return pairs(c.Tmpfs, ":") })},
		{names: []string{"sysctl"}, has: ofList(func(c hostConfig) []string { return pairs(c.Sysctls, "=") })},
		{names: []string{"ulimit"}, has: ulimits, want: ulimit, given: true},
		{names: []string{"privileged"}, has: ofFlag(func(c hostConfig) bool { return c.Privileged })},
		{names: []string{"read-only"}, has: ofFlag(func(c hostConfig) bool { return c.ReadonlyRootfs })},
		{names: []string{"init"}, has: ofFlag(func(c hostConfig) bool { return c.Init != nil && *c.Init }), given: true},
		{names: []string{"pid"}, has: ofText(func(c hostConfig) string { return c.PidMode })},
		{names: []string{"runtime"}, has: ofText(func(c hostConfig) string { return c.Runtime }), given: true},
		{names: []string{"user", "u"}, has: ownText(func(c ofContainer) string { return c.User })},
		{names: []string{"workdir", "w"}, has: ownText(func(c ofContainer) string { return c.Workdir })},
		{names: []string{"entrypoint"}, has: ownText(func(c ofContainer) string { return strings.Join(c.Entrypoint, " ") })},
	}
}

// What a container has of an option that is one text, a list, a number or yes.

func ofList(f func(hostConfig) []string) func(*has) []string {
	return func(h *has) []string { return f(h.Host) }
}

func ofText(f func(hostConfig) string) func(*has) []string {
	return func(h *has) []string { return nonEmpty(f(h.Host)) }
}

func ofNumber(text func(int64) string, f func(hostConfig) int64) func(*has) []string {
	return func(h *has) []string {
		if n := f(h.Host); n != 0 {
			return []string{text(n)}
		}
		return nil
	}
}

func plainText(n int64) string { return strconv.FormatInt(n, 10) }

func ofFlag(f func(hostConfig) bool) func(*has) []string {
	return func(h *has) []string {
		if f(h.Host) {
			return []string{"true"}
		}
		return nil
	}
}

func pairs(m map[string]string, between string) (all []string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if m[k] == "" {
			all = append(all, k)
		} else {
			all = append(all, k+between+m[k])
		}
	}
	return all
}

// passedOver are options that say nothing of what the container is, or whose value is
// another in each container.
var passedOver = []string{"detach", "name", "hostname", "env", "env-file", "rm"}

// compareOptions holds Kamal's `docker run` against a container, and names the options
// that cannot be compared.
func compareOptions(w wanted, h *has, home string) (changes []Change, not []string) {
	want := map[string][]string{}
	for _, o := range w.Options {
		if o[0] == nil || slices.Contains(passedOver, *o[0]) {
			continue
		}
		value := "true"
		if o[1] != nil {
			value = *o[1]
		}
		value = strings.NewReplacer("${PWD}", home, "$PWD", home).Replace(value)
		want[*o[0]] = append(want[*o[0]], value)
	}
	for _, o := range options() {
		var wanted []string
		shell := false
		for _, name := range o.names {
			for _, v := range want[name] {
				shell = shell || strings.Contains(v, "${")
				if o.want != nil {
					v = o.want(v)
				}
				wanted = append(wanted, nonEmpty(v)...)
			}
			delete(want, name)
		}
		name := "--" + o.names[0]
		if shell {
			not = append(not, name) // the host's shell decides
			continue
		}
		if o.given && len(wanted) == 0 {
			continue
		}
		if o.image != nil {
			wanted = without(wanted, o.image(h))
		}
		changes = append(changes, different("option", name, o.has(h), wanted)...)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		not = append(not, "--"+name)
	}
	return changes, not
}

// different says how one list became another: a single value that is another, else each
// that comes and each that goes.
func different(kind, name string, from, to []string) (changes []Change) {
	gone, come := without(from, to), without(to, from)
	if len(gone) == 1 && len(come) == 1 {
		return []Change{{Kind: kind, Name: name, From: gone[0], To: come[0]}}
	}
	for _, v := range gone {
		changes = append(changes, Change{Kind: kind, Name: name, From: v})
	}
	for _, v := range come {
		changes = append(changes, Change{Kind: kind, Name: name, To: v})
	}
	return changes
}

// without is a list without what another holds, in order and each once.
func without(list, other []string) (rest []string) {
	for _, v := range list {
		if !slices.Contains(other, v) && !slices.Contains(rest, v) {
			rest = append(rest, v)
		}
	}
	slices.Sort(rest)
	return rest
}

func nonEmpty(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

func restarts(h *has) []string {
	p := h.Host.RestartPolicy
	if p.Name == "no" {
		return nil
	}
	if p.MaximumRetryCount > 0 {
		return []string{p.Name + ":" + strconv.Itoa(p.MaximumRetryCount)}
	}
	return nonEmpty(p.Name)
}

// volumes are the binds, and the anonymous volumes that the image does not have.
func volumes(h *has) []string {
	all := slices.Clone(h.Host.Binds)
	for path := range h.Volumes {
		if _, image := h.OfImage.Volumes[path]; !image {
			all = append(all, path)
		}
	}
	return all
}

func labelled(labels map[string]string) (all []string) {
	for k, v := range labels {
		all = append(all, strings.TrimSuffix(k+"="+v, "="))
	}
	return all
}

func ownText(f func(ofContainer) string) func(*has) []string {
	return func(h *has) []string {
		if own := f(h.ofContainer); own != f(h.OfImage.ofContainer) {
			return nonEmpty(own)
		}
		return nil
	}
}

func published(h *has) (all []string) {
	for port, bindings := range h.Host.PortBindings {
		for _, b := range bindings {
			all = append(all, net.JoinHostPort(b.HostIP, b.HostPort)+":"+port)
		}
	}
	return all
}

// publish is --publish [IP:][HOST:]CONTAINER[/PROTOCOL] as published writes it.
func publish(value string) string {
	address, protocol, given := strings.Cut(value, "/")
	if !given {
		protocol = "tcp"
	}
	parts := strings.Split(address, ":")
	container, host, ip := parts[len(parts)-1], "", ""
	if len(parts) > 1 {
		host = parts[len(parts)-2]
	}
	if len(parts) > 2 {
		ip = strings.Trim(strings.Join(parts[:len(parts)-2], ":"), "[]")
	}
	return net.JoinHostPort(ip, host) + ":" + container + "/" + protocol
}

// size is a number of bytes, as docker reads 512m and 1.5g.
func size(value string) string {
	text := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(value), "ib"), "b")
	shift := 0
	if text != "" {
		if i := strings.IndexByte("kmgt", text[len(text)-1]); i >= 0 {
			shift, text = 10*(i+1), text[:len(text)-1]
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return value
	}
	return bytesText(int64(n * float64(int64(1)<<shift)))
}

// bytesText is a number of bytes as docker's options are written, 512m.
func bytesText(n int64) string {
	for i, unit := range "gmk" {
		if shift := 30 - 10*i; n != 0 && n%(1<<shift) == 0 {
			return strconv.FormatInt(n>>shift, 10) + string(unit)
		}
	}
	return strconv.FormatInt(n, 10)
}

func cpusText(nano int64) string { return strconv.FormatFloat(float64(nano)/1e9, 'f', -1, 64) }

func cpus(value string) string {
	n, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return value
	}
	return cpusText(int64(n * 1e9))
}

func capability(name string) string { return strings.TrimPrefix(strings.ToUpper(name), "CAP_") }

func capabilities(names []string) (all []string) {
	for _, name := range names {
		all = append(all, capability(name))
	}
	return all
}

func ulimits(h *has) (all []string) {
	for _, u := range h.Host.Ulimits {
		all = append(all, u.Name+"="+strconv.FormatInt(u.Soft, 10)+":"+strconv.FormatInt(u.Hard, 10))
	}
	return all
}

func ulimit(value string) string {
	if !strings.Contains(value, ":") {
		_, soft, _ := strings.Cut(value, "=")
		return value + ":" + soft
	}
	return value
}
