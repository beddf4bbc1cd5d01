package rehearsal

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/standin"
)

// The vault of a project's rehearsal, for all that the project does not say
// where to find.
const (
	projectVault = "Rehearsal"
	projectItem  = "Secrets"
)

// A field is a place in a vault.
type field struct{ vault, item, label string }

// projectSecrets are the secrets of a project, and where Kamal will find them.
type projectSecrets struct {
	names    []string          // that Kamal needs, in order
	values   map[string]string // by name: of a secret, or of a variable that the secrets file names
	declared []string          // for the main job: NAME=op://…
	replaced string            // why the project's own secrets files are not used; "" if they are
	files    []string          // the project's own, where they are used
	own      *kamal.Secrets    // what these say
	fields   map[field]string  // what these look for in 1Password, and its values
}

// readSecrets finds out which secrets the project needs and gives each a value.
func (s *session) readSecrets(raw map[string]any) (*projectSecrets, error) {
	p := &projectSecrets{names: usedNames(raw), values: map[string]string{}, fields: map[field]string{}}
	path, _ := raw["secrets_path"].(string)
	if path == "" {
		path = kamal.DefaultSecretsPath
	}
	own, err := kamal.ReadSecrets(kamal.ProjectOptions{
		Dir: s.opts.Project, Destination: s.opts.Destination, Env: s.opts.Env,
	}, path)
	if err != nil {
		return nil, err
	}
	p.own = own
	variables := p.names
	if p.replaced = s.unusable(own, p.names); p.replaced == "" {
		for _, file := range own.Files {
			p.files = append(p.files, file.Path)
		}
		variables = p.variables()
	}
	for _, name := range unique(slices.Concat(p.names, variables)) {
		p.values[name] = s.sampleOf(name)
	}
	if p.replaced == "" {
		p.layOut(s)
	}
	for _, name := range variables {
		p.declared = append(p.declared, fmt.Sprintf("%s=op://%s/%s/%s", name, projectVault, projectItem, name))
	}
	return p, nil
}

