package rotate

import (
	"fmt"
	"strings"

	"github.com/kamal-op/kamal-op/internal/gate"
)

// Text is what will be booted, for a person.
func (p Plan) Text(colour bool) string {
	var b strings.Builder
	paint := gate.Painter(colour)
	for _, boot := range p.Boots {
		fmt.Fprintf(&b, "%s\n", gate.Visible(boot.headline()))
		for _, name := range boot.Secrets {
			fmt.Fprintf(&b, "  %s %s\n", paint("33", "~"), gate.Visible(name))
		}
	}
	b.WriteString(p.RestText(colour))
	return b.String()
}

// RestText is what is not booted, and why.
func (p Plan) RestText(colour bool) string {
	var b strings.Builder
	paint := gate.Painter(colour)
	for _, l := range p.Left {
		fmt.Fprintf(&b, "%s, %s: %s\n", gate.Visible(l.Host), gate.Visible(named(l.Role, l.Accessory)), paint("31", "left as it is"))
		for _, name := range l.Secrets {
			fmt.Fprintf(&b, "  %s %s\n", paint("31", "✗"), gate.Visible(name))
		}
		fmt.Fprintf(&b, "  %s\n", gate.Visible(l.Why))
	}
	for _, u := range p.Unreached {
		fmt.Fprintf(&b, "%s: %s\n  %s\n", gate.Visible(u.Host), paint("31", "could not be asked"), gate.OneLine(u.Why))
	}
	return b.String()
}

// headline is a boot in one line.
func (b Boot) headline() string {
	var hosts []string
	for _, h := range b.Hosts {
		hosts = append(hosts, h.Host)
	}
	what := named(b.Role, b.Accessory)
	if b.Accessory != "" {
		return what + " is stopped and started anew on " + strings.Join(hosts, ", ") + ", its image pulled"
	}
	return what + " is booted again at " + b.Version + ", on " + strings.Join(hosts, ", ")
}

func named(role, accessory string) string {
	if accessory != "" {
		return "accessory " + accessory
	}
	return "role " + role
}
