package broker

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kamal-op/kamal-op/internal/broker/opclient"
	"github.com/kamal-op/kamal-op/mask"
)

// A row is a line of what is printed for a person.
type row struct{ label, value string }

// rows are printed as the op CLI does: the values below each other, four columns
// behind the longest label.
func rows(b *strings.Builder, indent string, all []row) {
	longest := 0
	for _, r := range all {
		longest = max(longest, utf8.RuneCountInString(r.label))
	}
	for _, r := range all {
		b.WriteString(indent + r.label + ":" + strings.Repeat(" ", longest-utf8.RuneCountInString(r.label)+4) + r.value + "\n")
	}
}

// table prints an item for a person, as the op CLI does without --format: what
// 1Password hides is shown with --reveal only. The form is that of a dozen outputs
// that people have published (op 2, items of six categories, with and without tags).
// One of them has sections with a name: these stand below the other fields, two columns
// deep and with an empty line between them, also where all of their fields are empty.
// How deep op prints the fields of one has not been seen.
func (g itemGetter) table(reveal bool) (*opclient.Reply, error) {
	vault := g.found.Vault
	about := []row{
		{"ID", g.found.ID},
		{"Title", g.found.Title},
		{"Vault", strings.TrimSpace(vault.Name + " (" + vault.ID + ")")},
		{"Created", g.b.relativeTime(g.found.CreatedAt)},
		{"Updated", g.b.relativeTime(g.found.UpdatedAt)}, // by whom is not in what 1Password's APIs answer
		{"Favorite", "false"}, // a service account has none
	}
	if len(g.found.Tags) > 0 {
		about = append(about, row{"Tags", strings.Join(g.found.Tags, ",")})
	}
	about = append(about, row{"Version", fmt.Sprint(g.found.Version)},
		row{"Category", strings.ReplaceAll(strings.ToUpper(g.found.Category), " ", "_")})

	var shown []mask.Secret
	var headings []string
	under := map[string][]row{}
	for i := range g.found.Fields {
		f := &g.found.Fields[i]
		heading := g.found.SectionLabel(f.Section)
		if heading != "" && !slices.Contains(headings, heading) {
			headings = append(headings, heading)
		}
		if f.Value.Len() == 0 {
			continue
		}
		value := f.Value.Reveal()
		if concealed(f) {
			if reveal {
				shown = append(shown, f.Value)
			} else {
				value = "[use 'op item get " + g.found.ID + " --reveal' to reveal]"
			}
		}
		under[heading] = append(under[heading], row{f.Label, value})
	}
	if err := g.b.mask(shown...); err != nil {
		return nil, err
	}
	var b strings.Builder
	rows(&b, "", about)
	if len(under)+len(headings) > 0 {
		b.WriteString("Fields:\n")
		rows(&b, "  ", under[""])
	}
	for i, heading := range headings {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString("  " + heading + ":\n")
		rows(&b, "    ", under[heading])
	}
	return textReply(b.String()), nil
}

// relativeTime is a time of 1Password's as the op CLI prints it.
func (b *Broker) relativeTime(stamp string) string {
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
