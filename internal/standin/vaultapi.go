package standin

import (
	"crypto/subtle"
	"encoding/json"
	"io"
	"log"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// The API as 1Password publishes it in its OpenAPI description of Connect 1.5.7;
// the answers to errors as that description and Connect's own messages have them.

// vaultVersion is what the server says it is.
const vaultVersion = "1.8.1"

// What Connect answers in JSON.
type (
	apiError struct {
		Status  int    `json:"status"`
		Message string `json:"message"`
	}
	apiVault struct {
		ID               string `json:"id"`
		Name             string `json:"name"`
		Description      string `json:"description,omitempty"`
		AttributeVersion int    `json:"attributeVersion"`
		ContentVersion   int    `json:"contentVersion"`
		Items            int    `json:"items"`
		Type             string `json:"type"`
		CreatedAt        string `json:"createdAt"`
		UpdatedAt        string `json:"updatedAt"`
	}
	apiRef struct {
		ID string `json:"id"`
	}
	apiSection struct {
		ID    string `json:"id"`
		Label string `json:"label,omitempty"`
	}
	apiField struct {
		ID      string  `json:"id"`
		Type    string  `json:"type"`
		Purpose string  `json:"purpose,omitempty"`
		Label   string  `json:"label"`
		Value   string  `json:"value,omitempty"`
		TOTP    string  `json:"totp,omitempty"`
		Section *apiRef `json:"section,omitempty"`
	}
	apiFile struct {
		ID          string  `json:"id"`
		Name        string  `json:"name"`
		Size        int     `json:"size"`
		ContentPath string  `json:"content_path"`
		Section     *apiRef `json:"section,omitempty"`
		Content     []byte  `json:"content,omitempty"`
	}
	apiItem struct {
		ID           string       `json:"id"`
		Title        string       `json:"title"`
		Tags         []string     `json:"tags,omitempty"`
		Version      int          `json:"version"`
		State        string       `json:"state,omitempty"`
		Vault        apiRef       `json:"vault"`
		Category     string       `json:"category"`
		LastEditedBy string       `json:"lastEditedBy"`
		CreatedAt    string       `json:"createdAt"`
		UpdatedAt    string       `json:"updatedAt"`
		Sections     []apiSection `json:"sections,omitempty"`
		Fields       []apiField   `json:"fields,omitempty"`
		Files        []apiFile    `json:"files,omitempty"`
	}
)

const (
	vaultCreated = "2024-01-01T00:00:00Z"
	editor       = "aaaaaaaaaaaaaaaaaaaaaaaaaa"

	// inlineLimit is what OP_MAX_INLINE_FILE_SIZE_KB is unless it is set.
	inlineLimit = 100 << 10
)

var idForm = lazy.Regexp(`^[\da-z]{26}$`)

// answer writes one JSON answer and gives its status back.
func answer(w http.ResponseWriter, status int, body any) int {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone needs no answer
	return status
}

func refuse(w http.ResponseWriter, status int, message string) int {
	return answer(w, status, apiError{Status: status, Message: message})
}

func (v *Vault) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /heartbeat", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, ".")
	})
	mux.HandleFunc("GET /health", v.health)
	mux.HandleFunc("/v1/", v.api)
	root := http.Handler(mux)
	if v.prefix != "" {
		root = http.StripPrefix(v.prefix, mux)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("1Password-Connect-Version", vaultVersion)
		root.ServeHTTP(w, r)
	})
}

func (v *Vault) health(w http.ResponseWriter, _ *http.Request) {
	status := "TOKEN_NEEDED"
	if v.used.Load() {
		status = "ACTIVE"
	}
	answer(w, http.StatusOK, map[string]any{
		"name": "1Password Connect API", "version": vaultVersion,
		"dependencies": []map[string]string{
			{"service": "sqlite", "status": "ACTIVE", "message": "Connected to database"},
			{"service": "sync", "status": status},
		},
	})
}

