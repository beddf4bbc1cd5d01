package onepassword

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"

	sdk "github.com/1password/onepassword-sdk-go"

	"github.com/kamal-op/kamal-op/mask"
)

// sdkItem is an item of the SDK in the words of Connect and of the op CLI. What
// the SDK keeps beside the fields becomes the fields that those have: the notes,
// and the public half, fingerprint and type of an SSH key.
func sdkItem(i *sdk.Item) *Item {
	item := &Item{
		ID: i.ID, Title: i.Title, Vault: Vault{ID: i.VaultID}, Category: sdkCategory(i.Category),
		Version: int(i.Version), Tags: i.Tags,
		CreatedAt: i.CreatedAt.Format(time.RFC3339), UpdatedAt: i.UpdatedAt.Format(time.RFC3339),
	}
	for _, s := range i.Sections {
		item.Sections = append(item.Sections, Section{ID: s.ID, Label: s.Title})
	}
	for _, f := range i.Files {
		item.Files = append(item.Files, File{ID: f.Attributes.ID, Name: f.Attributes.Name, Size: int64(f.Attributes.Size), Section: f.SectionID})
	}
	if d := i.Document; d != nil {
		item.Files = append(item.Files, File{ID: d.ID, Name: d.Name, Size: int64(d.Size)})
	}
	for _, f := range i.Fields {
		field := Field{ID: f.ID, Label: f.Title, Type: sdkFieldType(f.FieldType), Value: mask.NewSecret(f.Title, f.Value)}
		if f.SectionID != nil {
			field.Section = *f.SectionID
		}
		if i.Category == sdk.ItemCategoryLogin || i.Category == sdk.ItemCategoryPassword {
			switch f.ID {
			case "username":
				field.Purpose = "USERNAME"
			case "password":
				field.Purpose = "PASSWORD"
			}
		}
		for _, file := range i.Files {
			if file.FieldID != "" && file.FieldID == f.ID {
				field.Type = "FILE"
			}
		}
		details := sdkDetails(f.Details)
		if f.FieldType == sdk.ItemFieldTypeTOTP {
			field.Code = mask.NewSecret(f.Title, details.Code)
		}
		item.Fields = append(item.Fields, field)
		if f.FieldType == sdk.ItemFieldTypeSSHKey {
			for _, more := range []struct{ id, label, value string }{
				{"public_key", "public key", details.PublicKey},
				{"fingerprint", "fingerprint", details.Fingerprint},
				{"key_type", "key type", storedKeyType(details.KeyType)},
			} {
				if more.value != "" {
					item.Fields = append(item.Fields, Field{
						ID: more.id, Label: more.label, Type: "STRING", Section: field.Section, Value: mask.NewSecret(more.label, more.value),
					})
				}
			}
		}
	}
	if i.Notes != "" {
		item.Fields = append(item.Fields, Field{
			ID: "notesPlain", Label: "notesPlain", Type: "STRING", Purpose: "NOTES", Value: mask.NewSecret("notesPlain", i.Notes),
		})
	}
	return item
}

// storedKeyType is the type of a key as its item stores it, and as the SDK resolves a
// reference to it: the SDK's details have "RSA, 2048-bit" for rsa, and Ed25519.
func storedKeyType(shown string) string {
	name, _, _ := strings.Cut(shown, ",")
	return strings.ToLower(name)
}

type fieldDetails struct {
	PublicKey   string `json:"publicKey"`
	Fingerprint string `json:"fingerprint"`
	KeyType     string `json:"keyType"`
	Code        string `json:"code"`
}

// sdkDetails reads a field's details. The SDK's own accessors dereference nil
// where the details are of another kind or null; their JSON does not.
func sdkDetails(d *sdk.ItemFieldDetails) fieldDetails {
	var out struct {
		Content fieldDetails `json:"content"`
	}
	if d == nil {
		return out.Content
	}
	// What cannot be read is left out: the item's values stand in its fields, and
	// these are what stands beside a key or a one-time password.
	text, err := json.Marshal(d)
	if err != nil || json.Unmarshal(text, &out) != nil {
		return fieldDetails{}
	}
	return out.Content
}

// sdkCategory is the SDK's ApiCredentials as API_CREDENTIAL.
func sdkCategory(c sdk.ItemCategory) string {
	switch c {
	case sdk.ItemCategoryAPICredentials:
		return "API_CREDENTIAL"
	case sdk.ItemCategoryEmail:
		return "EMAIL_ACCOUNT"
	case sdk.ItemCategoryRewards:
		return "REWARD_PROGRAM"
	case sdk.ItemCategoryRouter:
		return "WIRELESS_ROUTER"
	case sdk.ItemCategoryUnsupported:
		return "CUSTOM"
	}
	return snake(string(c))
}

// sdkFieldType is the SDK's CreditCardType as CREDIT_CARD_TYPE.
func sdkFieldType(t sdk.ItemFieldType) string {
	switch t {
	case sdk.ItemFieldTypeText:
		return "STRING"
	case sdk.ItemFieldTypeTOTP:
		return "OTP"
	case sdk.ItemFieldTypeSSHKey:
		return "SSHKEY"
	case sdk.ItemFieldTypeUnsupported:
		return "UNKNOWN"
	}
	return snake(string(t))
}

func snake(camel string) string {
	var b strings.Builder
	for i, r := range camel {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}
