package review

import (
	"encoding/csv"
	"path"
	"slices"
	"strings"
)

// harmless are the options of docker run that reach nothing but the container
// itself, whatever their value. What stands neither here nor in ownOptions is not
// known, and refused.
var harmless = []string{
	"attach", "cap-drop", "detach", "detach-keys", "disable-content-trust", "dns", "dns-option", "dns-search", "entrypoint",
	"env", "expose", "help", "init", "interactive", "no-healthcheck", "platform", "publish-all", "pull", "quiet", "read-only",
	"restart", "rm", "sig-proxy", "stop-signal", "stop-timeout", "sysctl", "tmpfs", "tty", "ulimit", "user", "workdir",
	"health-cmd", "health-interval", "health-retries", "health-start-interval", "health-start-period", "health-timeout",
	"log-driver", "log-opt",
	"blkio-weight", "cpu-period", "cpu-quota", "cpu-shares", "cpus", "cpuset-cpus", "cpuset-mems", "kernel-memory", "memory",
	"memory-reservation", "memory-swap", "memory-swappiness", "pids-limit", "shm-size",
}

// ownOptions are the options whose value decides: each says whether it is the
// preview's own.
var ownOptions = map[string]func(a App, value string) bool{
	"env-file":      App.ownEnvFile,
	"hostname":      App.owns, // others find the container by it, as by its name
	"name":          App.owns,
	"network":       App.ownNetwork,
	"network-alias": App.owns,
	"publish":       App.ownPort,
	"volume":        App.ownVolume,
	"mount":         App.ownMount,
	"ipc":           func(_ App, v string) bool { return slices.Contains([]string{"none", "private", "shareable"}, v) },
	"cgroupns":      func(_ App, v string) bool { return v == "private" },
	"security-opt": func(_ App, v string) bool {
		return strings.HasPrefix(v, "no-new-privileges") && !strings.HasSuffix(v, "false")
	},
	"label": func(App, string) bool { return true }, // they are looked at together, since the last one counts
}

// off are the words that turn a switch off.
var off = []string{"0", "f", "F", "false", "FALSE", "False"}

// ownOption says whether an option of docker run touches nothing but the preview's
// own.
func (a App) ownOption(o dockerOption) bool {
	if slices.Contains(dockerSwitches, o.name) && slices.Contains(off, o.value) {
		return true
	}
	if o.loose && o.name != "volume" {
		return false
	}
	if own, known := ownOptions[o.name]; known {
		return !o.expands() && own(a, o.value)
	}
	return slices.Contains(harmless, o.name)
}

// expands says whether the host's shell makes another text of a value that decides,
// also within quotes: Kamal leaves it ${NAME:+…}, which is nothing there, and is read
// here. A volume's own reader knows where $PWD may stand; of a label the value is
// compared with what it is to be.
func (o dockerOption) expands() bool {
	value := o.value
	switch o.name {
	case "volume":
		return false
	case "label":
		value, _, _ = strings.Cut(value, "=")
	case "mount":
		value = strings.NewReplacer("=$PWD/", "=", "=${PWD}/", "=").Replace(value)
	}
	return strings.ContainsAny(value, "$`")
}

// shellChars are those in a path that a shell may put something in for.
const shellChars = "$`~*?[{\\\x00"

// ownFolder says whether a path is in a folder of the preview's, in the home of the
// user who logs in: everything else on the host is somebody else's.
func (a App) ownFolder(source string) bool {
	for _, home := range []string{"$PWD/", "${PWD}/"} {
		source = strings.TrimPrefix(source, home)
	}
	if strings.HasPrefix(source, "/") || strings.ContainsAny(source, shellChars) {
		return false
	}
	clean := path.Clean(source)
	if strings.HasPrefix(clean, a.appFolder()+"/") {
		return true
	}
	first, _, _ := strings.Cut(clean, "/")
	return a.owns(first)
}

// appFolder is where Kamal keeps the files of the preview's app.
func (a App) appFolder() string { return ".kamal/apps/" + a.Service + "-" + a.Destination }

func (a App) ownEnvFile(value string) bool {
	return strings.HasPrefix(path.Clean(value), a.appFolder()+"/env/") && a.ownFolder(value)
}

