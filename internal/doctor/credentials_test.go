package doctor

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/mask"
)

// connect is a client of a Connect server.
func connect(t *testing.T, host, token string) *onepassword.Connect {
	t.Helper()
	c, err := onepassword.NewConnect(onepassword.ConnectOptions{Host: host, Token: mask.NewSecret("the token", token)})
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

func TestCheckCredentials(t *testing.T) {
	vault, err := standin.StartVault(t.Context(), standin.VaultOptions{Vaults: []standin.VaultSpec{{Name: "Spare"}, {Name: "MyApp"}}})
	must(t, err)
	t.Cleanup(func() { must(t, vault.Close()) })
	empty, err := standin.StartVault(t.Context(), standin.VaultOptions{})
	must(t, err)
	t.Cleanup(func() { must(t, empty.Close()) })
	look := func(c *onepassword.Connect) []string {
		return looked(t, CheckCredentials(c, onepassword.NewResolver(c, onepassword.Options{}).Vaults))
	}

	got := look(connect(t, vault.URL(), vault.Token()))
	if len(got) != 2 || !holds(got[:1], "well 1Password Connect at "+vault.URL()+" takes the credentials; they may read MyApp, Spare") ||
		!holds(got[1:], "well the Connect server is well: version 1.") || !holds(got[1:], "sync ACTIVE") {
		t.Errorf("%q", got)
	}
	if got := look(connect(t, empty.URL(), empty.Token())); !holds(got, "problem 1Password Connect at "+empty.URL()+" takes the credentials, which may read no vault") {
		t.Errorf("%q", got)
	}
	// Another vault's token is of the right form.
	if got := look(connect(t, vault.URL(), empty.Token())); !holds(got[:1], "problem ") || holds(got, "they may read") {
		t.Errorf("%q", got)
	}
	if got := looked(t, CheckCredentials(nil, answers([]onepassword.Vault(nil), error(problem.New("no credentials", "set them"))))); !cmp.Equal(got, []string{"problem no credentials"}) {
		t.Errorf("%q", got)
	}
}

func TestCheckCredentials_HealthOfConnect(t *testing.T) {
	token := func() string {
		vault, err := standin.StartVault(t.Context(), standin.VaultOptions{})
		must(t, err)
		t.Cleanup(func() { must(t, vault.Close()) })
		return vault.Token()
	}()
	for page, want := range map[string]string{
		`{"version":"1.8.1","dependencies":[{"service":"sync","status":"ACTIVE"}]}`:                       "well the Connect server is well: version 1.8.1, sync ACTIVE",
		`{"version":"1.8.1","dependencies":[{"service":"sync","status":"ERROR","message":"no session"}]}`: "problem the Connect server is not well: version 1.8.1, sync ERROR (no session)",
		`<html>`: "problem what answers there does not have the health page of a Connect server",
		"":       "unknown how the Connect server is: it does not say",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/health" {
				_, _ = w.Write([]byte(`[{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaa","name":"MyApp"}]`))
				return
			}
			if page == "" {
				panic(http.ErrAbortHandler)
			}
			_, _ = w.Write([]byte(page))
		}))
		c := connect(t, server.URL, token)
		got := looked(t, CheckCredentials(c, c.Vaults))
		server.Close()
		if len(got) != 2 || got[1] != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func TestCheckSecrets(t *testing.T) {
	rows := func(states ...check.State) check.Report {
		var m check.Matrix
		for _, s := range states {
			m.Rows = append(m.Rows, check.Row{Vault: s})
		}
		return check.Report{Matrices: []check.Matrix{m}}
	}
	found := rows(check.Yes, check.No)
	for _, level := range []check.Level{check.Error, check.Warning, check.Note} {
		found.Findings = append(found.Findings, check.Finding{Rule: "a-rule", Level: level, Problem: problem.New(string(level), "a hint")})
	}
	erb := rows(check.Yes)
	erb.Unknown = []problem.Place{{File: "config/deploy.yml", Line: 3}}
	for name, c := range map[string]struct {
		asks   bool
		report check.Report
		err    error
		want   []string
	}{
		"well":     {true, rows(check.Yes, check.Yes, check.None), nil, []string{"well names of secrets that 1Password has: 2, missing: none"}},
		"wrong":    {true, found, nil, []string{"problem error", "notice warning", "notice note"}},
		"ERB":      {true, erb, nil, []string{"well names of secrets that 1Password has: 1, missing: none", "unknown what ERB makes of the configuration"}},
		"refused":  {true, check.Report{}, problem.New("refused", "ask"), []string{"problem refused"}},
		"no vault": {false, rows(check.Unknown), nil, []string{"unknown whether every secret is in 1Password"}},
	} {
		got := looked(t, CheckSecrets(c.asks, func(context.Context) (check.Report, error) { return c.report, c.err }))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
