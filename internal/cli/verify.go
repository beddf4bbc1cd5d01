package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// verifyCommand is `kamal-op verify`.
type verifyCommand struct {
	vaultFlags
	timeFlags
	destinationFlag
	configFileFlag
	hostsFlag `set:"hosts=Ask these hosts only, separated by commas."`
	rolesFlag `set:"roles=Ask for these roles only, separated by commas."`
	kamalFlag
	directoryFlag
	envFlag
	hostKeysFlag `set:"host_keys="`
	opScopeFlag  `set:"op_scope="`
	exactFlag
	reportFormatFlag
}

// A verified is the report as a program reads it.
type verified struct {
	Equal      bool                          `json:"equal"` // every container has what the vault has
	Containers []kamal.Running               `json:"containers"`
	Items      map[string]deploy.ItemVersion `json:"items,omitempty"` // of declared secrets, by name
}

// Run asks the running containers what they have of the secrets and holds it
// against the vault, and ends with 3 where a deploy would change something. Only
// digests travel: no value is in the output, nor on the way.
func (c verifyCommand) Run(a *app) error {
	if err := a.show(logFlags{}, c.WorkingDirectory, false); err != nil {
		return err
	}
	if err := a.withEnv(c.Env); err != nil {
		return err
	}
	wanted, vault, err := a.wanted(c.vaultFlags, true)
	if err != nil {
		return err
	}
	if wanted.Pins, wanted.PinRefs, err = hostKeys(c.HostKeys, a.loaded); err != nil {
		return err
	}
	exact, err := c.exact()
	if err != nil {
		return err
	}
	ctx, signals, stop := c.context(a)
	defer stop()
	j := deploy.Job{
		Process: a.process(signals), Vault: vault, Wanted: wanted, Kamal: c.Kamal,
		Project: kamal.ProjectOptions{Dir: a.dir, ConfigFile: c.ConfigFile, Destination: c.Destination, Env: a.Env},
		Check:   deploy.CheckOff, AnyVault: c.OpScope == "any", ExactValues: exact,
	}
	j.Stdout = a.Stderr // standard output is the report's
	running, items, err := j.Verify(ctx, kamal.ArgOptions{
		Destination: c.Destination, ConfigFile: c.ConfigFile, Hosts: commas(c.Hosts), Roles: commas(c.Roles),
	})
	if err != nil {
		return a.explainConnect(err)
	}
	v := verified{Equal: true, Containers: running, Items: items}
	for _, r := range running {
		v.Equal = v.Equal && r.Container != ""
		for _, s := range r.Secrets {
			v.Equal = v.Equal && !s.State.Wrong()
		}
	}
	if c.Format == "json" {
		encoder := json.NewEncoder(a.Stdout.JSON())
		encoder.SetIndent("", "  ")
		err = encoder.Encode(v)
	} else {
		err = a.report(gate.Cleaned(a.gate, v).text(a.colours(a.Stdout)))
	}
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if !v.Equal {
		return exitStatus(problem.Found)
	}
	return nil
}

// text is the report for a person.
func (v verified) text(colour bool) string {
	var b strings.Builder
	paint := gate.Painter(colour)
	counts := map[kamal.RunningState]int{}
	down := 0
	for _, r := range v.Containers {
		what := "role " + r.Role
		if r.Accessory != "" {
			what = "accessory " + r.Accessory
		}
		if r.Container == "" {
			down++
			fmt.Fprintf(&b, "%s, %s: %s\n", gate.Visible(r.Host), gate.Visible(what), paint("31", "no container runs"))
			continue
		}
		fmt.Fprintf(&b, "%s, %s: %s, since %s\n", gate.Visible(r.Host), gate.Visible(what), gate.Visible(r.Container), r.Created.UTC().Format("2006-01-02 15:04 UTC"))
		width := 0
		for _, s := range r.Secrets {
			width = max(width, len(gate.Visible(s.Variable)))
		}
		for _, s := range r.Secrets {
			counts[s.State]++
			sign, note := paint("32", "✓"), ""
			switch s.State {
			case kamal.Escaped:
				note = "as Kamal's env file escapes it"
			case kamal.Stale:
				sign, note = paint("31", "✗"), "another value than in the vault"+v.changed(s.Secret)
			case kamal.Missing:
				sign, note = paint("31", "✗"), "not there"
			}
			fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("  %s %-*s  %s", sign, width, gate.Visible(s.Variable), note), " "))
		}
	}
	fmt.Fprintf(&b, "%d equal, %d escaped, %d stale, %d missing", counts[kamal.Equal], counts[kamal.Escaped], counts[kamal.Stale], counts[kamal.Missing])
	if down > 0 {
		fmt.Fprintf(&b, "; %d without a container", down)
	}
	b.WriteString("\n")
	if counts[kamal.Stale]+counts[kamal.Missing] > 0 {
		b.WriteString("hint: deploy or rotate, and the containers have what the vault has\n")
	}
	return b.String()
}

// changed says when a declared secret's item was changed last.
func (v verified) changed(name string) string {
	item, known := v.Items[name]
	if !known || item.Changed.IsZero() {
		return ""
	}
	return ", whose item was changed at " + item.Changed.UTC().Format(time.RFC3339)
}
