package cli

import "testing"

// Ours comes first; GITHUB_TOKEN, which is the user's, is asked with for want of it.
func TestGitHubToken_OursComesFirst(t *testing.T) {
	for _, tc := range []struct {
		env          map[string]string
		form         form
		want, origin string
	}{
		{map[string]string{"GITHUB_TOKEN": "users"}, inputs, "users", "GITHUB_TOKEN"},
		{map[string]string{"GITHUB_TOKEN": "users", "KAMAL_OP_GITHUB_TOKEN": "ours"}, inputs, "ours", "KAMAL_OP_GITHUB_TOKEN"},
		{map[string]string{"GITHUB_TOKEN": "users", "KAMAL_OP_GITHUB_TOKEN": "ours", "INPUT_GITHUB-TOKEN": " input\n"}, inputs, "input", "input github-token"},
		{map[string]string{"GITHUB_TOKEN": "users", "INPUT_GITHUB-TOKEN": "input"}, noForm, "users", "GITHUB_TOKEN"},
	} {
		a := &app{env: tc.env}
		a.lookup.form = tc.form
		if token, origin := a.githubToken(); token != tc.want || origin != tc.origin {
			t.Errorf("%v: %s of %s", tc.env, token, origin)
		}
	}
}
