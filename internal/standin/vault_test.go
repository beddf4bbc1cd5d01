package standin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/standin"
)

func startVault(t *testing.T, o standin.VaultOptions) *standin.Vault {
	t.Helper()
	vault, err := standin.StartVault(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := vault.Close(); err != nil {
			t.Error(err)
		}
	})
	return vault
}

// ask gets a path with the vault's token, or with another header.
func ask(t *testing.T, v *standin.Vault, path string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+v.Token())
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("1Password-Connect-Version") == "" {
		t.Error("no version in the answer's header")
	}
	return resp.StatusCode, string(body)
}

const (
	vaultID  = "vaultaaaaaaaaaaaaaaaaaaaaa"
	hiddenID = "hiddenaaaaaaaaaaaaaaaaaaaa"
	itemID   = "itemaaaaaaaaaaaaaaaaaaaaaa"
	fileID   = "fileaaaaaaaaaaaaaaaaaaaaaa"
)

var sample = standin.VaultOptions{Prefix: "/connect", Vaults: []standin.VaultSpec{
	{ID: vaultID, Name: "My App", Items: []standin.ItemSpec{
		{
			ID: itemID, Title: "Production", Tags: []string{"deploy"}, Fields: []standin.FieldSpec{{Label: "A", Value: "1"}},
			Files: []standin.FileSpec{{ID: fileID, Name: "large", Content: make([]byte, 200<<10)}},
		},
		{Title: "It's", State: ""},
	}},
	{ID: hiddenID, Name: "Hidden", Hidden: true},
}}

// TestVault_Answers holds statuses and messages to Connect's OpenAPI description.
func TestVault_Answers(t *testing.T) {
	v := startVault(t, sample)
	if _, health := ask(t, v, "/health"); !strings.Contains(health, "TOKEN_NEEDED") {
		t.Errorf("before the first request: %s", health)
	}
	for _, test := range []struct {
		path   string
		status int
		want   string
	}{
		{"/heartbeat", 200, "."},
		{"/v1/vaults", 200, `"name":"My App"`},
		{"/v1/vaults/" + vaultID, 200, `"id":"` + vaultID + `"`},
		{"/v1/vaults/" + hiddenID, 403, "vault " + hiddenID + " is not in scope"},
		{"/v1/vaults/" + hiddenID + "/items", 403, "is not in scope"},
		{"/v1/vaults/zzzzzzzzzzzzzzzzzzzzzzzzzz", 404, "vault zzzzzzzzzzzzzzzzzzzzzzzzzz not found"},
		{"/v1/vaults/My%20App", 400, "Invalid Vault UUID"},
		{"/v1/vaults/a%2Fb/items", 400, "Invalid Vault UUID"},
		{"/v1/vaults/" + vaultID + "/items/" + itemID, 200, `"fields":[{`},
		{"/v1/vaults/" + vaultID + "/items/zzzzzzzzzzzzzzzzzzzzzzzzzz", 404, "item zzzzzzzzzzzzzzzzzzzzzzzzzz not found"},
		{"/v1/vaults?filter=name+eq+%22My+App%22", 200, `"name":"My App"`},
		{"/v1/vaults?filter=title+eq+%22my+app%22", 200, "[]"},
		{"/v1/vaults?filter=%27", 400, "Invalid filter"},
		{"/v1/vaults/" + vaultID + "/items?filter=title+eq+%22It%27s%22", 200, `"title":"It's"`},
		{"/v1/vaults/" + vaultID + "/items?filter=title+co+%22rod%22", 200, `"title":"Production"`},
		{"/v1/vaults/" + vaultID + "/items?filter=tag+eq+%22deploy%22", 200, `"title":"Production"`},
		{"/v1/vaults/" + vaultID + "/items?filter=tag+eq+%22none%22", 200, "[]"},
		{"/v1/vaults/" + vaultID + "/items?filter=name+eq+%22x%22", 400, "Invalid filter"},
		{"/v1/vaults/" + vaultID + "/items/" + itemID + "/files", 200, `"size":204800`},
		{"/v1/vaults/" + vaultID + "/items/" + itemID + "/files/" + fileID + "?inline_files=true", 413, "File is too large to inline in request"},
		{"/v1/activity", 404, "Not Found"},
		{"/health", 200, `"status":"ACTIVE"`},
	} {
		code, body := ask(t, v, test.path)
		if code != test.status || !strings.Contains(body, test.want) {
			t.Errorf("%s: %d %s, want %d %s", test.path, code, body, test.status, test.want)
		}
		var told struct{ Status int }
		if code >= 400 && (json.Unmarshal([]byte(body), &told) != nil || told.Status != code) {
			t.Errorf("%s: the error is %s", test.path, body)
		}
	}
	if code, body := ask(t, v, "/v1/vaults/"+vaultID+"/items"); code != 200 || strings.Contains(body, `"fields"`) {
		t.Errorf("a list has fields: %s", body)
	}
	for header, want := range map[string]string{"": "missing or malformed", "Bearer other": "Invalid token signature", "Basic eDp5": "missing or malformed"} {
		if code, body := ask(t, v, "/v1/vaults", "Authorization", header); code != 401 || !strings.Contains(body, want) {
			t.Errorf("%q: %d %s", header, code, body)
		}
	}
}

