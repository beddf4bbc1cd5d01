package github_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/github/githubtest"
)

// answering is a client of a server that answers each path with a text.
func answering(t *testing.T, answers map[string]string) *github.Client {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(srv.Close)
	client, err := github.New(github.Options{BaseURL: srv.URL, Token: "t", Repository: "acme/shop"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// A server that does not know the question's words answers with more than was asked for:
// another branch's push is none of this one's, and neither is what names no commit or no
// time.
func TestPushes_OnlyTheBranchsOwn(t *testing.T) {
	sha := githubtest.SHA(1)
	c := answering(t, map[string]string{"/repos/acme/shop/activity": `[
		{"after":"` + githubtest.SHA(2) + `","ref":"refs/heads/other","timestamp":"2026-01-02T03:04:09Z"},
		{"after":"` + githubtest.SHA(3) + `","ref":"refs/tags/main","timestamp":"2026-01-02T03:04:08Z"},
		{"after":"main","ref":"refs/heads/main","timestamp":"2026-01-02T03:04:07Z"},
		{"after":"` + githubtest.SHA(4) + `","ref":"refs/heads/main"},
		{"after":"` + sha + `","ref":"refs/heads/main","timestamp":"2026-01-02T03:04:05Z"}]`})
	if got, err := c.Pushes(t.Context(), "main"); err != nil || len(got) != 1 || got[0].SHA != sha {
		t.Errorf("%v, %v", got, err)
	}
}

// Likewise of pull requests: one that is closed is not open, and one is one, also where
// it stands on two pages since another was opened meanwhile.
func TestOpenPullRequests_OnlyOpenOnesAndEachOnce(t *testing.T) {
	pull := func(number, state string) string {
		return `{"number":` + number + `,"state":"` + state + `","head":{"sha":"` + githubtest.SHA(1) + `","ref":"a","repo":{"full_name":"acme/shop"}},"base":{"sha":"` + githubtest.SHA(2) + `","ref":"main","repo":{"full_name":"acme/shop"}}}`
	}
	c := answering(t, map[string]string{"/repos/acme/shop/pulls": "[" + pull("7", "open") + "," + pull("6", "closed") + "," + pull("7", "open") + "]"})
	if got, err := c.OpenPullRequests(t.Context()); err != nil || len(got) != 1 || got[0].Number != 7 {
		t.Errorf("%v, %v", got, err)
	}
}

// Who the token speaks as decides whose comment is ours: an answer without a name is none.
func TestLogin_OfNobody(t *testing.T) {
	for _, answer := range []string{"{}", `{"login":""}`, "null"} {
		if name, err := answering(t, map[string]string{"/user": answer}).Login(t.Context()); err == nil {
			t.Errorf("%s: %q", answer, name)
		}
	}
}
