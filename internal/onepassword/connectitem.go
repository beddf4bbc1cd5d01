package onepassword

import (
	"github.com/kamal-op/kamal-op/mask"
)

type connectVault struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type connectSection struct {
	ID    string `json:"id"`
	Label string `json:"label"`
}

type connectFile struct {
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	Size    int64           `json:"size"`
	Section *connectSection `json:"section"`
}

type connectItem struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Vault struct {
		ID string `json:"id"`
	} `json:"vault"`
	Category  string           `json:"category"`
	Tags      []string         `json:"tags"`
	Version   int              `json:"version"`
	State     string           `json:"state"`
	CreatedAt string           `json:"createdAt"`
	UpdatedAt string           `json:"updatedAt"`
	Sections  []connectSection `json:"sections"`
	Fields    []struct {
		ID      string          `json:"id"`
		Type    string          `json:"type"`
		Purpose string          `json:"purpose"`
		Label   string          `json:"label"`
		Value   string          `json:"value"`
		TOTP    string          `json:"totp"`
		Section *connectSection `json:"section"`
	} `json:"fields"`
	Files []connectFile `json:"files"`
}

// item is the item in the words of this package.
func (i *connectItem) item(vaultID string) *Item {
	item := &Item{
		ID: i.ID, Title: i.Title, Vault: Vault{ID: vaultID}, Category: i.Category, Version: i.Version,
		Tags: i.Tags, Archived: i.State != "", CreatedAt: i.CreatedAt, UpdatedAt: i.UpdatedAt,
	}
	for _, s := range i.Sections {
		item.Sections = append(item.Sections, Section(s))
	}
	for _, f := range i.Fields {
		item.Fields = append(item.Fields, Field{
			ID: f.ID, Label: f.Label, Type: fieldType(f.Type), Purpose: f.Purpose, Section: item.know(f.Section),
			Value: mask.NewSecret(f.Label, f.Value), Code: mask.NewSecret(f.Label, f.TOTP),
		})
	}
	for _, f := range i.Files {
		item.Files = append(item.Files, File{
			ID: f.ID, Name: f.Name, Size: f.Size, Section: item.know(f.Section),
		})
	}
	return item
}

// know is the id of a section, which the item may name only beside the field.
func (i *Item) know(s *connectSection) string {
	if s == nil {
		return ""
	}
	for _, known := range i.Sections {
		if known.ID == s.ID {
			return s.ID
		}
	}
	if s.Label != "" {
		i.Sections = append(i.Sections, Section(*s))
	}
	return s.ID
}

// fieldType evens out the two spellings that Connect's versions have.
func fieldType(t string) string {
	if t == "SSH_KEY" {
		return "SSHKEY"
	}
	return t
}
