package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/onepassword"
)

// CheckCredentials looks whether 1Password answers with the credentials, and which
// vaults they may read. Of a Connect server it tells the version and how it is. The
// error of vaults may be that no credentials are given; backend is then nil.
func CheckCredentials(backend onepassword.Backend, vaults func(ctx context.Context) ([]onepassword.Vault, error)) Check {
	c := Check{Area: areaCredentials, Name: "credentials"}
	c.Look = func(ctx context.Context) []Finding {
		vaults, err := vaults(ctx)
		found := problems(Finding{Area: areaCredentials, Check: "credentials", State: Wrong}, err)
		if err == nil {
			names := make([]string, len(vaults))
			for i, v := range vaults {
				names[i] = v.Name
			}
			slices.Sort(names)
			f := Finding{Area: areaCredentials, Check: "credentials", State: Well, Text: fmt.Sprintf("%s takes the credentials; they may read %s", backend.Name(), strings.Join(names, ", "))}
			if len(names) == 0 {
				f.State, f.Text = Wrong, backend.Name()+" takes the credentials, which may read no vault"
				f.Hint = "give them the vault that the project's secrets are in"
			}
			found = append(found, f)
		}
		// Behind the first request: before it the server has fetched nothing.
		if connect, ok := backend.(*onepassword.Connect); ok {
			found = append(found, connectHealth(ctx, connect)...)
		}
		return found
	}
	return c
}

// connectHealth is what a Connect server says of itself.
func connectHealth(ctx context.Context, c *onepassword.Connect) []Finding {
	health, err := c.Health(ctx)
	var failed *onepassword.BackendError
	switch {
	case errors.As(err, &failed) && failed.Reason == onepassword.Broken:
		return []Finding{{Area: areaCredentials, Check: "connect", State: Wrong, Text: failed.Message, Hint: failed.Hint}}
	case err != nil:
		return []Finding{unseen(areaCredentials, "connect", "how the Connect server is: it does not say", "")}
	}
	f := Finding{Area: areaCredentials, Check: "connect", State: Well, Text: "the Connect server is well: " + health.String()}
	if slices.ContainsFunc(health.Parts, func(p onepassword.HealthPart) bool { return !p.Works() }) {
		f.State, f.Text = Wrong, "the Connect server is not well: "+health.String()
		f.Hint = "look at the logs of the connect-api and connect-sync containers"
	}
	return []Finding{f}
}

// CheckSecrets looks whether every secret that the project and the options name is
// there: that is what `kamal-op check` does. asks says whether it can ask 1Password.
func CheckSecrets(asks bool, compare func(ctx context.Context) (check.Report, error)) Check {
	c := Check{Area: areaSecrets, Name: "references"}
	c.Look = func(ctx context.Context) []Finding {
		report, err := compare(ctx)
		if err != nil {
			return problems(Finding{Area: areaSecrets, Check: "references", State: Wrong}, err)
		}
		var found []Finding
		there, gone := 0, 0
		for _, m := range report.Matrices {
			for _, row := range m.Rows {
				switch row.Vault {
				case check.Yes:
					there++
				case check.No:
					gone++
				}
			}
		}
		switch {
		case !asks:
			found = append(found, unseen(areaSecrets, "references", "whether every secret is in 1Password", "it cannot be asked without credentials"))
		case there > 0 && gone == 0:
			found = append(found, Finding{Area: areaSecrets, Check: "references", State: Well, Text: fmt.Sprintf("names of secrets that 1Password has: %d, missing: none", there)})
		}
		for _, f := range report.Findings {
			state := map[check.Level]State{check.Error: Wrong, check.Warning: Notice, check.Note: Notice}[f.Level]
			found = append(found, problems(Finding{Area: areaSecrets, Check: f.Rule, State: state}, f.Problem)...)
		}
		for _, at := range report.Unknown {
			f := unseen(areaSecrets, "references", "what ERB makes of the configuration", "Kamal alone can say it")
			f.Place = at.String()
			found = append(found, f)
		}
		return found
	}
	return c
}