// api answers everything under /v1.
func (v *Vault) api(w http.ResponseWriter, r *http.Request) { v.pass(w, r, v.serve) }

func (v *Vault) serve(w http.ResponseWriter, r *http.Request) int {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !bearer:
		return refuse(w, http.StatusUnauthorized, "Authorization header is missing or malformed")
	case subtle.ConstantTimeCompare([]byte(token), []byte(v.token)) != 1:
		return refuse(w, http.StatusUnauthorized, "Invalid token signature")
	case r.Method != http.MethodGet:
		return refuse(w, http.StatusMethodNotAllowed, "the rehearsal's vault is read only")
	}
	v.used.Store(true)
	v.store.mu.Lock()
	defer v.store.mu.Unlock()
	// The escaped path keeps a / inside a part apart from those between parts.
	parts := strings.Split(strings.Trim(strings.TrimPrefix(r.URL.EscapedPath(), "/v1"), "/"), "/")
	if parts[0] != "vaults" {
		return refuse(w, http.StatusNotFound, "Not Found")
	}
	if len(parts) == 1 {
		return v.listVaults(w, r)
	}
	if !idForm().MatchString(parts[1]) {
		return refuse(w, http.StatusBadRequest, "Invalid Vault UUID")
	}
	vault := v.byID(parts[1])
	switch {
	case vault == nil:
		return refuse(w, http.StatusNotFound, "vault "+parts[1]+" not found")
	case vault.Hidden:
		return refuse(w, http.StatusForbidden, "vault "+parts[1]+" is not in scope")
	case len(parts) == 2:
		return answer(w, http.StatusOK, vault.api())
	case parts[2] != "items":
		return refuse(w, http.StatusNotFound, "Not Found")
	case len(parts) == 3:
		return vault.listItems(w, r)
	}
	if !idForm().MatchString(parts[3]) {
		return refuse(w, http.StatusBadRequest, "Invalid Item UUID")
	}
	at := slices.IndexFunc(vault.Items, func(i ItemSpec) bool { return i.ID == parts[3] })
	if at < 0 {
		return refuse(w, http.StatusNotFound, "item "+parts[3]+" not found")
	}
	item := &vault.Items[at]
	switch {
	case len(parts) == 4:
		return answer(w, http.StatusOK, item.api(vault.ID, true))
	case parts[4] == "files":
		return item.files(w, r, vault.ID, parts[5:])
	}
	return refuse(w, http.StatusNotFound, "Not Found")
}

func (v *Vault) listVaults(w http.ResponseWriter, r *http.Request) int {
	keep, err := filter(r, "name", "title")
	if err != "" {
		return refuse(w, http.StatusBadRequest, err)
	}
	found := []apiVault{}
	for _, vault := range v.vaults {
		if !vault.Hidden && keep(vault.Name, nil) {
			found = append(found, vault.api())
		}
	}
	return answer(w, http.StatusOK, found)
}

func (s *VaultSpec) listItems(w http.ResponseWriter, r *http.Request) int {
	keep, err := filter(r, "title", "tag")
	if err != "" {
		return refuse(w, http.StatusBadRequest, err)
	}
	found := []apiItem{}
	for n := range s.Items {
		// The trash is not listed.
		if i := &s.Items[n]; i.State == "" && keep(i.Title, i.Tags) {
			found = append(found, i.api(s.ID, false))
		}
	}
	return answer(w, http.StatusOK, found)
}

var filterForm = lazy.Regexp(`^(\w+) (eq|co) "((?:[^"\\]|\\.)*)"$`)

