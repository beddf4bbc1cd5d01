package standin

import (
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"
)

// A VaultSpec is a vault and what is in it. An empty id is filled in.
type VaultSpec struct {
	ID, Name string
	Items    []ItemSpec
	Hidden   bool // not in scope of the token: not listed, and 403 by id

	kind string // of a Cloud's; "" is one that a person has made
}

// An ItemSpec is an item of a vault.
type ItemSpec struct {
	ID, Title string
	Category  string // "" is SECURE_NOTE
	State     string // "", ARCHIVED or DELETED
	Version   int    // 0 becomes 1
	Tags      []string
	Sections  []SectionSpec
	Fields    []FieldSpec
	Files     []FileSpec
}

// A SectionSpec is a section of an item.
type SectionSpec struct{ ID, Label string }

// A FieldSpec is a field of an item. Section is the id or the label of one of the
// item's sections.
type FieldSpec struct {
	ID, Label, Value string
	Type             string // "" is CONCEALED
	Purpose          string // "", USERNAME, PASSWORD or NOTES
	Section          string
	TOTP             string // the code that Connect computes for a field of type OTP
}

// A FileSpec is a file of an item.
type FileSpec struct {
	ID, Name string
	Content  []byte
	Section  string
}

// filled is a deep copy with ids and defaults filled in, checked as far as Connect
// would: a field's section is there.
func (s VaultSpec) filled() (VaultSpec, error) {
	if s.ID == "" {
		s.ID = newID()
	}
	items := s.Items
	s.Items = nil
	for _, item := range items {
		if err := s.put(item); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *VaultSpec) put(item ItemSpec) error {
	filled, err := item.filled()
	if err != nil {
		return err
	}
	for i, old := range s.Items {
		if old.ID == filled.ID {
			s.Items[i] = filled
			return nil
		}
	}
	s.Items = append(s.Items, filled)
	return nil
}

func (i ItemSpec) filled() (ItemSpec, error) {
	if i.ID == "" {
		i.ID = newID()
	}
	if i.Category == "" {
		i.Category = "SECURE_NOTE"
	}
	i.Version = max(i.Version, 1)
	i.Tags = slices.Clone(i.Tags)
	i.Sections = slices.Clone(i.Sections)
	for n := range i.Sections {
		if i.Sections[n].ID == "" {
			i.Sections[n].ID = newID()
		}
	}
	i.Fields = slices.Clone(i.Fields)
	for n := range i.Fields {
		f := &i.Fields[n]
		if f.ID == "" {
			f.ID = newID()
		}
		if f.Type == "" {
			f.Type = "CONCEALED"
		}
		section, err := i.sectionID(f.Section)
		if err != nil {
			return i, fmt.Errorf("field %q of item %q: %w", f.Label, i.Title, err)
		}
		f.Section = section
	}
	i.Files = slices.Clone(i.Files)
	for n := range i.Files {
		f := &i.Files[n]
		if f.ID == "" {
			f.ID = newID()
		}
		section, err := i.sectionID(f.Section)
		if err != nil {
			return i, fmt.Errorf("file %q of item %q: %w", f.Name, i.Title, err)
		}
		f.Section = section
	}
	return i, nil
}

func (i *ItemSpec) sectionID(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	for _, s := range i.Sections {
		if s.ID == name || s.Label == name {
			return s.ID, nil
		}
	}
	return "", fmt.Errorf("the item has no section %q", name)
}

// newID is a random id of 1Password's form: 16 bytes as 26 lower-case letters and
// digits. Not every such text is one: the last has two bits to spare, which are zero.
func newID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}