func TestVault_ChangesWhileItRuns(t *testing.T) {
	v := startVault(t, sample)
	has := func(path, want string) {
		t.Helper()
		if _, body := ask(t, v, path); !strings.Contains(body, want) {
			t.Errorf("%s: %s has no %s", path, body, want)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	item := "/v1/vaults/" + vaultID + "/items/" + itemID
	must(v.SetField("My App", "Production", "A", "2"))
	must(v.SetField("My App", "Production", "B", "3"))
	has(item, `"value":"2"`)
	has(item, `"value":"3"`)
	has(item, `"version":3`)
	must(v.PutItem("My App", standin.ItemSpec{ID: itemID, Title: "Staging"}))
	has("/v1/vaults/"+vaultID+"/items", `"title":"Staging"`)
	must(v.RemoveItem("My App", "Staging"))
	has(item, "not found")
	must(v.Put(standin.VaultSpec{Name: "New"}))
	has("/v1/vaults", `"name":"New"`)
	for _, err := range []error{
		v.SetField("none", "x", "x", "x"), v.SetField("My App", "none", "x", "x"), v.RemoveItem("My App", "none"), v.PutItem("none", standin.ItemSpec{}),
		v.Put(standin.VaultSpec{Items: []standin.ItemSpec{{Fields: []standin.FieldSpec{{Section: "none"}}}}}),
	} {
		if err == nil {
			t.Error("what is not there was changed")
		}
	}
	// What was given is a copy.
	if sample.Vaults[0].Items[0].Title != "Production" || sample.Vaults[0].Items[0].Fields[0].Value != "1" {
		t.Error("the options were changed")
	}
}

func TestVault_CountsRequestsAndInjectsFaults(t *testing.T) {
	v := startVault(t, standin.VaultOptions{Latency: 20 * time.Millisecond, Fault: func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if n != 2 {
			return false
		}
		w.WriteHeader(http.StatusTeapot)
		return true
	}})
	began := time.Now()
	for n, want := range []int{200, 418, 200} {
		if code, _ := ask(t, v, fmt.Sprintf("/v1/vaults?n=%d", n)); code != want {
			t.Errorf("request %d: %d, want %d", n+1, code, want)
		}
	}
	if took := time.Since(began); took < 60*time.Millisecond {
		t.Errorf("three requests of 20 ms took %v", took)
	}
	got := fmt.Sprint(v.Requests())
	if want := "[{GET /v1/vaults?n=0 200} {GET /v1/vaults?n=1 0} {GET /v1/vaults?n=2 200}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	v.Forget()
	if n := len(v.Requests()); n != 0 {
		t.Errorf("%d requests are remembered", n)
	}
}

func TestVault_EndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	v, err := standin.StartVault(ctx, standin.VaultOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(v.URL()); err == nil { //nolint:noctx // it must fail
		t.Error("it answers after its end")
	}
}
