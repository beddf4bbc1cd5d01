package watch

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/doctor"
	"github.com/kamal-op/kamal-op/internal/plan"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// areaDrift is what the servers run.
const areaDrift = "what runs"

// CheckDrift holds what runs against the vault and deploy.yml: containers that are not
// there, that have old values of secrets, or other settings. Settings are held against
// the deploy.yml of the version that runs alone: what is merged and not deployed yet
// is no drift. ask makes the plan of a deploy of what is checked out.
func CheckDrift(ask func(ctx context.Context) (plan.Plan, error)) doctor.Check {
	return doctor.Check{Area: areaDrift, Name: "what runs", Look: func(ctx context.Context) []doctor.Finding {
		p, err := ask(ctx)
		if err != nil {
			list := problem.Of(err)
			return []doctor.Finding{{
				Area: areaDrift, Check: "containers", State: doctor.Unseen, Text: "what the servers run", Hint: "Kamal could not be asked: " + list[0].Message,
			}}
		}
		return drift(p)
	}}
}

// drift is what a plan shows that no deploy is on its way to change.
func drift(p plan.Plan) (found []doctor.Finding) {
	well := 0
	for _, c := range p.Containers {
		wrong := containerDrift(c)
		found = append(found, wrong...)
		if len(wrong) == 0 {
			well++
		}
	}
	for _, s := range p.Stray {
		found = append(found, doctor.Finding{
			Area: areaDrift, Check: "containers", About: s.Host, State: doctor.Wrong, Text: s.Name + " runs: " + s.Why,
			Hint: "stop it by hand, or deploy: what runs where deploy.yml names nothing gets no new version and no new secret",
		})
	}
	for _, u := range p.Unreached {
		found = append(found, doctor.Finding{
			Area: areaDrift, Check: "containers", About: u.Host, State: doctor.Wrong, Text: "could not be asked", Details: []string{u.Why},
			Hint: "log in to it by hand; where it is gone, take it out of deploy.yml",
		})
	}
	if len(p.From) > 1 {
		found = append(found, doctor.Finding{
			Area: areaDrift, Check: "version", State: doctor.Wrong, Text: "several versions run: " + strings.Join(p.From, ", "),
			Hint: "deploy, and all hosts run one",
		})
	}
	if len(p.From) == 1 && p.From[0] != p.To {
		text := fmt.Sprintf("%s runs, and %s is checked out", p.From[0], p.To)
		if n := len(p.Commits); n > 0 {
			text += fmt.Sprintf(", commits between: %d", n)
		}
		found = append(found, doctor.Finding{
			Area: areaDrift, Check: "version", State: doctor.Notice, Text: text,
			Hint: "settings are compared once it is deployed; secrets are compared now",
		})
	}
	if well > 0 {
		found = append(found, doctor.Finding{Area: areaDrift, Check: "containers", State: doctor.Well, Text: fmt.Sprintf("%d of %d containers are as they should be", well, len(p.Containers))})
	}
	return found
}

// containerDrift is what is wrong with one container.
func containerDrift(c plan.Container) (found []doctor.Finding) {
	what := "role " + c.Role
	if c.Accessory != "" {
		what = "accessory " + c.Accessory
	}
	f := doctor.Finding{Area: areaDrift, About: c.Host + ", " + what, State: doctor.Wrong}
	if c.From == "" {
		f.Check, f.Text, f.Hint = "containers", "no container runs", "kamal-op deploy boots it"
		if c.Accessory != "" {
			f.Hint = "kamal-op kamal -- accessory boot " + c.Accessory
		}
		return []doctor.Finding{f}
	}
	var secrets, settings []string
	for _, change := range c.Changes {
		switch {
		case change.Kind == "version":
		case change.Kind == "secret":
			secrets = append(secrets, change.Name)
		case !slices.Contains(settings, change.Name):
			settings = append(settings, change.Name)
		}
	}
	if len(secrets) > 0 {
		s := f
		s.Check, s.Text, s.Hint = "secrets", "has not what the vault has: "+strings.Join(secrets, ", "), "kamal-op rotate boots it again with the vault's values"
		if c.Accessory != "" {
			s.Hint = "kamal-op kamal -- accessory reboot " + c.Accessory
		}
		found = append(found, s)
	}
	if len(settings) > 0 && (c.Accessory != "" || c.From == c.To) {
		s := f
		s.Check, s.Text, s.Hint = "settings", "is not as deploy.yml has it: "+strings.Join(settings, ", "), "kamal-op plan shows what differs; a deploy brings it"
		if c.Accessory != "" {
			s.Hint = "a deploy leaves accessories as they are: kamal-op kamal -- accessory reboot " + c.Accessory
		}
		found = append(found, s)
	}
	return found
}
