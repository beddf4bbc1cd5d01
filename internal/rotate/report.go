package rotate

import (
	_ "embed" // for the Ruby

	"github.com/kamal-op/kamal-op/internal/kamal"
)

//go:embed rotate.rb
var ruby string

// Preload is Ruby that, required before Kamal, adds the commands to it.
func Preload() string { return kamal.HostsPreload() + kamal.RunningPreload + ruby }

// The commands of Kamal that Preload adds. LookCommand says what runs, for Parse, and
// BootCommand boots what Boots in its environment has.
const (
	LookCommand = "kamal_op_rotatable"
	BootCommand = "kamal_op_rotate"
)

// bootsVariable has what BootCommand boots.
const bootsVariable = "KAMAL_OP_ROTATE"

// Changed is the status of a BootCommand that has booted nothing, since something else
// runs than what was chosen.
const Changed = 75

// A Report is what runs with which secrets.
type Report struct {
	Running   []kamal.Running
	Unreached []Unreached
	Lock      string // the host that the deploy lock lies on
	Version   string // of the project's files; "" where Kamal does not know

	other []place // where another image has the name of the one that runs
}

// Unreached is a host that could not be asked.
type Unreached struct {
	Host string `json:"host"`
	Why  string `json:"why"`
}

type place struct {
	Host string `json:"host"`
	Role string `json:"role"`
}

// Parse reads what LookCommand has written to standard output, among Kamal's own lines.
func Parse(out []byte) (r Report, err error) {
	if r.Running, err = kamal.ParseRunning(out); err != nil {
		return r, err
	}
	var raw struct {
		Lock, Version string
		Unreached     []Unreached
		Other         []place
	}
	if err := kamal.ReadReport(out, "rotate", "its hosts", &raw); err != nil {
		return r, err
	}
	r.Lock, r.Version, r.Unreached, r.other = raw.Lock, raw.Version, raw.Unreached, raw.Other
	return r, nil
}
