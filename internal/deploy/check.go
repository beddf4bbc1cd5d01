package deploy

import (
	"context"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A CheckLevel says what a run does with what a check of the project's files
// finds.
type CheckLevel string

// The levels of --check.
const (
	CheckError CheckLevel = "error" // what would break the deploy or empty a secret stops it
	CheckWarn  CheckLevel = "warn"  // it is a warning, and the run goes on
	CheckOff   CheckLevel = "off"
)

// checkFiles holds the places that secrets are named in against each other. It
// costs milliseconds and no request: every item was fetched with the rest. What
// ERB decides it does not know; the preload's check looks at that again, on what
// Kamal has resolved.
func (s *resources) checkFiles(ctx context.Context, j Job) error {
	if j.Check == CheckOff || j.Lenient {
		return nil
	}
	o := check.Options{
		Run: true,
		Dir: j.Project.Dir, ConfigFile: j.Project.ConfigFile, Destinations: []string{j.Project.Destination},
		Env: j.Project.Env, AllowEmpty: j.Wanted.AllowEmpty, AllowReference: j.Wanted.References, AllowNames: j.Wanted.AllowNames,
	}
	for _, secret := range s.secrets {
		o.Declared = append(o.Declared, check.Declared{Name: secret.Name(), Found: true})
	}
	if s.resolver != nil {
		o.Vault, o.NoPrivileges = s.resolver, true
	}
	report, err := check.Check(ctx, o)
	if problem.Status(err) == problem.Refused && j.Check == CheckWarn {
		for _, p := range problem.Of(err) {
			s.System.Warning(p)
		}
		return nil
	}
	if err != nil {
		return err
	}
	var breaking problem.List
	for _, f := range report.Findings {
		switch {
		case f.Breaks() && j.Check != CheckWarn:
			breaking = append(breaking, f.Problem)
		case f.Breaks() || f.Level == check.Error:
			s.System.Warning(f.Problem)
		}
	}
	return breaking.Err()
}
