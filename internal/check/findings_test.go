package check

import "testing"

// What stops Kamal or gives an app another value, as real Kamal 2.12 showed with
// generated projects, and is easily overlooked.
func TestCheck_FindsWhatIsEasilyOverlooked(t *testing.T) {
	between := smallConfig + "<% if ENV[\"MAIL\"] %>\n    - MAIL_KEY\n<% end %>\n"
	tests := map[string]struct {
		config, common, secrets string
		rule                    string
		level                   Level
	}{
		"a quote that never closes":                     {secrets: "REG=$REG\nDB=\"x\n", rule: RuleShell, level: Error},
		"a quote that closes too early":                 {secrets: "REG=$REG\nDB=\"$A\"-x\n", rule: RuleShell, level: Error},
		"a single quote that never closes":              {secrets: "REG=$REG\nDB='x\n", rule: RuleShell, level: Error},
		"a prefix taken off without quotes":             {secrets: "REG=$REG\nDB=${DB#x}\n", rule: RuleShell, level: Error},
		"another command behind the value":              {secrets: "REG=$REG\nDB=$(cat x) && true\n", rule: RuleShell, level: Error},
		"a semicolon behind the value":                  {secrets: "REG=$REG\nDB=$DB;\n", rule: RuleShell, level: Error},
		"another definition on the line":                {secrets: "REG=$REG\nDB=a; X=b\n", rule: RuleShell, level: Error},
		"ANSI quotes in a command":                      {secrets: "REG=$REG\nDB=$(printf %s $'a')\n", rule: RuleShell, level: Error},
		"the template of op inject":                     {secrets: "REG=$REG\nDB={{ op://V/I/f }}\n", rule: RuleReference, level: Error},
		"a value that is added to":                      {secrets: "REG=$REG\nDB=$DB\nDB+=x\n", rule: RuleSyntax, level: Error},
		"a command of a value that is replaced":         {common: "DB=$(kamal secrets extract DB $S)\n", secrets: "REG=$REG\nDB=$DB\n", rule: RuleNotFetched, level: Warning},
		"the same in one file":                          {secrets: "REG=$REG\nDB=$(kamal secrets fetch --adapter 1password --from V/I DB)\nDB=$DB\n", rule: RuleAccount, level: Error},
		"ERB, as in Kamal 1's .env.erb":                 {secrets: "REG=$REG\nDB=<%= ENV[\"DB\"] %>\n", rule: RuleShell, level: Error},
		"ERB in a word, between quotes":                 {secrets: "REG=$REG\nDB=\"postgres://u:<%= ENV['X'] %>@h\"\n", rule: RuleShell, level: Error},
		"a function that a value calls":                 {secrets: "get() { op read \"$1\"; }\nREG=$REG\nDB=$(get op://V/I/DB)\n", rule: RuleSyntax, level: Error},
		"a function that the command of one calls":      {secrets: "function get { op read \"$1\"; }\nREG=$REG\nDB=$(printf %s \"$(get op://V/I/DB)\" | head -1; get x)\n", rule: RuleSyntax, level: Error},
		"a function that nothing calls":                 {secrets: "get() { op read \"$1\"; }\nREG=$REG\nDB=$(getent passwd)\n", rule: RuleSyntax, level: Warning},
		"fetched, and defined by another line":          {secrets: "S=$(kamal secrets fetch --adapter 1password --account a --from V/I DB REG)\nREG=$(kamal secrets extract REG $S)\nDB=$DB\n", rule: RuleNotExtracted, level: Warning},
		"named between lines of ERB, and not defined":   {config: between, secrets: "REG=$REG\nDB=$DB\n", rule: RuleUndefined, level: Warning},
		"named between lines of ERB, and empty":         {config: between, secrets: "REG=$REG\nDB=$DB\nMAIL_KEY=\n", rule: RuleEmpty, level: Warning},
		"named between lines of ERB, and a reference":   {config: between, secrets: "REG=$REG\nDB=$DB\nMAIL_KEY=op://V/I/f\n", rule: RuleReference, level: Warning},
		"extracted from what nothing defines, anywhere": {secrets: "REG=$REG\nDB=$(kamal secrets extract DB $S)\n", rule: RuleNotFetched, level: Warning},
	}
	if rows := offline(t, map[string]string{".kamal/secrets": "REG=$REG\nDB=$DB\nelse\nfi\n"}).Matrices[0].Rows; len(rows) != 2 {
		t.Errorf("words of a shell's stand in the table: %v", rows)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{".kamal/secrets": test.secrets}
			if test.common != "" {
				files[".kamal/secrets-common"] = test.common
			}
			if test.config != "" {
				files["config/deploy.yml"] = test.config
			}
			found := 0
			for _, f := range findings(t, files) {
				switch {
				case f.Rule == RuleNoSource:
				case f.Rule == test.rule && f.Level == test.level:
					found++
				default:
					t.Errorf("%s %s: %v", f.Level, f.Rule, f.Problem)
				}
			}
			if found != 1 {
				t.Errorf("%d times", found)
			}
		})
	}
}
