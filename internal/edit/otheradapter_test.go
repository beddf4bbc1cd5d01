package edit

import (
	"context"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/check"
)

// A fetch that gives more than its arguments name is not asked for one name more:
// AWS would look for a secret of it, and Bitwarden would no longer give all.
func TestAdd_leavesAFetchOfEverythingAlone(t *testing.T) {
	for fetch, want := range map[string]string{
		"--adapter aws_secrets_manager app/prod":               "app/prod)\n",
		"--adapter bitwarden-sm project/all":                   "project/all)\n",
		"--adapter aws_secrets_manager --from app OLD":         "OLD NEW)\n",
		"--adapter doppler --from app/prd OLD":                 "OLD NEW)\n",
		"--adapter gcp --account default --from project OLD/3": "OLD/3 NEW)\n",
	} {
		o := check.Options{Dir: project(t, map[string]string{
			"config/deploy.yml": "service: a\nimage: a\nservers: [a]\nenv:\n  secret:\n    - OLD\n",
			".kamal/secrets":    "S=$(kamal secrets fetch " + fetch + ")\nOLD=$(kamal secrets extract OLD $S)\n",
		})}
		plan, err := Add(context.Background(), o, Addition{Name: "NEW"})
		if err != nil {
			t.Errorf("%s: %v", fetch, err)
			continue
		}
		for _, c := range plan.Changes {
			if c.File == ".kamal/secrets" && (!strings.Contains(c.New, want) || !strings.Contains(c.New, "\nNEW=$(kamal secrets extract NEW $S)\n")) {
				t.Errorf("%s:\n%s", fetch, c.New)
			}
		}
	}
}
