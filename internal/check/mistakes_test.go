package check

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/testkit"
)

// Each of the mistakes people make, one by one in the walkthrough project, gives
// exactly one problem, at the line where the mistake is, or where it shows.
func TestMistakes(t *testing.T) {
	const (
		config  = "config/deploy.yml"
		secrets = ".kamal/secrets"
	)
	vault := "MyApp/Production/KAMAL_REGISTRY_PASSWORD = x\nMyApp/Production/RAILS_MASTER_KEY = x\nMyApp/Production/DATABASE_PASSWORD = x\n" +
		"MyApp/Production/CHATKIT_PK = x\nMyApp/Production/MAILGUN_INGRESS_SIGNING_KEY = x\n"
	tests := map[string]struct {
		file, old, new string // in file, new in place of the first old
		vault          string // what the vault has; "" is what it should
		rule           string
		at             string // file:line of the problem
		level          Level
	}{
		"named in deploy.yml, nowhere else":        {config, "    - CHATKIT_PK\n", "    - CHATKIT_PK\n    - STRIPE_KEY\n", "", RuleUndefined, config + ":27", Error},
		"misspelt in deploy.yml":                   {config, "    - RAILS_MASTER_KEY\n", "    - RAILS_MASTER_KEY\n    - RAILS_MASTERKEY\n", "", RuleUndefined, config + ":25", Error},
		"the extract forgotten":                    {secrets, "\nCHATKIT_PK=$(kamal secrets extract CHATKIT_PK ${SECRETS})", "", "", RuleUndefined, config + ":26", Error},
		"the fetch forgotten":                      {secrets, " CHATKIT_PK MAIL", " MAIL", "", RuleNotFetched, secrets + ":5", Error},
		"fetched for nothing":                      {secrets, " CHATKIT_PK MAIL", " CHATKIT_PK OLD_KEY MAIL", vault + "MyApp/Production/OLD_KEY = x\n", RuleNotExtracted, secrets + ":1", Error},
		"the field is missing":                     {secrets, "", "", strings.Replace(vault, "MyApp/Production/CHATKIT_PK = x\n", "", 1), RuleNotInVault, secrets + ":1", Error},
		"the field is misspelt":                    {secrets, "", "", strings.Replace(vault, "DATABASE_PASSWORD", "DATABASE_PASSWRD", 1), RuleNotInVault, secrets + ":1", Error},
		"the field is empty":                       {secrets, "", "", strings.Replace(vault, "CHATKIT_PK = x", "CHATKIT_PK = ", 1), RuleEmpty, secrets + ":1", Error},
		"an alias to nothing":                      {config, "    - CHATKIT_PK\n", "    - CHATKIT_PK\n    - DB_PASS:DATABASE_PASS\n", "", RuleAlias, config + ":27", Error},
		"an empty line for a value":                {secrets, "CHATKIT_PK=$(kamal secrets extract CHATKIT_PK ${SECRETS})", "CHATKIT_PK=$(kamal secrets extract CHATKIT_PK ${SECRETS})\nCHATKIT_PK=", "", RuleEmpty, secrets + ":6", Error},
		"in the clear too":                         {config, "    APP_ENV: production\n", "    APP_ENV: production\n    CHATKIT_PK: x\n", "", RuleClear, config + ":23", Error},
		"--account forgotten":                      {secrets, " --account example", "", "", RuleAccount, secrets + ":1", Error},
		"a token in the clear":                     {secrets, "CHATKIT_PK=$(kamal secrets extract CHATKIT_PK ${SECRETS})", "CHATKIT_PK=$(kamal secrets extract CHATKIT_PK ${SECRETS})\nCHATKIT_PK=" + "ghp_" + strings.Repeat("a1B2", 9), "", RulePlaintext, secrets + ":6", Error},
		"a name with a dash":                       {secrets, "CHATKIT_PK=$(kamal secrets extract CHATKIT_PK ${SECRETS})", "CHATKIT_PK=$(kamal secrets extract CHATKIT_PK ${SECRETS})\nCHATKIT-PK=x", "", RuleSyntax, secrets + ":6", Warning},
		"a command over two lines":                 {secrets, " --from MyApp", " \\\n  --from MyApp", "", RuleSyntax, secrets + ":2", Error},
		"an export of what is not there":           {secrets, "CHATKIT_PK=$(", "export STRIPE_KEY\nCHATKIT_PK=$(", "", RuleSyntax, secrets + ":5", Error},
		"defined and nowhere used":                 {secrets, "CHATKIT_PK=$(", "STRIPE_KEY=$STRIPE_KEY\nCHATKIT_PK=$(", "", RuleUnused, secrets + ":5", Warning},
		"extracted by a name that was not fetched": {secrets, "extract CHATKIT_PK ", "extract CHATKIT ", "", RuleNotFetched, secrets + ":5", Error},
		"the item is misspelt":                     {secrets, "MyApp/Production", "MyApp/Prodution", "", RuleNotInVault, secrets + ":1", Error},
		"hidden from git":                          {".gitignore", "", "/.kamal/secrets*\n", "", RuleIgnored, ".gitignore:1", Warning},
		"a destination's list loses some":          {"config/deploy.eu.yml", "", "env:\n  secret:\n    - RAILS_MASTER_KEY\n    - DATABASE_PASSWORD\n    - CHATKIT_PK\n", "", RuleLost, "config/deploy.eu.yml:3", Note},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := testkit.Walkthrough(t)
			if test.file == "config/deploy.eu.yml" { // a destination, that all read the same secrets for
				if err := os.Rename(filepath.Join(dir, secrets), filepath.Join(dir, secrets+"-common")); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(dir, test.file)
			text, _ := os.ReadFile(path)
			if !strings.Contains(string(text), test.old) {
				t.Fatalf("%s has no %q", test.file, test.old)
			}
			if err := os.WriteFile(path, []byte(strings.Replace(string(text), test.old, test.new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			has := test.vault
			if has == "" {
				has = vault
			}
			report, err := Check(context.Background(), Options{Dir: dir, Vault: testkit.ParseVault(t, has)})
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Findings) != 1 {
				for _, f := range report.Findings {
					t.Errorf("%s: %v", f.Rule, f.Problem)
				}
				t.Fatalf("%d problems", len(report.Findings))
			}
			f := report.Findings[0]
			at := f.Problem.Place
			at.Column = 0
			if f.Rule != test.rule || f.Level != test.level || at.String() != test.at {
				t.Errorf("%s %s at %s: %v", f.Level, f.Rule, at, f.Problem)
			}
			if f.Problem.Hint == "" {
				t.Error("no hint")
			}
		})
	}
}
