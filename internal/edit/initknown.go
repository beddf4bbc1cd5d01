package edit

import (
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/onepassword"
)

// knownItem takes vault and item from what the project has already: its secrets
// files and the declarations in its workflows.
func (e *editor) knownItem(in *InitOptions) {
	count := map[string]int{}
	var order []string // op://Vault/Item
	put := func(vault, item string) {
		name := vault + "/" + item
		if count[name]++; count[name] == 1 {
			order = append(order, name)
		}
	}
	variable := ""
	for _, d := range e.destinations {
		if d == reviewName && len(e.destinations) > 1 {
			continue
		}
		for _, f := range e.secretsFiles(d) {
			for _, def := range f.secrets.File().Definitions {
				for _, p := range def.Parts {
					for _, w := range p.Wanted {
						put(w.Vault, w.Item)
					}
				}
				if from := fromOf(f, def); strings.Contains(from, "$") {
					variable = f.name + " names it " + from
				}
			}
		}
	}
	for _, f := range e.workflows() {
		for _, l := range declarations(f.text) {
			if ref, err := onepassword.ParseReference(l.reference); err == nil {
				put(ref.Vault, ref.Item)
			}
		}
	}
	best := ""
	for _, name := range order {
		if vault, _, _ := strings.Cut(name, "/"); count[name] > count[best] && (in.Vault == "" || vault == in.Vault) {
			best = name
		}
	}
	vault, item, found := strings.Cut(best, "/")
	switch {
	case found:
		in.Vault = orElse(in.Vault, vault)
		if !slices.ContainsFunc(e.destinations, func(d string) bool { return d != "" && d != reviewName }) {
			in.known = item
		}
	case in.Vault == "":
		in.Vault = titleOf(e.projects[e.destinations[0]].Config.Service.Or("MyApp"))
		if variable != "" {
			e.plan.note("the vault is a variable's: %s, and %s is a guess (--vault)", variable, in.Vault)
		}
	}
}

// itemFor is the item that has the secrets of a destination.
func (in InitOptions) itemFor(d string) string {
	switch {
	case in.Item != "":
		return in.Item
	case d != "":
		return titleOf(d)
	}
	return orElse(in.known, defaultItem)
}
