package onepassword_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/mask"
)

// Some versions of Connect name a section beside its field alone: references by its
// label find the field all the same. One without a label is none to refer to.
func TestConnect_SectionsThatStandBesideTheirFieldsOnly(t *testing.T) {
	vault, _ := startVault(t, walkthrough)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaa","title":"I","vault":{"id":"bbbbbbbbbbbbbbbbbbbbbbbbbb"},"sections":[{"id":"s1","label":"listed"}],"fields":[
			{"id":"f1","type":"STRING","label":"a","value":"x","section":{"id":"s1","label":"other"}},
			{"id":"f2","type":"STRING","label":"b","value":"x","section":{"id":"s2","label":"db"}},
			{"id":"f3","type":"STRING","label":"c","value":"x","section":{"id":"s3"}},
			{"id":"f4","type":"STRING","label":"d","value":"x"}]}`))
	}))
	defer server.Close()
	c, err := onepassword.NewConnect(onepassword.ConnectOptions{Host: server.URL, Token: mask.NewSecret("token", vault.Token())})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	got := c.Get(t.Context(), "bbbbbbbbbbbbbbbbbbbbbbbbbb", []string{"aaaaaaaaaaaaaaaaaaaaaaaaaa"})
	if len(got) != 1 || got[0].Err != nil {
		t.Fatalf("%+v", got)
	}
	for i, want := range []struct{ id, label string }{{"s1", "listed"}, {"s2", "db"}, {"s3", ""}, {"", ""}} {
		if f := got[0].Item.Fields[i]; f.Section != want.id || got[0].Item.SectionLabel(f.Section) != want.label {
			t.Errorf("%s is in section %q, %q", f.Label, f.Section, got[0].Item.SectionLabel(f.Section))
		}
	}
	if n := len(got[0].Item.Sections); n != 2 {
		t.Errorf("%d sections", n)
	}
}

func TestIsEnvironmentName(t *testing.T) {
	for _, name := range []string{"a", "z", "A", "Z", "_", "a0", "z9", "AZ_az_09"} {
		if !onepassword.IsEnvironmentName(name) {
			t.Errorf("%q is none", name)
		}
	}
	for _, name := range []string{"", "0", "9a", "a-b", "a b", "a=", "@", "[", "`", "{", "a/", "a:", "ä", "a\x00"} {
		if onepassword.IsEnvironmentName(name) {
			t.Errorf("%q is one", name)
		}
	}
}
