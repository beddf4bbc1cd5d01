package standin

import (
	"cmp"
	"strconv"
	"strings"
)

// ownSection is the section of fields that a person put under no heading.
const ownSection = "add more"

// details are an item's fields. What a login is made of stands apart from all others,
// which stand in sections.
func (i *ItemSpec) details(a *cloudAccount) object {
	d := itemDetails{}
	for _, s := range i.Sections {
		d.section(s.ID, s.Label)
	}
	for _, f := range i.Fields {
		switch {
		case f.Purpose == "NOTES":
			d.notes = f.Value
		case i.Category == "LOGIN" && f.Purpose != "":
			d.login = append(d.login, object{
				"id": f.ID, "name": f.Label, "type": map[string]string{"USERNAME": "T", "PASSWORD": "P"}[f.Purpose],
				"designation": strings.ToLower(f.Purpose), "value": f.Value,
			})
		case i.Category == "PASSWORD" && f.Purpose == "PASSWORD":
			d.password = f.Value
		case i.Category == "SSH_KEY" && (f.ID == "public_key" || f.ID == "fingerprint" || f.ID == "key_type"):
			// Connect has these as fields, and the API beside the key.
		default:
			field := f.cloud()
			if f.Type == "SSHKEY" {
				field["a"] = object{"sshKeyAttributes": i.sshAttributes(f.Value)}
			}
			d.put(f.Section, field)
		}
	}
	for n, f := range i.Files {
		value := f.cloud(a)
		if i.Category == "DOCUMENT" && n == 0 {
			d.document = value
			continue
		}
		d.put(f.Section, object{"n": newID(), "t": f.Name, "k": "file", "v": value})
	}
	return d.object()
}

// itemDetails are details that are being put together.
type itemDetails struct {
	notes    string
	password string
	login    []object
	document object
	sections []object
	fields   map[string][]object // by the section's name
}

// section is a section of the name, made where there is none.
func (d *itemDetails) section(name, title string) {
	if d.fields == nil {
		d.fields = map[string][]object{}
	}
	if d.fields[name] == nil {
		d.fields[name] = []object{}
		d.sections = append(d.sections, object{"name": name, "title": title})
	}
}

func (d *itemDetails) put(section string, field object) {
	section = cmp.Or(section, ownSection)
	d.section(section, "")
	d.fields[section] = append(d.fields[section], field)
}

func (d *itemDetails) object() object {
	for _, s := range d.sections {
		name, _ := s["name"].(string)
		s["fields"] = d.fields[name]
	}
	out := object{"notesPlain": d.notes, "sections": append([]object{}, d.sections...), "fields": append([]object{}, d.login...)}
	if d.password != "" {
		out["password"] = d.password
	}
	if d.document != nil {
		out["documentAttributes"] = d.document
	}
	return out
}

// cloud is the field with the API's letters: n is its id, t its title, k its kind, v
// its value.
func (f FieldSpec) cloud() object {
	out := object{"n": f.ID, "t": f.Label, "v": f.Value, "k": "concealed"}
	switch f.Type {
	case "STRING":
		out["k"] = "string"
	case "OTP":
		// The id alone makes it one.
		out["n"] = "TOTP_" + strings.TrimPrefix(f.ID, "TOTP_")
	case "URL":
		out["k"] = "URL"
	case "EMAIL", "PHONE", "MENU", "GENDER", "REFERENCE":
		out["k"] = strings.ToLower(f.Type)
	case "CREDIT_CARD_TYPE":
		out["k"] = "cctype"
	case "CREDIT_CARD_NUMBER":
		out["k"] = "ccnum"
	case "DATE", "MONTH_YEAR":
		out["k"] = map[string]string{"DATE": "date", "MONTH_YEAR": "monthYear"}[f.Type]
		delete(out, "v")
		if n, err := strconv.ParseInt(f.Value, 10, 64); err == nil {
			out["v"] = n // seconds since 1970, or 202112
		}
	case "SSHKEY":
		out["k"] = "sshKey"
	}
	return out
}

// sshAttributes are what an SSH key's field has beside the key.
func (i *ItemSpec) sshAttributes(private string) object {
	has := map[string]string{}
	for _, f := range i.Fields {
		has[f.ID] = f.Value
	}
	name, bits, _ := strings.Cut(has["key_type"], "-")
	kind := object{"t": name}
	if n, err := strconv.Atoi(bits); err == nil {
		kind["c"] = n
	}
	return object{"privateKey": private, "publicKey": has["public_key"], "fingerprint": has["fingerprint"], "keyType": kind}
}
