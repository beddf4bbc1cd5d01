package onepassword_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	sdk "github.com/1password/onepassword-sdk-go"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/standin"
)

// fakeSDK serves vaults through the SDK's interfaces. What it was not told fails
// the test: an id that is not there, and every method that is not written here,
// which is nil.
type fakeSDK struct {
	t      *testing.T
	vaults []standin.VaultSpec
	envs   map[string][]sdk.EnvironmentVariable

	mu    sync.Mutex
	calls []string
	fault func(call string, n int) error
}

// resolverOver is a resolver over a service account over the fake.
func (f *fakeSDK) resolver(o onepassword.Options) *onepassword.Resolver {
	return onepassword.NewResolver(f.backend(), o)
}

func (f *fakeSDK) backend() *onepassword.ServiceAccount {
	return onepassword.NewServiceAccountOver("ops_test", 2*time.Second, func(context.Context) (onepassword.FakeSDK, error) {
		if err := f.called("login"); err != nil {
			return onepassword.FakeSDK{}, err
		}
		return onepassword.FakeSDK{Vaults: fakeVaults{f: f}, Items: fakeItems{f: f}, Environments: fakeEnvironments{f: f}}, nil
	})
}

func (f *fakeSDK) called(call string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call)
	if f.fault != nil {
		return f.fault(call, len(f.calls))
	}
	return nil
}

func (f *fakeSDK) vault(id string) *standin.VaultSpec {
	for n := range f.vaults {
		if f.vaults[n].ID == id {
			return &f.vaults[n]
		}
	}
	return nil
}

type fakeVaults struct {
	sdk.VaultsAPI
	f *fakeSDK
}

func (v fakeVaults) List(_ context.Context, params ...sdk.VaultListParams) ([]sdk.VaultOverview, error) {
	if len(params) != 0 {
		v.f.t.Errorf("Vaults.List was called with %v", params)
	}
	if err := v.f.called("vaults"); err != nil {
		return nil, err
	}
	var all []sdk.VaultOverview
	for _, spec := range v.f.vaults {
		if !spec.Hidden {
			all = append(all, sdk.VaultOverview{ID: spec.ID, Title: spec.Name})
		}
	}
	return all, nil
}

type fakeItems struct {
	sdk.ItemsAPI
	f *fakeSDK
}

func (i fakeItems) List(_ context.Context, vaultID string, filters ...sdk.ItemListFilter) ([]sdk.ItemOverview, error) {
	if len(filters) != 0 {
		i.f.t.Errorf("Items.List was called with %v", filters)
	}
	if err := i.f.called("items " + vaultID); err != nil {
		return nil, err
	}
	vault := i.f.vault(vaultID)
	if vault == nil {
		return nil, errors.New("resource not found")
	}
	var all []sdk.ItemOverview
	for _, item := range vault.Items {
		if item.State == "" {
			all = append(all, sdk.ItemOverview{ID: item.ID, Title: item.Title, VaultID: vaultID, State: sdk.ItemStateActive})
		}
	}
	return all, nil
}

func (i fakeItems) GetAll(_ context.Context, vaultID string, ids []string) (sdk.ItemsGetAllResponse, error) {
	if err := i.f.called("get " + vaultID); err != nil {
		return sdk.ItemsGetAllResponse{}, err
	}
	var all sdk.ItemsGetAllResponse
	vault := i.f.vault(vaultID)
	if vault == nil {
		return all, errors.New("resource not found")
	}
	for _, id := range ids {
		at := slices.IndexFunc(vault.Items, func(item standin.ItemSpec) bool { return item.ID == id })
		if at < 0 {
			gone := sdk.NewItemsGetAllErrorTypeVariantItemNotFound()
			all.IndividualResponses = append(all.IndividualResponses, sdk.Response[sdk.Item, sdk.ItemsGetAllError]{Error: &gone})
			continue
		}
		if vault.Items[at].State != "" {
			return all, errors.New("item is not in an active state")
		}
		item := i.f.item(vaultID, &vault.Items[at])
		all.IndividualResponses = append(all.IndividualResponses, sdk.Response[sdk.Item, sdk.ItemsGetAllError]{Content: &item})
	}
	return all, nil
}

func (i fakeItems) Files() sdk.ItemsFilesAPI { return fakeFiles{f: i.f} }

