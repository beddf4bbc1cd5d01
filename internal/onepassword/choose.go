package onepassword

import (
	"context"
	"fmt"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// choice is what a reference points to in an item: a field or a file.
type choice struct {
	field *Field
	file  *File
}

// choose finds the one field or file that the reference means. Without a section
// the item's own fields come first, then those of any section. Names are compared
// without regard to case, ids exactly; two matches are a problem that lists both.
func (i *Item) choose(ref Reference) (choice, error) {
	var own, sectioned []choice
	inSection := func(string) bool { return true }
	if ref.Section != "" {
		ids := map[string]bool{}
		for _, s := range i.Sections {
			if s.is(ref.Section) {
				ids[s.ID] = true
			}
		}
		if len(ids) == 0 {
			p := i.noSection(ref.Section)
			if hint := i.slashHint(ref); hint != "" {
				p.Hint = hint
			}
			return choice{}, p
		}
		inSection = func(id string) bool { return ids[id] }
	}
	add := func(section string, c choice) {
		if ownSection(section) {
			own = append(own, c)
		} else {
			sectioned = append(sectioned, c)
		}
	}
	for f := range i.candidates(ref.Field) {
		if inSection(f.Section) && f.is(ref.Field) && !i.isFile(f) {
			add(f.Section, choice{field: f})
		}
	}
	for n := range i.Files {
		if f := &i.Files[n]; inSection(f.Section) && (f.ID == ref.Field || strings.EqualFold(f.Name, ref.Field)) {
			add(f.Section, choice{file: f})
		}
	}
	found := own
	if len(found) == 0 {
		found = sectioned
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return choice{}, i.noField(ref, inSection)
	}
	p := problem.Newf("%d fields match", len(found)).About(problem.NameTwice)
	sections := map[string]bool{}
	for _, c := range found {
		p.Details = append(p.Details, i.describe(c))
		sections[strings.ToLower(i.section(c.section()).Label)] = true
	}
	p.Hint = "name the field by its id: " + ref.withField(found[0].id())
	if ref.Section == "" && len(sections) == len(found) {
		p.Hint = "name the section too, or the field by its id"
	}
	return choice{}, p
}

// section is the id of the section that the field or file is in.
func (c choice) section() string {
	if c.field != nil {
		return c.field.Section
	}
	return c.file.Section
}

func (c choice) id() string {
	if c.field != nil {
		return c.field.ID
	}
	return c.file.ID
}

// withField is the reference with another field, and without a section: an id needs
// none.
func (r Reference) withField(id string) string {
	r.Section, r.Field, r.text = "", id, ""
	return r.String()
}

// slashHint is the hint for a section and a field that are one label with a / in it.
func (i *Item) slashHint(ref Reference) string {
	label := ref.Section + "/" + ref.Field
	for n := range i.Fields {
		if f := &i.Fields[n]; strings.EqualFold(f.Label, label) {
			return "a / in a name is written %2F: " + ref.withField(f.Label)
		}
	}
	return ""
}

// is reports whether a reference's section means s. Inside an item ids count without
// regard to case too, as 1Password has it: many are words, such as username.
func (s *Section) is(name string) bool {
	return strings.EqualFold(s.ID, name) || strings.EqualFold(s.Label, name)
}

// is reports whether a reference's field means f.
func (f *Field) is(name string) bool {
	if strings.EqualFold(f.ID, name) || strings.EqualFold(f.Label, name) {
		return true
	}
	if f.Purpose == "NOTES" {
		// An empty note does not stand in the way of a field that is called notes.
		return strings.EqualFold(name, "notesPlain") || strings.EqualFold(name, "notes") && f.Value.Len() > 0
	}
	return f.Type == "SSHKEY" && (strings.EqualFold(name, "private_key") || strings.EqualFold(name, "private key"))
}

// isFile reports whether the field only stands for one of the item's files.
func (i *Item) isFile(f *Field) bool {
	if f.Type != "FILE" {
		return false
	}
	for _, file := range i.Files {
		if strings.EqualFold(file.Name, f.Label) || file.ID == f.ID {
			return true
		}
	}
	return false
}

func (i *Item) describe(c choice) string {
	var text string
	if c.field != nil {
		text = quote(c.field.Label)
	} else {
		text = "file " + quote(c.file.Name)
	}
	if section := c.section(); !ownSection(section) {
		s := i.section(section)
		if s.Label != "" {
			text += " in section " + quote(s.Label)
		} else {
			text += " in section " + s.ID
		}
	}
	return text + ", id " + c.id()
}

func (i *Item) noSection(name string) *problem.Problem {
	var labels []string
	for _, s := range i.Sections {
		if s.Label != "" {
			labels = append(labels, s.Label)
		}
	}
	p := absent("the item has no section "+quote(name), "")
	if len(labels) > 0 {
		p.Details = []string{"it has: " + list(labels)}
	} else {
		p.Details = []string{"it has no sections"}
	}
	p.Hint = suggest(name, labels, "correct the section's name")
	return p
}

func (i *Item) noField(ref Reference, inSection func(string) bool) *problem.Problem {
	var here, elsewhere []string
	for n := range i.Fields {
		f := &i.Fields[n]
		if f.Label == "" || f.Purpose == "NOTES" && f.Value.Len() == 0 {
			continue
		}
		if inSection(f.Section) {
			here = append(here, f.Label)
		} else if strings.EqualFold(f.Label, ref.Field) {
			elsewhere = append(elsewhere, i.describe(choice{field: f}))
		}
	}
	for _, f := range i.Files {
		if inSection(f.Section) {
			here = append(here, f.Name)
		}
	}
	where := "the item"
	if ref.Section != "" {
		where = "the section"
	}
	p := absent(where+" has no field "+quote(ref.Field), "")
	if len(here) > 0 {
		p.Details = []string{"it has: " + list(here)}
	} else {
		p.Details = []string{"it has no fields"}
	}
	if len(elsewhere) > 0 {
		p.Details = append(p.Details, "the item has "+strings.Join(elsewhere, "; "))
	}
	p.Hint = suggest(ref.Field, here, "correct the field's name, or add the field in 1Password")
	if hint := i.slashHint(ref); ref.Section != "" && hint != "" {
		p.Hint = hint
	} else if hint := slashHint(ref.Field, here); hint != "" {
		p.Hint = hint
	}
	return p
}

// value is what the reference asks of the chosen field or file.
func (r *Resolver) value(ctx context.Context, item *Item, c choice, ref Reference) (string, error) {
	if c.file != nil {
		return r.fileValue(ctx, item, c.file, ref)
	}
	f := c.field
	if ref.SSHFormat != "" {
		if f.Type != "SSHKEY" {
			return "", problem.Newf("ssh-format is only for the private key of an SSH Key item, and the field %s is none", quote(f.Label)).About(problem.Reference)
		}
		return openSSH(f.Value.Reveal())
	}
	switch ref.Attribute {
	case "", "value":
		return f.Value.Reveal(), nil
	case "otp", "totp":
		return f.oneTimePassword(r.now())
	case "type":
		return f.Type, nil
	case "title":
		return f.Label, nil
	case "id":
		return f.ID, nil
	case "purpose":
		return f.Purpose, nil
	}
	return "", problem.Newf("the attribute %s is one of files, and %s is a field", ref.Attribute, quote(f.Label)).About(problem.Reference)
}

// declared are the fields of the item as secrets under their labels.
//
// The fields that 1Password's templates bring along (username, notes, valid from)
// count only where somebody filled them in, and notes never: they are prose.
func (r *Resolver) declared(i *Item, d Declaration) ([]mask.Secret, error) {
	fields, err := i.declarable(d)
	if err != nil {
		return nil, err
	}
	var (
		secrets  []mask.Secret
		problems problem.List
		seen     = map[string]*Field{}
		twice    = map[string]*problem.Problem{}
	)
	text := quoteReference(d.Ref.String())
	for _, f := range fields {
		switch earlier := seen[f.Label]; {
		case !IsEnvironmentName(f.Label):
			problems = append(problems, &problem.Problem{
				Message: fmt.Sprintf("%s: the field %s is not the name of an environment variable", text, quote(f.Label)),
				Hint:    "rename the field, move the secrets under a section and write ?section=NAME, or declare the fields one by one", Status: problem.Found, Help: problem.Reference,
			})
			continue
		case earlier != nil && twice[f.Label] != nil:
			p := twice[f.Label]
			p.Details = append(p.Details, i.describe(choice{field: f}))
			continue
		case earlier != nil:
			p := &problem.Problem{
				Message: fmt.Sprintf("%s: the item has the field %s more than once", text, quote(f.Label)),
				Details: []string{i.describe(choice{field: earlier}), i.describe(choice{field: f})},
				Hint:    "rename all but one, or choose a section with ?section=NAME", Status: problem.Found,
				Help: problem.NameTwice,
			}
			if d.Ref.Section != "" || earlier.Section == f.Section {
				p.Hint = "rename all but one in 1Password"
			}
			twice[f.Label] = p
			problems = append(problems, p)
			continue
		}
		seen[f.Label] = f
		secret := mask.NewSecret(f.Label, f.Value.Reveal())
		if err := r.checkValue(d, secret, "the field of that name in "+text+" has no value"); err != nil {
			problems = append(problems, problem.Of(err)...)
			continue
		}
		secrets = append(secrets, secret)
	}
	if len(secrets) == 0 && len(problems) == 0 {
		problems = append(problems, &problem.Problem{
			Message: text + ": the item has no field with a value",
			Hint:    "add a field to the item for each secret, labelled with the secret's name", Status: problem.Found,
			Help: problem.DeclaredMissing,
		})
	}
	return secrets, problems.Err()
}

// declarable is the fields of i that d declares: those of its section that can be
// the value of a variable.
func (i *Item) declarable(d Declaration) (fields []*Field, err error) {
	sections := map[string]bool{}
	for _, s := range i.Sections {
		if s.is(d.Ref.Section) {
			sections[s.ID] = true
		}
	}
	if d.Ref.Section != "" && len(sections) == 0 {
		return nil, named(d.title(), d.Ref, i.noSection(d.Ref.Section))
	}
	for n := range i.Fields {
		f := &i.Fields[n]
		if d.Ref.Section != "" && !sections[f.Section] || f.Purpose == "NOTES" || f.Type == "FILE" {
			continue
		}
		if f.Value.Len() == 0 && (!IsID(f.ID) || f.Label == "") {
			continue
		}
		fields = append(fields, f)
	}
	return fields, nil
}
