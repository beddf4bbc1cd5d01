package promote

import (
	_ "embed" // for the Ruby
	"fmt"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/plan"
)

//go:embed look.rb
var look string

//go:embed hold.rb
var hold string

// Hold is Ruby that, required before a Kamal that deploys, holds it to the image that
// Choice.Environment names.
func Hold() string { return hold }

// Stopped is the status of a deploy that Hold has stopped when it had changed nothing: no
// hook but those before the pull has run.
const Stopped = 75

// Preload is Ruby that, required before Kamal, adds the commands to it.
func Preload() string { return plan.Preload() + look }

// The commands of Kamal that Preload adds. LookCommand says what a destination runs and
// what its images are built of, for Parse; PlanCommand says besides what a deploy would
// change, for plan.Parse.
const (
	LookCommand = "kamal_op_promotable"
	PlanCommand = "kamal_op_promotion"
)

// KeyVariable has the key of the digests, which are compared where both were made with
// the same.
const KeyVariable = "KAMAL_OP_PROMOTE_KEY"

// CopyVariable has the registry's login told to the run, by its socket.
const CopyVariable = "KAMAL_OP_PROMOTE_COPY"

// A Report is what a destination runs, and what its configuration would have images
// built of.
type Report struct {
	Service    string      `json:"service"`
	Repository string      `json:"repository"` // of the image, with the registry's server
	Version    string      `json:"version"`    // of the project's files; "" where they have none
	Build      Build       `json:"build"`
	Containers []Container `json:"containers"`
	Unreached  []Unreached `json:"unreached"`
}

// A Container is what runs of the app on a host in a role.
type Container struct {
	Host    string   `json:"host"`
	Role    string   `json:"role"`
	Name    string   `json:"container"` // "" where none runs
	Version string   `json:"version"`   // "" where its name does not tell
	Image   string   `json:"image"`     // its id on this host
	Digests []string `json:"digests"`   // by which registries have it; none where it lost its last name
	Service string   `json:"service"`   // that the image says that it is of
}

// Unreached is a host that could not be asked.
type Unreached struct {
	Host string `json:"host"`
	Why  string `json:"why"`
}

// Parse reads what LookCommand has written to standard output, among Kamal's own lines.
func Parse(out []byte) (r Report, err error) {
	if err := kamal.ReadReport(out, "promote", "what can be promoted", &r); err != nil {
		return r, err
	}
	for _, c := range r.Containers {
		if c.Name == "" {
			continue
		}
		if c.Version != "" && !kamal.IsVersion(c.Version) || !isDigest(c.Image) {
			return r, fmt.Errorf("%s gives a version or an image that none can have", c.Host)
		}
		for _, d := range c.Digests {
			if !isDigest(d) {
				return r, fmt.Errorf("%s gives an image a digest that none can have", c.Host)
			}
		}
	}
	return r, nil
}
