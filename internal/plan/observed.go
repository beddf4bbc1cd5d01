package plan

import (
	_ "embed" // for the Ruby
	"fmt"
	"time"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
)

//go:embed observe.rb
var observe string

// Preload is Ruby that, required before Kamal, adds Command to it.
func Preload() string { return kamal.HostsPreload() + kamal.RunningPreload + observe }

// Command is Kamal's command that Preload adds: it takes Kamal's own options, and
// Parse reads what it writes.
const Command = "kamal_op_plan"

// Observed is what the hosts run, and what Kamal would have them run.
type Observed struct {
	Service      string             `json:"service"`
	Version      string             `json:"version"` // that a deploy would boot
	Repository   string             `json:"repository"`
	Image        *bool              `json:"image"` // whether the registry has it; nil is not known
	ImageUnknown string             `json:"image_unknown"`
	Versions     []string           `json:"versions"` // that run
	Commits      map[string]history `json:"commits"`  // from a version that runs to Version
	Former       bool               `json:"former"`   // the hosts that the running versions named are known
	FormerWhy    string             `json:"former_unknown"`
	Hosts        []observedHost     `json:"hosts"`
}

// history is what git says lies between two versions: a hash, a tab and a subject each.
type history struct {
	List []string `json:"list"`
	Why  string   `json:"why"` // there is no list
}

type observedHost struct {
	Host       string              `json:"host"`
	Named      bool                `json:"named"` // by deploy.yml as it is now
	Error      string              `json:"error"` // why it could not be asked
	Home       string              `json:"home"`
	Image      bool                `json:"image"` // the host has it already
	Containers []observedContainer `json:"containers"`
	Running    []struct {
		Name string `json:"name"`
		Role string `json:"role"`
	} `json:"running"`
}

type observedContainer struct {
	Role      string         `json:"role"`
	Accessory string         `json:"accessory"`
	Prefix    string         `json:"prefix"` // of the container's name, before the version
	Want      wanted         `json:"want"`
	Has       *has           `json:"has"` // nil where none runs
	Proxy     *observedProxy `json:"proxy"`
}

// wanted is Kamal's `docker run`.
type wanted struct {
	Options [][2]*string `json:"options"` // each with its value, nil where it takes none
	Image   string       `json:"image"`
	Cmd     []string     `json:"cmd"`
	Secrets []string     `json:"secrets"`
}

// has is a container as the engine has it.
type has struct {
	ofContainer
	Name    string            `json:"name"`
	Created string            `json:"created"`
	Image   string            `json:"image"`
	Host    hostConfig        `json:"host"`
	OfImage ofImage           `json:"of_image"`
	EnvFile bool              `json:"env_file"` // Kamal's on the host is the one that it was started with
	Clear   map[string][]byte `json:"clear"`    // none without EnvFile: which were secrets is not known
	Secrets map[string]string `json:"secrets"`
	Others  []string          `json:"others"` // names of variables that are neither
}

// ofContainer is what an image has too, where a container has nothing of its own.
type ofContainer struct {
	Labels     map[string]string   `json:"labels"`
	Cmd        []string            `json:"cmd"`
	Entrypoint []string            `json:"entrypoint"`
	User       string              `json:"user"`
	Workdir    string              `json:"workdir"`
	Volumes    map[string]struct{} `json:"volumes"`
}

type ofImage struct {
	ofContainer
	Variables []string `json:"variables"` // names
}

// hostConfig is the part of the engine's that options of `docker run` set.
type hostConfig struct {
	Binds         []string
	NetworkMode   string
	RestartPolicy struct {
		Name              string
		MaximumRetryCount int
	}
	LogConfig struct {
		Type   string
		Config map[string]string
	}
	PortBindings map[string][]struct {
		HostIP   string `json:"HostIp"`
		HostPort string
	}
	CapAdd, CapDrop, DNS, ExtraHosts, GroupAdd, SecurityOpt []string
	Tmpfs, Sysctls                                          map[string]string
	Privileged, ReadonlyRootfs                              bool
	Init                                                    *bool
	Memory, MemoryReservation, MemorySwap                   int64
	ShmSize, NanoCpus, CPUShares                            int64
	PidsLimit                                               *int64
	CpusetCpus, PidMode, Runtime                            string
	Ulimits                                                 []struct {
		Name       string
		Soft, Hard int64
	}
}

type observedProxy struct {
	Want map[string]any `json:"want"` // options of `kamal-proxy deploy`
	Has  *struct {
		Options proxyOptions  `json:"options"`
		Target  targetOptions `json:"target_options"`
	} `json:"has"`
}

// containerName is what Docker allows, with the engine's slash before it.
var containerName = lazy.Regexp(`^/?[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// Parse reads what Command has written to standard output, among Kamal's own lines.
func Parse(out []byte) (o Observed, err error) {
	if err := kamal.ReadReport(out, "plan", "what the hosts run", &o); err != nil {
		return o, err
	}
	for _, h := range o.Hosts {
		for _, c := range h.Containers {
			if c.Has != nil && !containerName().MatchString(c.Has.Name) {
				return o, fmt.Errorf("%s names a container as no container is named", h.Host)
			}
		}
	}
	return o, nil
}

// created is when a container was made, zero where that is not known.
func (h *has) created() time.Time {
	t, _ := time.Parse(time.RFC3339Nano, h.Created)
	return t
}
