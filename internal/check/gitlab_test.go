package check

import (
	"strings"
	"testing"
)

// What a file of GitLab's that another includes declares and gives counts as that of
// .gitlab-ci.yml, and what the CI system's own settings give is said not to be seen.
func TestCheck_ReadsFilesOfOtherCIs(t *testing.T) {
	const job = "deploy:\n  variables:\n    KAMAL_OP_SECRETS: |\n      REG=op://V/I/REG\n  script:\n    - kamal-op deploy\n"
	for name, test := range map[string]struct {
		files map[string]string
		want  string // of the note
		reg   string // where REG comes from
	}{
		"GitLab": {files: map[string]string{".gitlab-ci.yml": job}, want: "to $DB: no option and no workflow; the CI/CD variables of GitLab, masked or not, are not seen here", reg: byWorkflow},
		"an included file": {
			files: map[string]string{".gitlab-ci.yml": "include: [{local: /ci/*.yml}, {template: a.yml}]\n", "ci/deploy.yml": job},
			want:  "to $DB: no option and no workflow; the CI/CD variables of GitLab", reg: byWorkflow,
		},
		"a file that nothing includes": {files: map[string]string{".gitlab-ci.yml": "include: [other.yml]\n", "ci/deploy.yml": job}, want: "to $REG, $DB: no option and no workflow|"},
		"a file that includes itself":  {files: map[string]string{".gitlab-ci.yml": "include: .gitlab-ci.yml\n" + job}, want: "to $DB:", reg: byWorkflow},
		"a file outside":               {files: map[string]string{".gitlab-ci.yml": "include: ../*.yml\n" + job}, want: "to $DB:", reg: byWorkflow},
		"a variable that is exported":  {files: map[string]string{".gitlab-ci.yml": job + "    - export DB=$DB_OF_PRODUCTION\n"}, reg: byWorkflow},
		"CircleCI": {
			files: map[string]string{".circleci/config.yml": "jobs:\n  deploy:\n    steps:\n      - run: kamal deploy\n"},
			want:  "to $REG, $DB: no option and no workflow; the contexts and environment variables of CircleCI, masked or not, are not seen here",
		},
		"GitHub": {files: map[string]string{".github/workflows/d.yml": "jobs:\n  d:\n    steps:\n      - run: kamal deploy\n"}, want: "to $REG, $DB: no option and no workflow|"},
		"a workflow of another repository": {
			files: map[string]string{".github/workflows/d.yml": "jobs:\n  d:\n    uses: acme/ci/.github/workflows/deploy.yml@v1\n    secrets: inherit\n  lint:\n    uses: acme/ci/.github/workflows/lint.yml@v1\n"},
			want:  "to $REG, $DB: no option and no workflow; acme/ci/.github/workflows/deploy.yml@v1, which a workflow calls, is of another repository and is not read|",
		},
		"a workflow of kamal-op's": {
			files: map[string]string{".github/workflows/d.yml": "jobs:\n  d:\n    uses: kamal-op/kamal-op/.github/workflows/deploy.yml@v1\n    with:\n      secrets: |\n        REG=op://V/I/REG\n"},
			want:  "to $DB: no option and no workflow|", reg: byWorkflow,
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.files[".kamal/secrets"] = "REG=$REG\nDB=$DB\n"
			report := offline(t, test.files)
			note := ""
			for _, f := range report.Findings {
				if f.Rule != RuleNoSource || f.Level != Note {
					t.Errorf("%s %s: %v", f.Level, f.Rule, f.Problem)
				}
				note += f.Problem.Message + "|"
			}
			if !strings.Contains(note, test.want) || test.want == "" && note != "" {
				t.Errorf("%q does not say %q", note, test.want)
			}
			for _, row := range report.Matrices[0].Rows {
				if row.Secret == "REG" && row.From != test.reg {
					t.Errorf("REG is from %q", row.From)
				}
			}
		})
	}
}
