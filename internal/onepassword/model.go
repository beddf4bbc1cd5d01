package onepassword

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kamal-op/kamal-op/mask"
)

// A Vault is one that the credentials can see.
type Vault struct {
	ID, Name string
}

// An Overview is what a list of items tells of one of them.
type Overview struct {
	ID, Title string
	Category  string // as the op CLI writes it: LOGIN, SECURE_NOTE, SSH_KEY
	Version   int    // 0 where the backend does not tell
	Tags      []string
	Archived  bool
}

// An Item is a whole item. What the backends call differently has the names of
// Connect and of the op CLI here.
type Item struct {
	ID, Title string
	Vault     Vault
	Category  string
	Version   int
	Tags      []string
	Archived  bool
	CreatedAt string // RFC 3339, "" where the backend does not tell
	UpdatedAt string
	Sections  []Section
	Fields    []Field
	Files     []File

	// byName are the places in Fields by id and by label, folded; nil where the item
	// was not indexed, and then all are looked at.
	byName map[string][]int
}

// A Section is a heading under which fields stand.
type Section struct {
	ID, Label string
}

// A Field is one value of an item.
type Field struct {
	ID, Label string
	Type      string // STRING, CONCEALED, OTP, SSHKEY, URL, EMAIL, …
	Purpose   string // USERNAME, PASSWORD, NOTES, or ""
	Section   string // the section's id, "" for the item's own fields
	Value     mask.Secret
	Code      mask.Secret // the one-time password that the server computed, if it did
}

// A File is an attachment, or the document of a document item.
type File struct {
	ID, Name string
	Size     int64
	Section  string // the section's id
}

// A Variable is one of a 1Password Environment.
type Variable struct {
	Value  mask.Secret // its name is the variable's
	Masked bool        // hidden in 1Password; false for one shown in the clear
}

// section is the section with the id, and a Section with only the id where the
// item does not list it.
func (i *Item) section(id string) Section {
	for _, s := range i.Sections {
		if s.ID == id {
			return s
		}
	}
	return Section{ID: id}
}

// SectionLabel is the label of the section with the id; "" where it has none.
func (i *Item) SectionLabel(id string) string { return i.section(id).Label }

// ownSection reports whether the section is the one of fields that a person put
// under no heading. 1Password's clients keep those under a section of this id.
func ownSection(id string) bool { return id == "" || id == "add more" }

// index makes byName, so that a thousand references into an item of a thousand
// fields are not a million comparisons.
func (i *Item) index() {
	i.byName = make(map[string][]int, 2*len(i.Fields))
	add := func(name string, n int) {
		key := foldKey(name)
		if at := i.byName[key]; len(at) == 0 || at[len(at)-1] != n {
			i.byName[key] = append(at, n)
		}
	}
	for n := range i.Fields {
		f := &i.Fields[n]
		add(f.ID, n)
		add(f.Label, n)
		if f.Purpose == "NOTES" {
			add("notes", n)
			add("notesPlain", n)
		}
		if f.Type == "SSHKEY" {
			add("private_key", n)
			add("private key", n)
		}
	}
}

// candidates are the fields that may go by the name, in the item's order.
func (i *Item) candidates(name string) iter.Seq[*Field] {
	return func(yield func(*Field) bool) {
		if i.byName == nil {
			for n := range i.Fields {
				if !yield(&i.Fields[n]) {
					return
				}
			}
			return
		}
		for _, n := range i.byName[foldKey(name)] {
			if !yield(&i.Fields[n]) {
				return
			}
		}
	}
}

// foldKey is the same for two texts where strings.EqualFold says that they are.
func foldKey(s string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf {
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			// Two letters of ASCII have a partner outside it: K and s.
			if r != 'k' && r != 's' {
				return r
			}
		}
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, s)
}

// IsBlank reports whether a value is nothing but white space, which is somebody's slip
// more often than it is meant.
func IsBlank(s mask.Secret) bool { return s.Len() > 0 && strings.TrimSpace(s.Reveal()) == "" }
