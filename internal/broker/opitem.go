package broker

import (
	"context"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/broker/opclient"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// The JSON of the op CLI.
type (
	jsonSection struct {
		ID    string `json:"id"`
		Label string `json:"label,omitempty"`
	}
	jsonField struct {
		ID        string       `json:"id"`
		Section   *jsonSection `json:"section,omitempty"`
		Type      string       `json:"type"`
		Purpose   string       `json:"purpose,omitempty"`
		Label     string       `json:"label"`
		Value     string       `json:"value"` // also where it is empty: Kamal takes a missing one for null
		TOTP      string       `json:"totp,omitempty"`
		Reference string       `json:"reference"`
	}
	jsonVault struct {
		ID   string `json:"id"`
		Name string `json:"name,omitempty"`
	}
	jsonItem struct {
		ID        string        `json:"id"`
		Title     string        `json:"title"`
		Tags      []string      `json:"tags,omitempty"`
		Version   int           `json:"version"`
		Vault     jsonVault     `json:"vault"`
		Category  string        `json:"category"`
		CreatedAt string        `json:"created_at,omitempty"`
		UpdatedAt string        `json:"updated_at,omitempty"`
		Sections  []jsonSection `json:"sections,omitempty"`
		Fields    []jsonField   `json:"fields,omitempty"`
	}
)

func (b *Broker) itemGet(ctx context.Context, c commandLine) (*opclient.Reply, error) {
	if len(c.words) != 1 {
		return nil, problem.Usagef("op item get ITEM --vault VAULT", "op item get takes one item")
	}
	item, vault := c.words[0], c.flags["vault"]
	if vault == "" {
		return nil, problem.Usagef("add --vault VAULT", "a vault query must be provided when this command is called by a service account")
	}
	if p := b.scope.allows(ctx, b.o.Vault, vault); p != nil {
		return nil, p
	}
	found, err := b.o.Vault.Item(ctx, vault, item)
	if err != nil {
		return nil, err
	}
	get := itemGetter{b: b, vault: vault, item: item, found: found}
	switch {
	case c.flags["otp"] != "":
		return get.otp(ctx)
	case c.flags["fields"] != "":
		return get.fields(ctx, c)
	case c.flags["format"] != "json":
		return get.table(c.flags["reveal"] != "")
	}
	return get.fullItem()
}

// An itemGetter answers from one item, under the names that the caller used.
type itemGetter struct {
	b           *Broker
	vault, item string
	found       *onepassword.Item
}

// field is the JSON of one field. label is the path that the reference gets.
func (g itemGetter) field(f *onepassword.Field, path string) jsonField {
	j := jsonField{
		ID: f.ID, Type: f.Type, Purpose: f.Purpose, Label: f.Label, Value: f.Value.Reveal(), TOTP: f.Code.Reveal(),
		Reference: "op://" + g.vault + "/" + g.item + "/" + path,
	}
	if f.Section != "" {
		j.Section = &jsonSection{ID: f.Section, Label: g.found.SectionLabel(f.Section)}
	}
	return j
}

// path is how a reference names a field of the item.
func (g itemGetter) path(f *onepassword.Field) string {
	if label := g.found.SectionLabel(f.Section); label != "" {
		return label + "/" + f.Label
	}
	return f.Label
}

// concealed reports whether 1Password hides the field's value.
func concealed(f *onepassword.Field) bool {
	return f.Type == "CONCEALED" || f.Type == "OTP" || f.Type == "SSHKEY" || f.Purpose == "PASSWORD"
}

func (g itemGetter) fullItem() (*opclient.Reply, error) {
	j := jsonItem{
		ID: g.found.ID, Title: g.found.Title, Tags: g.found.Tags, Version: g.found.Version, Category: g.found.Category,
		Vault: jsonVault(g.found.Vault), CreatedAt: g.found.CreatedAt, UpdatedAt: g.found.UpdatedAt,
	}
	for _, s := range g.found.Sections {
		j.Sections = append(j.Sections, jsonSection(s))
	}
	var hidden []mask.Secret
	for i := range g.found.Fields {
		f := &g.found.Fields[i]
		if concealed(f) {
			// What else the item holds (a user name, an address) is masked when
			// Kamal makes a secret of it.
			hidden = append(hidden, f.Value, f.Code)
		}
		j.Fields = append(j.Fields, g.field(f, g.path(f)))
	}
	if err := g.b.mask(hidden...); err != nil {
		return nil, err
	}
	return jsonReply(j)
}

func (g itemGetter) fields(ctx context.Context, c commandLine) (*opclient.Reply, error) {
	var found []jsonField
	var values []string
	var problems problem.List
	for _, name := range strings.Split(c.flags["fields"], ",") {
		kind, label, ok := strings.Cut(name, "=")
		switch {
		case !ok:
			label = name
		case kind == "type":
			for i := range g.found.Fields {
				if f := &g.found.Fields[i]; strings.EqualFold(f.Type, label) {
					found = append(found, g.field(f, f.Label))
					values = append(values, f.Value.Reveal())
				}
			}
			continue
		case kind != "label":
			label = name // a label with = in it
		}
		f, path, err := g.byLabel(ctx, label)
		if err != nil {
			problems = append(problems, problem.Of(err)...)
			continue
		}
		if c.flags["format"] != "json" && c.flags["reveal"] == "" && concealed(f) {
			// The real CLI prints a placeholder in its place and ends well: it
			// would be deployed.
			problems = append(problems, problem.New(fmt.Sprintf("field %q is concealed", label), "add --reveal, or --format json").About(problem.Reference))
			continue
		}
		found = append(found, g.field(f, path))
		values = append(values, f.Value.Reveal())
	}
	if len(problems) > 0 {
		return nil, joinProblems(problems)
	}
	if len(found) == 0 {
		return nil, problem.Newf("item %q has no such field", g.item).About(problem.FieldMissing)
	}
	secrets := make([]mask.Secret, len(values))
	for i, value := range values {
		secrets[i] = mask.NewSecret(found[i].Label, value)
	}
	if err := g.b.mask(secrets...); err != nil {
		return nil, err
	}
	if c.flags["format"] != "json" {
		return csvReply(values)
	}
	if len(found) == 1 {
		return jsonReply(found[0])
	}
	return jsonReply(found)
}

// csvReply is a line of values as the op CLI prints them, one value alone as well: one
// with a comma, a quote or several lines, as a private key has, stands in quotes.
// `op read` gives it as it is.
func csvReply(values []string) (*opclient.Reply, error) {
	var b strings.Builder
	w := csv.NewWriter(&b)
	if err := w.Write(values); err != nil {
		return nil, err
	}
	w.Flush()
	return textReply(b.String()), w.Error()
}

// byLabel finds a field by its label, or by section.label as Kamal joins them; a
// label with a dot in it goes before a section. path is how the reference names
// it: as the caller did.
func (g itemGetter) byLabel(ctx context.Context, label string) (f *onepassword.Field, path string, err error) {
	ref := onepassword.Reference{Vault: g.vault, Item: g.item, Field: label}
	path = label
	if !slices.ContainsFunc(g.found.Fields, func(f onepassword.Field) bool {
		return f.ID == label || strings.EqualFold(f.Label, label)
	}) {
		for i, c := range label {
			if c != '.' || i == 0 || i == len(label)-1 {
				continue
			}
			section := label[:i]
			if slices.ContainsFunc(g.found.Sections, func(s onepassword.Section) bool {
				return s.ID == section || strings.EqualFold(s.Label, section)
			}) {
				ref.Section, ref.Field = section, label[i+1:]
				path = ref.Section + "/" + ref.Field
				break
			}
		}
	}
	value, err := g.b.o.Vault.Read(ctx, ref)
	if err != nil {
		return nil, "", err
	}
	// Read has decided which field is meant and what it gives; the rest of the
	// JSON is taken from the one that it can have been.
	chosen := onepassword.Field{Label: ref.Field, Type: "STRING", Value: value}
	for _, known := range g.found.Fields {
		if (known.ID == ref.Field || strings.EqualFold(known.Label, ref.Field)) && known.Value.Reveal() == value.Reveal() {
			chosen = known
			break
		}
	}
	return &chosen, path, nil
}

func (g itemGetter) otp(ctx context.Context) (*opclient.Reply, error) {
	for _, f := range g.found.Fields {
		if f.Type != "OTP" {
			continue
		}
		name := f.ID
		if name == "" {
			name = f.Label
		}
		code, err := g.b.o.Vault.Read(ctx, onepassword.Reference{Vault: g.vault, Item: g.item, Field: name, Attribute: "otp"})
		if err != nil {
			return nil, err
		}
		return textReply(code.Reveal() + "\n"), g.b.mask(code)
	}
	return nil, problem.Newf("item %q has no one-time password", g.item).About(problem.Reference)
}

func (b *Broker) vaultList(ctx context.Context, c commandLine) (*opclient.Reply, error) {
	vaults, err := b.o.Vault.Vaults(ctx)
	if err != nil {
		return nil, err
	}
	list := []jsonVault{}
	text := []string{"ID                            NAME\n"}
	for _, v := range vaults {
		if b.scope.has(v.Name) || b.scope.has(v.ID) {
			list = append(list, jsonVault(v))
			text = append(text, v.ID+"    "+v.Name+"\n")
		}
	}
	if c.flags["format"] == "json" {
		return jsonReply(list)
	}
	return textReply(strings.Join(text, "")), nil
}

func (b *Broker) itemList(ctx context.Context, c commandLine) (*opclient.Reply, error) {
	vault := c.flags["vault"]
	if vault == "" {
		return nil, problem.Usagef("add --vault VAULT", "a vault query must be provided when this command is called by a service account")
	}
	if p := b.scope.allows(ctx, b.o.Vault, vault); p != nil {
		return nil, p
	}
	items, err := b.o.Vault.Items(ctx, vault)
	if err != nil {
		return nil, err
	}
	wanted := func(list, have string) bool {
		return list == "" || slices.ContainsFunc(strings.Split(list, ","), func(s string) bool {
			return strings.EqualFold(strings.ReplaceAll(strings.TrimSpace(s), " ", "_"), strings.ReplaceAll(have, " ", "_"))
		})
	}
	list := []jsonItem{}
	text := []string{"ID                            TITLE\n"}
	for _, i := range items {
		if i.Archived || !wanted(c.flags["categories"], i.Category) {
			continue
		}
		if tags := c.flags["tags"]; tags != "" && !slices.ContainsFunc(i.Tags, func(tag string) bool { return wanted(tags, tag) }) {
			continue
		}
		list = append(list, jsonItem{ID: i.ID, Title: i.Title, Tags: i.Tags, Version: i.Version, Vault: jsonVault{Name: vault}, Category: i.Category})
		text = append(text, i.ID+"    "+i.Title+"\n")
	}
	if c.flags["format"] == "json" {
		return jsonReply(list)
	}
	return textReply(strings.Join(text, "")), nil
}
