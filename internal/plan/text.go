package plan

import (
	"fmt"
	"strings"

	"github.com/kamal-op/kamal-op/internal/gate"
)

// Text is the plan for a person.
func (p Plan) Text(colour bool) string {
	var b strings.Builder
	paint := gate.Painter(colour)
	p.head(&b)
	for _, c := range p.Containers {
		what := "role " + c.Role
		if c.Accessory != "" {
			what = "accessory " + c.Accessory
		}
		fmt.Fprintf(&b, "\n%s, %s: %s\n", gate.Visible(c.Host), gate.Visible(what), c.headline())
		for _, d := range c.Changes {
			if d.Kind == "container" || d.Kind == "version" {
				continue
			}
			sign := map[string]string{"new": paint("32", "+"), "gone": paint("31", "-"), "other": paint("33", "~")}[d.What]
			fmt.Fprintf(&b, "  %s %s\n", sign, gate.OneLine(d.text()))
		}
		if len(c.NotCompared) > 0 {
			fmt.Fprintf(&b, "  ? not compared: %s\n", gate.OneLine(strings.Join(c.NotCompared, ", ")))
		}
		if len(c.NotKnown) > 0 {
			fmt.Fprintf(&b, "  ? not known, since Kamal's env file there is not the container's: %s\n", gate.OneLine(strings.Join(c.NotKnown, ", ")))
		}
		if c.Accessory != "" && len(c.Changes) > 0 && c.From != "" {
			fmt.Fprintf(&b, "  hint: a deploy leaves it as it is: kamal-op kamal -- accessory reboot %s\n", gate.Visible(c.Accessory))
		}
		if c.Accessory != "" && c.From == "" {
			fmt.Fprintf(&b, "  hint: a deploy does not boot it: kamal-op kamal -- accessory boot %s\n", gate.Visible(c.Accessory))
		}
	}
	for _, s := range p.Stray {
		fmt.Fprintf(&b, "\n%s: %s runs\n  %s\n", gate.Visible(s.Host), gate.Visible(s.Name), gate.OneLine(s.Why))
	}
	if !p.Former {
		fmt.Fprintf(&b, "\nhosts that only the version that runs names: not compared\n  %s\n", gate.OneLine(p.FormerWhy))
	}
	for _, u := range p.Unreached {
		fmt.Fprintf(&b, "\n%s: %s\n  %s\n", gate.Visible(u.Host), paint("31", "could not be asked"), gate.OneLine(u.Why))
	}
	b.WriteString("\n" + p.verdict() + "\n")
	return b.String()
}

// head is the version and the image.
func (p Plan) head(b *strings.Builder) {
	from := "nothing"
	if len(p.From) > 0 {
		var short []string
		for _, v := range p.From {
			short = append(short, gate.Visible(abbreviated(v)))
		}
		from = strings.Join(short, " and ")
	}
	to := gate.Visible(abbreviated(p.To))
	switch {
	case len(p.From) == 1 && p.From[0] == p.To:
		fmt.Fprintf(b, "version: %s, which runs\n", to)
	case len(p.Commits) > 0:
		fmt.Fprintf(b, "version: %s → %s, commits: %d\n", from, to, len(p.Commits))
	case p.CommitsWhy != "":
		fmt.Fprintf(b, "version: %s → %s, commits unknown: %s\n", from, to, gate.OneLine(p.CommitsWhy))
	default:
		fmt.Fprintf(b, "version: %s → %s\n", from, to)
	}
	const most = 20
	for i, c := range p.Commits {
		if i == most {
			fmt.Fprintf(b, "  and %d more\n", len(p.Commits)-most)
			break
		}
		fmt.Fprintf(b, "  %s %s\n", gate.Visible(abbreviated(c.Hash)), gate.OneLine(c.Subject))
	}
	image := gate.Visible(p.Image.Name) + " is "
	switch p.Image.State {
	case "there":
		image += "in the registry already; a deploy builds it again, unless told not to (-P)"
	case Promoted:
		image += gate.OneLine(p.Image.Why)
	case "unknown":
		image += "not known of: " + gate.OneLine(p.Image.Why)
	default:
		image += "to be built"
	}
	fmt.Fprintf(b, "image: %s\n", image)
}

func (c Container) headline() string {
	switch {
	case c.From == "" && c.Accessory != "":
		return "no container runs"
	case c.From == "":
		return gate.Visible(c.To) + " comes"
	case c.From != c.To:
		return gate.Visible(c.From) + " → " + gate.Visible(c.To)
	case len(c.Changes) == 0:
		return gate.Visible(c.From) + ", as it is"
	case c.Accessory != "":
		return gate.Visible(c.From) + " is not as deploy.yml has it"
	}
	return gate.Visible(c.From) + " is replaced"
}

// text is a change in words.
func (c Change) text() string {
	kind := map[string]string{"clear": "", "secret": "secret ", "variable": "variable ", "proxy": "proxy "}[c.Kind]
	name := kind + c.Name
	switch {
	case c.Kind == "secret" && c.What == "other":
		return name + ": another value"
	case c.From != "" && c.To != "":
		return name + ": " + c.From + " → " + c.To
	case c.From+c.To == "":
		return name
	case c.Kind == "clear" && c.What == "other":
		return name + ": another value → " + c.To
	}
	return name + ": " + c.From + c.To
}

func (p Plan) verdict() string {
	var text string
	if p.Changes {
		changed, kept := 0, 0
		for _, c := range p.Containers {
			if len(c.Changes) > 0 {
				changed++
			} else {
				kept++
			}
		}
		text = counted(changed, "container differs", "containers differ") + ", " + counted(kept, "is as it would be", "are as they would be")
		if len(p.Stray) > 0 {
			text += ", " + counted(len(p.Stray), "runs", "run") + " where deploy.yml names none"
		}
	} else {
		text = "nothing would change"
	}
	if n := len(p.Unreached); n > 0 {
		text += "; " + counted(n, "host", "hosts") + " could not be asked"
	}
	return text
}

// abbreviated is a commit as git shortens it, and any other version as it is.
func abbreviated(version string) string {
	if len(version) == 40 && strings.Trim(version, "0123456789abcdef") == "" {
		return version[:7]
	}
	return version
}

// counted is a number with its words, for one and for any other.
func counted(n int, one, more string) string {
	if n == 1 {
		more = one
	}
	return fmt.Sprintf("%d %s", n, more)
}