type fakeFiles struct {
	sdk.ItemsFilesAPI
	f *fakeSDK
}

func (r fakeFiles) Read(_ context.Context, vaultID, itemID string, attr sdk.FileAttributes) ([]byte, error) {
	if err := r.f.called("file"); err != nil {
		return nil, err
	}
	for _, item := range r.f.vault(vaultID).Items {
		for _, file := range item.Files {
			if item.ID == itemID && file.ID == attr.ID && file.Name == attr.Name && len(file.Content) == int(attr.Size) {
				return file.Content, nil
			}
		}
	}
	r.f.t.Errorf("there is no file %v", attr)
	return nil, errors.New("file couldn't be found")
}

type fakeEnvironments struct {
	sdk.EnvironmentsAPI
	f *fakeSDK
}

func (e fakeEnvironments) GetVariables(_ context.Context, id string) (sdk.GetVariablesResponse, error) {
	if err := e.f.called("environment"); err != nil {
		return sdk.GetVariablesResponse{}, err
	}
	variables, ok := e.f.envs[id]
	if !ok {
		return sdk.GetVariablesResponse{}, errors.New("resource not found")
	}
	return sdk.GetVariablesResponse{Variables: variables}, nil
}

// item is the item as the SDK has it, made of the JSON that its core answers with.
func (f *fakeSDK) item(vaultID string, spec *standin.ItemSpec) sdk.Item {
	type object = map[string]any
	fields, sections, files := []object{}, []object{}, []object{}
	out := object{
		"id": spec.ID, "title": spec.Title, "vaultId": vaultID, "category": camel(spec.Category), "version": 1, "notes": "",
		"tags": []string{}, "websites": []string{}, "createdAt": "2024-01-01T00:00:00Z", "updatedAt": "2024-01-01T00:00:00Z",
	}
	for _, s := range spec.Sections {
		sections = append(sections, object{"id": s.ID, "title": s.Label})
	}
	var private *object
	details := object{}
	for _, s := range spec.Fields {
		field := object{"id": s.ID, "title": s.Label, "value": s.Value, "fieldType": sdkType(s.Type)}
		if s.Section != "" {
			field["sectionId"] = s.Section
		}
		switch {
		case s.Purpose == "NOTES":
			out["notes"] = s.Value
			continue
		case s.Type == "SSHKEY":
			field["details"] = object{"type": "SshKey", "content": details}
			private = &field
		case s.Type == "OTP":
			field["details"] = object{"type": "Otp", "content": object{"code": s.TOTP}}
		case spec.Category == "SSH_KEY" && s.ID == "public_key":
			details["publicKey"] = s.Value
			continue
		case spec.Category == "SSH_KEY" && s.ID == "fingerprint":
			details["fingerprint"] = s.Value
			continue
		case spec.Category == "SSH_KEY" && s.ID == "key_type":
			details["keyType"] = map[string]string{"ed25519": "Ed25519", "rsa": "RSA, 2048-bit"}[s.Value] // as the core shows it
			continue
		}
		fields = append(fields, field)
	}
	if private == nil && len(details) > 0 {
		f.t.Errorf("the item %q has SSH key details and no key", spec.Title)
	}
	for n, file := range spec.Files {
		attributes := object{"name": file.Name, "id": file.ID, "size": len(file.Content)}
		if spec.Category == "DOCUMENT" && n == 0 {
			out["document"] = attributes
			continue
		}
		files = append(files, object{"attributes": attributes, "sectionId": file.Section, "fieldId": ""})
	}
	out["fields"], out["sections"], out["files"] = fields, sections, files
	text, err := json.Marshal(out)
	if err != nil {
		f.t.Fatal(err)
	}
	var item sdk.Item
	if err := json.Unmarshal(text, &item); err != nil {
		f.t.Fatal(err)
	}
	return item
}

func camel(category string) string {
	switch category {
	case "SSH_KEY":
		return "SshKey"
	case "LOGIN":
		return "Login"
	case "DOCUMENT":
		return "Document"
	}
	return "SecureNote"
}

func sdkType(t string) string {
	switch t {
	case "STRING":
		return "Text"
	case "OTP":
		return "Totp"
	case "SSHKEY":
		return "SshKey"
	}
	return "Concealed"
}
