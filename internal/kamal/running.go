package kamal

import (
	_ "embed" // for the Ruby
	"fmt"
	"time"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

//go:embed askhosts.rb
var askHosts string

// HostsPreload is Ruby that the commands of ours which ask several hosts stand on.
func HostsPreload() string { return askHosts }

// RunningPreload is Ruby that, required before Kamal, adds RunningCommand to it.
//
//go:embed running.rb
var RunningPreload string

// RunningCommand is Kamal's command that RunningPreload adds: it takes Kamal's own
// options, and ParseRunning reads what it writes.
const RunningCommand = "kamal_op_running"

// containerName is what Docker allows, containerID what it gives, and versionName what
// can be an image's tag, by the registries' grammar of references.
var (
	containerName = lazy.Regexp(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	containerID   = lazy.Regexp(`^[0-9a-f]{12,64}$`)
	versionName   = lazy.Regexp(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
)

// IsVersion reports whether a text can be the version of an app: an image's tag.
func IsVersion(text string) bool { return versionName().MatchString(text) }

// A RunningState is what a running container has of a secret, against what Kamal
// would give it now.
type RunningState string

// The states of a secret in a container.
const (
	Equal   RunningState = "equal"   // byte for byte
	Escaped RunningState = "escaped" // as Kamal's env file writes the value, which docker does not undo
	Stale   RunningState = "stale"   // another value
	Missing RunningState = "missing" // no such variable
)

// Wrong reports whether a deploy would change what the container has.
func (s RunningState) Wrong() bool { return s != Equal && s != Escaped }

// A RunningSecret is one secret of one container.
type RunningSecret struct {
	Variable string       `json:"variable"` // in the container
	Secret   string       `json:"secret"`   // as .kamal/secrets defines it
	State    RunningState `json:"state"`
}

// A Running is a container that has secrets by the configuration. Without a
// Container none of its role runs there.
type Running struct {
	Host      string          `json:"host"`
	Role      string          `json:"role,omitempty"`
	Accessory string          `json:"accessory,omitempty"`
	Container string          `json:"container"`
	ID        string          `json:"id,omitempty"`
	Version   string          `json:"version,omitempty"` // of the app, in a role's container
	Created   time.Time       `json:"created,omitzero"`
	Secrets   []RunningSecret `json:"secrets"`
}

// ParseRunning reads what RunningCommand has written to standard output, among
// Kamal's own lines.
func ParseRunning(out []byte) ([]Running, error) {
	var raw []struct {
		Running
		Created string `json:"created"`
	}
	if err := ReadReport(out, "running", "its containers", &raw); err != nil {
		return nil, err
	}
	running := make([]Running, len(raw))
	for i, r := range raw {
		running[i] = r.Running
		if r.Container != "" && !containerName().MatchString(r.Container) {
			return nil, fmt.Errorf("%s names a container as no container is named", r.Host)
		}
		if r.ID != "" && !containerID().MatchString(r.ID) || r.Version != "" && !IsVersion(r.Version) {
			return nil, fmt.Errorf("%s gives %s an id or a version that none can have", r.Host, r.Container)
		}
		running[i].Created, _ = time.Parse(time.RFC3339Nano, r.Created) // zero where nothing runs
		for _, s := range r.Secrets {
			switch s.State {
			case Equal, Escaped, Stale, Missing:
			default:
				return nil, fmt.Errorf("kamal's report of its containers has the state %q", s.State)
			}
		}
	}
	return running, nil
}
