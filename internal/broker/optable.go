package broker

import (
	"fmt"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/broker/opclient"
	"github.com/kamal-op/kamal-op/mask"
)

// table prints an item for a person, as the op CLI does without --format: what
// 1Password hides is shown with --reveal only.
func (g itemGetter) table(reveal bool) (*opclient.Reply, error) {
	var b strings.Builder
	line := func(label, value string) { fmt.Fprintf(&b, "%-12s %s\n", label+":", value) }
	vault := g.found.Vault
	line("ID", g.found.ID)
	line("Title", g.found.Title)
	line("Vault", strings.TrimSpace(vault.Name+" ("+vault.ID+")"))
	line("Created", g.b.ago(g.found.CreatedAt))
	line("Updated", g.b.ago(g.found.UpdatedAt))
	line("Favorite", "false") // a service account has none
	if len(g.found.Tags) > 0 {
		line("Tags", strings.Join(g.found.Tags, ","))
	}
	line("Version", fmt.Sprint(g.found.Version))
	line("Category", strings.ReplaceAll(strings.ToUpper(g.found.Category), " ", "_"))

	var shown []mask.Secret
	heading := ""
	for i := range g.found.Fields {
		f := &g.found.Fields[i]
		if f.Value.Len() == 0 {
			continue
		}
		next := "Fields:"
		if section := g.found.SectionLabel(f.Section); section != "" {
			next = section + ":"
		}
		if next != heading {
			heading = next
			b.WriteString(heading + "\n")
		}
		value := f.Value.Reveal()
		if concealed(f) {
			if reveal {
				shown = append(shown, f.Value)
			} else {
				value = "[use 'op item get " + g.found.ID + " --reveal' to reveal]"
			}
		}
		fmt.Fprintf(&b, "  %-12s %s\n", f.Label+":", value)
	}
	if err := g.b.mask(shown...); err != nil {
		return nil, err
	}
	return say(b.String()), nil
}

// ago is a time of 1Password's as the op CLI tells it.
func (b *Broker) ago(stamp string) string {
	at, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		return stamp
	}
	gone := b.o.Now().Sub(at)
	for _, unit := range []struct {
		name string
		long time.Duration
	}{
		{"year", 365 * 24 * time.Hour},
		{"month", 30 * 24 * time.Hour},
		{"week", 7 * 24 * time.Hour},
		{"day", 24 * time.Hour},
		{"hour", time.Hour},
		{"minute", time.Minute},
		{"second", time.Second},
	} {
		switch n := int(gone / unit.long); {
		case n == 1:
			return "1 " + unit.name + " ago"
		case n > 1:
			return fmt.Sprintf("%d %ss ago", n, unit.name)
		}
	}
	return "now"
}