// filter reads the filter parameter: attribute eq "value", the SCIM form that
// Connect takes.
func filter(r *http.Request, attributes ...string) (keep func(name string, tags []string) bool, bad string) {
	text := r.URL.Query().Get("filter")
	if text == "" {
		return func(string, []string) bool { return true }, ""
	}
	m := filterForm().FindStringSubmatch(text)
	if m == nil || !slices.Contains(attributes, m[1]) {
		return nil, "Invalid filter"
	}
	value, err := strconv.Unquote(`"` + m[3] + `"`)
	if err != nil {
		return nil, "Invalid filter"
	}
	return func(name string, tags []string) bool {
		if m[1] == "tag" {
			return slices.Contains(tags, value)
		}
		if m[2] == "co" {
			return strings.Contains(name, value)
		}
		return name == value
	}, ""
}

func (s *VaultSpec) api() apiVault {
	return apiVault{
		ID: s.ID, Name: s.Name, AttributeVersion: 1, ContentVersion: 1, Items: len(s.Items),
		Type: "USER_CREATED", CreatedAt: vaultCreated, UpdatedAt: vaultCreated,
	}
}

// api is the item as JSON: whole, or the summary that lists have.
func (i *ItemSpec) api(vault string, whole bool) apiItem {
	out := apiItem{
		ID: i.ID, Title: i.Title, Tags: i.Tags, Version: i.Version, State: i.State, Vault: apiRef{vault},
		Category: i.Category, LastEditedBy: editor, CreatedAt: vaultCreated, UpdatedAt: vaultCreated,
	}
	if !whole {
		return out
	}
	for _, s := range i.Sections {
		out.Sections = append(out.Sections, apiSection(s))
	}
	for _, f := range i.Fields {
		field := apiField{ID: f.ID, Type: f.Type, Purpose: f.Purpose, Label: f.Label, Value: f.Value, TOTP: f.TOTP, Section: section(f.Section)}
		out.Fields = append(out.Fields, field)
	}
	for _, f := range i.Files {
		out.Files = append(out.Files, f.api(vault, i.ID))
	}
	return out
}

func section(id string) *apiRef {
	if id == "" {
		return nil
	}
	return &apiRef{id}
}

func (f *FileSpec) api(vault, item string) apiFile {
	return apiFile{
		ID: f.ID, Name: f.Name, Size: len(f.Content), Section: section(f.Section),
		ContentPath: "/v1/vaults/" + vault + "/items/" + item + "/files/" + f.ID + "/content",
	}
}

// files answers …/files, …/files/{id} and …/files/{id}/content.
func (i *ItemSpec) files(w http.ResponseWriter, r *http.Request, vault string, rest []string) int {
	inline := r.URL.Query().Get("inline_files") == "true"
	tell := func(f *FileSpec) (apiFile, bool) {
		out := f.api(vault, i.ID)
		if inline {
			out.Content = f.Content
		}
		return out, !inline || len(f.Content) <= inlineLimit
	}
	tooLarge := func() int {
		return refuse(w, http.StatusRequestEntityTooLarge, "File is too large to inline in request. Use the /v1/vaults/{vaultUUID}/items/{itemUUID}/files/{fileUUID}/content endpoint instead.")
	}
	if len(rest) == 0 {
		found := []apiFile{}
		for n := range i.Files {
			f, ok := tell(&i.Files[n])
			if !ok {
				return tooLarge()
			}
			found = append(found, f)
		}
		return answer(w, http.StatusOK, found)
	}
	at := slices.IndexFunc(i.Files, func(f FileSpec) bool { return f.ID == rest[0] })
	if at < 0 {
		return refuse(w, http.StatusNotFound, "file "+rest[0]+" not found")
	}
	switch {
	case len(rest) == 1:
		f, ok := tell(&i.Files[at])
		if !ok {
			return tooLarge()
		}
		return answer(w, http.StatusOK, f)
	case len(rest) == 2 && rest[1] == "content":
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": i.Files[at].Name}))
		_, _ = w.Write(i.Files[at].Content) // a client that is gone needs no answer
		return http.StatusOK
	}
	return refuse(w, http.StatusNotFound, "Not Found")
}

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) } //nolint:forbidigo // net/http takes no other
