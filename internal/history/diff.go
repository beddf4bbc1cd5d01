package history

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// A Diff is what differs between two deploys.
type Diff struct {
	From           Deploy   `json:"from"`
	To             Deploy   `json:"to"`
	Commits        []string `json:"commits"` // between the two, the newest first
	CommitsUnknown string   `json:"commits_unknown,omitempty"`
	Secrets        []Change `json:"secrets"`
	Places         []Change `json:"places"`              // roles on hosts
	NotKnown       string   `json:"not_known,omitempty"` // why secrets are not compared
}

// A Change is one thing that differs.
type Change struct {
	Name string `json:"name"`
	What string `json:"what"` // new, gone, other
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// sign is what stands before a change.
func (c Change) sign() string {
	return map[string]string{"new": "+", "gone": "-", "other": "~"}[c.What]
}

// String is the change as a line.
func (c Change) String() string {
	return strings.TrimSpace(c.sign() + " " + c.Name + "  " + c.sides())
}

// sides are what it was, and what it is.
func (c Change) sides() string {
	text := strings.TrimSuffix(c.From+" → "+c.To, " → ")
	if from, _, versions := strings.Cut(c.From, ", version "); versions && strings.HasPrefix(c.To, from+", version ") {
		text = c.From + " → " + strings.TrimPrefix(c.To, from+", version ")
	}
	return strings.TrimPrefix(text, " → ")
}

// Find is the last deploy of a version that a text is, or begins.
func (h History) Find(text string) (Deploy, error) {
	var found []Deploy
	var versions []string
	for _, d := range h.Deploys {
		if !slices.Contains(versions, d.Version) {
			versions = append(versions, d.Version)
		}
		if d.Version == text {
			return d, nil
		}
		if len(text) >= 4 && strings.HasPrefix(d.Version, text) && (len(found) == 0 || found[0].Version != d.Version) {
			found = append(found, d)
		}
	}
	hint := "there are: " + strings.Join(versions, ", ")
	switch {
	case len(versions) == 0:
		return Deploy{}, problem.New("the hosts have no history", "each deploy from now on leaves a line").About(problem.History)
	case len(found) == 0:
		return Deploy{}, problem.Usagef(hint, "the history has no version %s", text).About(problem.History)
	case len(found) > 1:
		return Deploy{}, problem.Usagef(hint, "%s is the beginning of several versions", text).About(problem.History)
	}
	return found[0], nil
}

// Between is what differs between two deploys, but for the commits.
func Between(from, to Deploy) Diff {
	d := Diff{From: from, To: to, Commits: []string{}, Secrets: []Change{}, Places: []Change{}}
	if from.Command == "" || to.Command == "" {
		d.NotKnown = "of a deploy without kamal-op nothing is known of its secrets"
	} else {
		d.Secrets = changes(from.secrets(), to.secrets())
	}
	d.Places = changes(from.places(), to.places())
	return d
}

// secrets are what each secret came from, with the item's version.
func (r Record) secrets() map[string]string {
	all := map[string]string{}
	for _, item := range r.Items {
		from := item.From
		if item.Version > 0 {
			from += ", version " + strconv.Itoa(item.Version)
		}
		for _, name := range item.Secrets {
			all[name] = from
		}
	}
	return all
}

// places are the roles on hosts.
func (r Record) places() map[string]string {
	all := map[string]string{}
	for _, b := range r.Boots {
		all[strings.TrimSpace(b.Role+" on "+b.Host)] = ""
	}
	return all
}

func changes(from, to map[string]string) []Change {
	all := []Change{}
	for name, was := range from {
		if is, there := to[name]; !there {
			all = append(all, Change{Name: name, What: "gone", From: was})
		} else if is != was {
			all = append(all, Change{Name: name, What: "other", From: was, To: is})
		}
	}
	for name, is := range to {
		if _, there := from[name]; !there {
			all = append(all, Change{Name: name, What: "new", To: is})
		}
	}
	slices.SortFunc(all, func(a, b Change) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