// ownNetwork knows Kamal's network, on which are all apps of the host, none, and one
// by the preview's name. The long form has `name=` and `alias=`.
func (a App) ownNetwork(value string) bool {
	for field := range strings.SplitSeq(value, ",") {
		key, v, long := strings.Cut(field, "=")
		switch {
		case !long && !strings.Contains(value, ","), key == "name":
			if !long {
				v = field
			}
			if v != "kamal" && v != "none" && !a.owns(v) {
				return false
			}
		case key == "alias":
			if !a.owns(v) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// ownPort knows a port for which Docker takes any free one on the host.
func (a App) ownPort(value string) bool {
	if strings.Contains(value, "=") {
		return anyPort(value)
	}
	if _, after, v6 := strings.Cut(value, "]:"); v6 && strings.HasPrefix(value, "[") {
		value = "address:" + after
	}
	parts := strings.Split(value, ":")
	if len(parts) < 2 {
		return true
	}
	host := parts[len(parts)-2]
	return len(parts) <= 3 && (host == "" || host == "0")
}

// anyPort reads the long form of a port, KEY=VALUE,…: Docker puts the values together
// as published:target/protocol, so that a target with a : in it names a port of the
// host as well. It takes a key as it is written, and the last of several.
func anyPort(value string) bool {
	given := map[string]string{"target": "", "published": "", "protocol": ""}
	for field := range strings.SplitSeq(value, ",") {
		key, v, _ := strings.Cut(field, "=")
		if _, known := given[key]; !known {
			return false
		}
		given[key] = v
	}
	return !strings.Contains(given["target"]+given["protocol"], ":") && (given["published"] == "" || given["published"] == "0")
}

// mountWays are what a mount of the preview's own may be told besides.
var mountWays = []string{
	"", "ro", "rw", "z", "Z", "nocopy", "cached", "delegated", "consistent", "private", "rprivate", "slave", "rslave",
}

// ownVolume reads SOURCE:TARGET[:WAYS]. A source that begins with a / or a dot, or has
// a / in it, is a path on the host, any other the name of a volume.
func (a App) ownVolume(value string) bool {
	parts := strings.SplitN(value, ":", 3)
	if strings.ContainsAny(strings.Join(parts[1:], ":"), shellChars) {
		return false
	}
	if len(parts) == 1 {
		return !strings.ContainsAny(value, shellChars) // a volume without a name
	}
	if len(parts) == 3 {
		for way := range strings.SplitSeq(parts[2], ",") {
			if !slices.Contains(mountWays, way) {
				return false
			}
		}
	}
	return a.ownSource(parts[0])
}

func (a App) ownSource(source string) bool {
	if strings.ContainsAny(source, "/.~$") && !safeName().MatchString(source) {
		return a.ownFolder(source)
	}
	return a.owns(source) && safeName().MatchString(source)
}

// mountKeys are the keys of --mount that change nothing of what is mounted from where.
var mountKeys = []string{
	"bind-create-src", "bind-nonrecursive", "bind-recursive", "consistency", "destination", "dst", "readonly", "ro", "target",
	"tmpfs-mode", "tmpfs-size", "volume-label", "volume-nocopy", "volume-subpath",
}

// ownMount reads what --mount is given: KEY=VALUE,…
func (a App) ownMount(value string) bool {
	r := csv.NewReader(strings.NewReader(value))
	fields, err := r.Read()
	if err != nil {
		return false
	}
	kind, source := "volume", ""
	for _, field := range fields {
		key, v, _ := strings.Cut(field, "=")
		switch key = strings.ToLower(strings.TrimSpace(key)); {
		case key == "type":
			kind = strings.ToLower(v)
		case key == "source" || key == "src":
			source = v
		case key == "bind-propagation":
			if !slices.Contains(mountWays, v) {
				return false
			}
		case !slices.Contains(mountKeys, key):
			return false
		}
	}
	switch kind {
	case "tmpfs":
		return true
	case "volume":
		return source == "" || a.owns(source) && safeName().MatchString(source)
	case "bind":
		return a.ownFolder(source)
	}
	return false
}