// sampleOf is the sample value given for a name, or one that is made up: 32 hex
// digits, as long as a Rails key has to be.
func (s *session) sampleOf(name string) string {
	if value, ok := s.opts.Values[name]; ok {
		return value
	}
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// unusable says why secrets files of a project cannot be used in a rehearsal, or
// nothing. A rehearsal asks nobody but its own vault, and runs no commands of
// which it does not know whom they ask.
func (s *session) unusable(own *kamal.Secrets, names []string) string {
	if len(own.Files) == 0 {
		if len(names) == 0 {
			return ""
		}
		return "the project has no secrets file"
	}
	for _, file := range own.Files {
		if file.Opaque {
			return file.Path + " is no regular file"
		}
		for _, d := range file.Definitions {
			for _, part := range d.Parts {
				fine := true
				switch part.Kind {
				case kamal.Fetch:
					fine = len(part.Wanted) > 0 && !s.opts.NoOp
				case kamal.Read:
					fine = len(part.Wanted) > 0 && part.Known && !s.opts.NoOp
				case kamal.Extract:
					fine = part.Name != ""
				case kamal.Command:
					fine = false
				}
				if !fine {
					return fmt.Sprintf("%s takes %s from elsewhere than this rehearsal's vault", d.Place, d.Name)
				}
			}
		}
	}
	return ""
}

// variables are the names that the secrets files take from the environment.
func (p *projectSecrets) variables() []string {
	var names []string
	for _, file := range p.own.Files {
		for _, d := range file.Definitions {
			for _, part := range d.Parts {
				taken := part.Variables
				if part.Kind == kamal.PassThrough {
					taken = append(slices.Clone(taken), part.Name)
				}
				for _, name := range taken {
					if _, ok := p.own.Before(d, name); !ok && name != "" {
						names = append(names, name)
					}
				}
			}
		}
	}
	return unique(names)
}

// layOut gives every field that the secrets files ask for a value. A field has
// the sample value of its label, or of the secret that is read from it alone.
func (p *projectSecrets) layOut(s *session) {
	for _, w := range p.own.Wanted() {
		labels := []string{w.Field}
		if w.Field == "" { // the whole item: what is taken out of it later
			labels = p.extracted()
		}
		for _, label := range labels {
			p.fields[field{w.Vault, w.Item, label}] = s.sampleOf(label)
		}
	}
	for _, file := range p.own.Files {
		for _, d := range file.Definitions {
			if _, given := s.opts.Values[d.Name]; !given {
				continue
			}
			if at, ok := p.fieldOf(d); ok {
				p.fields[at] = s.opts.Values[d.Name]
			}
		}
	}
}

// extracted are the labels that the secrets files take out of what they fetched.
func (p *projectSecrets) extracted() []string {
	var labels []string
	for _, file := range p.own.Files {
		for _, d := range file.Definitions {
			for _, part := range d.Parts {
				if part.Kind == kamal.Extract {
					label, _ := kamal.Wanted{}.Extracted(part.Name)
					labels = append(labels, label)
				}
			}
		}
	}
	return unique(labels)
}

// fieldOf is the one field that a definition is read from.
func (p *projectSecrets) fieldOf(d kamal.Definition) (field, bool) {
	if len(d.Parts) != 1 {
		return field{}, false
	}
	switch part := d.Parts[0]; part.Kind {
	case kamal.Read:
		if len(part.Wanted) == 1 {
			w := part.Wanted[0]
			return field{w.Vault, w.Item, w.Field}, true
		}
	case kamal.Extract:
		source, ok := p.own.Before(d, part.Source)
		if !ok || len(source.Parts) != 1 {
			return field{}, false
		}
		for _, w := range source.Parts[0].Wanted {
			label, ok := w.Extracted(part.Name)
			at := field{w.Vault, w.Item, label}
			if _, there := p.fields[at]; ok && there {
				return at, true
			}
		}
	}
	return field{}, false
}

// value is what Kamal is to get under a name, as far as that is known: the
// project's own file may put it together from others.
func (p *projectSecrets) value(name string) (value string, known bool) {
	if p.replaced != "" {
		value, known = p.values[name]
		return value, known
	}
	d, ok := p.own.Lookup(name)
	if !ok {
		return "", false
	}
	return p.valueOf(d)
}

func (p *projectSecrets) valueOf(d kamal.Definition) (value string, known bool) {
	if at, ok := p.fieldOf(d); ok {
		return p.fields[at], true
	}
	if d.Kind != kamal.PassThrough || len(d.Parts) != 1 {
		return "", false
	}
	if before, ok := p.own.Before(d, d.Parts[0].Name); ok {
		return p.valueOf(before)
	}
	value, known = p.values[d.Parts[0].Name]
	return value, known
}

// one is the value of a registry's user or password that is named as a secret.
func (p *projectSecrets) one(theirs any) (value string, known bool) {
	if names := secretNames(theirs); len(names) == 1 {
		return p.value(names[0])
	}
	return "", false
}

// vaults are the project's vaults: those that its secrets files look into, and
// one for all else.
func (p *projectSecrets) vaults(key string) []standin.VaultSpec {
	all := maps.Clone(p.fields)
	for name, value := range p.values {
		all[field{projectVault, projectItem, name}] = value
	}
	all[field{projectVault, serverItem, "SSH_KEY"}] = key

	items := map[string]map[string]map[string]string{}
	for at, value := range all {
		if items[at.vault] == nil {
			items[at.vault] = map[string]map[string]string{}
		}
		if items[at.vault][at.item] == nil {
			items[at.vault][at.item] = map[string]string{}
		}
		items[at.vault][at.item][at.label] = value
	}
	var vaults []standin.VaultSpec
	for _, vault := range slices.Sorted(maps.Keys(items)) {
		spec := standin.VaultSpec{Name: vault}
		for _, item := range slices.Sorted(maps.Keys(items[vault])) {
			spec.Items = append(spec.Items, itemOf(item, items[vault][item]))
		}
		vaults = append(vaults, spec)
	}
	return vaults
}

// itemOf is an item with fields; section.label is a field in a section.
func itemOf(title string, fields map[string]string) standin.ItemSpec {
	item := standin.ItemSpec{Title: title}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		section, label, ok := strings.Cut(name, ".")
		if !ok || section == "" || label == "" {
			section, label = "", name
		} else if !slices.Contains(item.Sections, standin.SectionSpec{Label: section}) {
			item.Sections = append(item.Sections, standin.SectionSpec{Label: section})
		}
		item.Fields = append(item.Fields, standin.FieldSpec{Label: label, Value: fields[name], Section: section})
	}
	return item
}

// writeSecrets writes the secrets file that stands in for the project's: names
// only, whose values come in Kamal's environment.
func (s *session) writeSecrets(p *projectSecrets) error {
	var b strings.Builder
	for _, name := range p.names {
		fmt.Fprintf(&b, "%s=$%s\n", name, name)
	}
	path := kamal.SecretsFiles(s.path("config", "secrets"), s.opts.Destination)[1]
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("writing the secrets file: %w", err)
	}
	return nil
}

// usedNames are the secrets that a configuration names and a rehearsal needs: not
// those of certificates, of SSH and of other registries, which it has no use for.
func usedNames(raw map[string]any) []string {
	var names []string
	for _, use := range kamal.ConfigOf(raw).Uses {
		switch key := use.Key; {
		case strings.Contains(key, ".ssl."), key == "ssh.key_data":
		case strings.HasPrefix(key, "accessories.") && strings.Contains(key, ".registry."):
		default:
			names = append(names, use.Name)
		}
	}
	return unique(names)
}

// secretNames are the names in a list; a string alone is no name but a value.
func secretNames(v any) []string {
	list, _ := v.([]any)
	var names []string
	for _, entry := range list {
		if name, ok := entry.(string); ok {
			names = append(names, name)
		}
	}
	return names
}
