package check

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Projects that real Kamal 2.12 deploys, each with the values that it should, have
// no error. The configuration uses DB and REG, and what is added to it.
func TestCheck_AgreesWithWhatKamalDeploys(t *testing.T) {
	const aws = "$(kamal secrets fetch --adapter aws_secrets_manager "
	extract := "DB=$(kamal secrets extract DB $S)\nREG=$(kamal secrets extract REG $S)\n"
	tests := map[string]string{
		"a secret of AWS that is JSON":           "S=" + aws + "app/prod)\n" + extract,
		"the same by whole names":                "S=" + aws + "app/prod)\nDB=$(kamal secrets extract app/prod/DB $S)\nREG=$(kamal secrets extract REG $S)\n",
		"secrets of AWS by their ARN":            "S=" + aws + "arn:aws:secretsmanager:eu-west-1:1:secret:app-Ab12)\n" + extract,
		"secrets of AWS one by one":              "S=" + aws + "--from app DB REG)\n" + extract,
		"a version of Google's":                  "S=$(kamal secrets fetch --adapter gcp --account default --from p DB REG/latest)\n" + extract,
		"Google's with project and version":      "S=$(kamal secrets fetch -a gcp --account default p/DB/3 p/REG)\n" + extract,
		"Google's default project":               "S=$(kamal secrets fetch -a gcp --account default DB REG)\nDB=$(kamal secrets extract default/DB $S)\nREG=$(kamal secrets extract REG $S)\n",
		"a whole project of Bitwarden's secrets": "S=$(kamal secrets fetch --adapter bitwarden-sm 27408744-1a4e-4c1f-b4e7-b1e0b1e0b1e0/all)\n" + extract,
		"Bitwarden's secrets by id":              "S=$(kamal secrets fetch --adapter bitwarden-sm 82aeb5bd-6958-4a89-8197-eacab758acce 6f8cdf27-de2b-4c77-a35d-07df8050e332)\n" + extract,
		"an item of Bitwarden's with fields":     "S=$(kamal secrets fetch --adapter bitwarden --account me@example.com MyItem)\nDB=$(kamal secrets extract MyItem/DB $S)\nREG=$(kamal secrets extract REG $S)\n",
		"an item of Enpass with labels":          "S=$(kamal secrets fetch --adapter enpass --from /home/me/vault App)\n" + extract,
		"Doppler":                                "S=$(kamal secrets fetch --adapter doppler --from app/prd DB REG)\n" + extract,
		"by the end of folder and name":          "REG=$REG\nS=$(kamal secrets fetch --adapter lastpass --account me --from \"My Team/My App\" DB)\nDB=$(kamal secrets extract \"My App/DB\" $S)\n",
		"backticks in a command":                 "REG=$REG\nDB=$(echo `cat config/master.key`)\n",
		"a reference that op read takes":         "REF=op://Vault/Item/field\nREG=$REG\nDB=$(op read $REF)\n",
		"a script's own statements":              "set -euo pipefail\nsource .env\n. ./x\nexport A B\nREG=$REG\nmy-key=x\nDB=$DB\nunset A\n\nThis file is in git\n",
		"a condition around both ways":           "REG=$REG\nif [ -f x ]; then\n  DB=$A\nelse\n  DB=$B\nfi\n",
		"a function and a loop":                  "get() { echo x; }\nREG=$REG\nfor x in a b; do echo $x; done\nDB=$DB\n{ echo; }\n",
		"a line behind what nothing uses":        "OTHER=-----BEGIN X-----\nabc+/=\n-----END X-----\nREG=$REG\nDB=$DB\n",
		"a shell's own shell":                    "REG=$REG\nDB=$(bash -c 'A=b; b=c; echo ${!A}')\n",
		"a sum in a command":                     "REG=$REG\nDB=$(echo $((1+2)))\n",
		"a here-document between quotes":         "REG=$REG\nDB=\"$(cat <<END\nx\nEND\n)\"\n",
		"signs of a dollar in a password":        "REG=$REG\nDB=\"a $'b $[1] ${-x\"\n",
		"an account that a command says, bare":   "S=$(kamal secrets fetch -a 1password --account $(whoami) --from V/I DB REG)\n" + extract,
		"a password with signs of a shell":       "REG=$REG\nDB=a;b&&c|d\n",
		"ANSI quotes for a shell that has them":  "REG=$REG\nDB=$(bash -c \"printf %s $'a'\")\n",
		"a subshell":                             "REG=$REG\nDB=$((cat a; cat b) | tr -d x)\n",
		"an account that a command says":         "S=$(kamal secrets fetch -a 1password --account \"$(cat acct)\" --from V/I DB REG)\n" + extract,
		"a shell before kamal":                   "S=$(bundle exec kamal secrets fetch -a doppler --from a/b DB REG 2>/dev/null | cat)\n" + extract,
		"signs of a shell in names":              "S=$(kamal secrets fetch -a doppler --from \"a & b/c;d\" DB REG)\n" + extract,
		"a value with backticks":                 "REG=$REG\nDB=\"use `x` here\"\n",
	}
	for name, secrets := range tests {
		t.Run(name, func(t *testing.T) {
			for _, f := range findings(t, map[string]string{".kamal/secrets": secrets}) {
				if f.Level == Error {
					t.Errorf("%s: %v", f.Rule, f.Problem)
				}
			}
		})
	}
}

// A project whose secrets files are all of destinations is not deployed without one:
// that it could not be is no error, and is said. One whose common file is enough may be.
func TestCheck_TakesAConfigurationWithoutSecretsForABase(t *testing.T) {
	for name, test := range map[string]struct {
		files   map[string]string
		skipped bool
	}{
		"secrets of destinations alone": {map[string]string{".kamal/secrets.production": "REG=$REG\nDB=$DB\n", "config/deploy.production.yml": "servers: [192.0.2.2]\n"}, true},
		"beside a common file":          {map[string]string{".kamal/secrets-common": "REG=$REG\n", ".kamal/secrets.production": "DB=$DB\n", "config/deploy.production.yml": "servers: [192.0.2.2]\n"}, true},
		"a common file that is enough":  {map[string]string{".kamal/secrets-common": "REG=$REG\nDB=$DB\n", ".kamal/secrets.production": "DB=$DB\n", "config/deploy.production.yml": "servers: [192.0.2.2]\n"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			report := offline(t, test.files)
			if report.Failed() {
				t.Errorf("%v", report.Findings)
			}
			if said := slices.Contains(report.Skipped, Skipped{"config/deploy.yml", "without a destination", "only destinations have the secrets that it names"}); said != test.skipped {
				t.Errorf("skipped: %v", report.Skipped)
			}
		})
	}
}

// What an adapter's arguments name is still held against what is extracted.
func TestCheck_FindsWhatOtherAdaptersDoNotGive(t *testing.T) {
	for _, fetch := range []string{
		"--adapter gcp --account default --from p DB OTHER/latest", "--adapter doppler --from app/prd DB OTHER",
		"--adapter lastpass --account me --from F DB OTHER", "--adapter bitwarden --account me --from Item DB OTHER",
	} {
		found := findings(t, map[string]string{".kamal/secrets": "S=$(kamal secrets fetch " + fetch + ")\nDB=$(kamal secrets extract DB $S)\nREG=$(kamal secrets extract REG $S)\n"})
		if len(found) == 0 || !found[0].Breaks() && !found[1].Breaks() {
			t.Errorf("%s: the extract of REG is not told", fetch)
		}
	}
}

// Kamal stops where what it fetched is put into quotes: it has escaped that already.
func TestCheck_FindsAFetchInQuotes(t *testing.T) {
	const fetch = "REG=$REG\nS=$(kamal secrets fetch --adapter doppler --from app/prd DB)\n"
	for extract, wrong := range map[string]bool{
		`DB=$(kamal secrets extract DB "$S")`: true, `DB=$(kamal secrets extract DB '${S}')`: true, `DB="$(kamal secrets extract DB \"$S\")"`: true,
		`DB="$(kamal secrets extract DB $S)"`: false, `DB=$(kamal secrets extract "DB" ${S})`: false, `DB=$(bundle exec kamal secrets extract DB "$S")`: false,
	} {
		told := slices.ContainsFunc(findings(t, map[string]string{".kamal/secrets": fetch + extract + "\n"}), func(f Finding) bool { return f.Rule == RuleSyntax && f.Secret == "DB" })
		if told != wrong {
			t.Errorf("%s: told %v", extract, told)
		}
	}
}

// What real Kamal 2.12 hands to the app as it is written stops a deploy, wherever in
// the file it begins.
func TestCheck_FindsWhatArrivesAsItIsWritten(t *testing.T) {
	for secrets, rule := range map[string]string{
		"DB=$(echo ${DB:-sqlite})\n":           RuleShell, // sqlite:-sqlite}
		"DB=$(sh -c 'echo \"${DB-x}\"')\n":     RuleShell,
		"DB=`cat key`\n":                       RuleShell,
		"DB=${#REG}\n":                         RuleShell,
		"DB=\"${#REG}\"\n":                     RuleShell,
		"DB=a${!REG}b\n":                       RuleShell,
		"DB=$(echo ${!REG})\n":                 RuleShell,
		"DB=$'a b'\n":                          RuleShell,
		"DB=$\"a b\"\n":                        RuleShell,
		"DB=$((1+2))\n":                        RuleShell,
		"DB=$(( $REG * 2 ))\n":                 RuleShell,
		"DB=$$\n":                              RuleShell,
		"DB=\"$?\"\n":                          RuleShell,
		"DB=$#\n":                              RuleShell,
		"DB=(one two)\n":                       RuleShell,
		"DB=<(cat key)\n":                      RuleShell,
		"DB=<<<word\n":                         RuleShell,
		"DB=<<END\nx\nEND\n":                   RuleShell,
		"DB=$[1 + 2]\n":                        RuleShell,
		"DB=$(cat <<< x)\n":                    RuleShell,
		"DB=$(cat <(echo x))\n":                RuleShell,
		"DB=$(<key)\n":                         RuleShell,
		"DB=$([[ -f x ]] && cat x)\n":          RuleShell,
		"DB=$(echo \"a)b\")\n":                 RuleShell,
		"DB={\"k\":$REG}\n":                    RuleShell,
		"DB=${{ secrets.DB }}\n":               RuleShell,
		"DB='it'\\''s'\n":                      RuleShell,
		"export DB=\"a\" X=\"b\"\n":            RuleShell,
		"DB=$REG 2>/dev/null\n":                RuleShell,
		"DB=one\\\ntwo\n":                      RuleShell,
		"DB=\"$(cat x \\\n y)\"\n":             RuleShell,
		"DB=$(cat <<END\nx\nEND\n)\n":          RuleShell,
		"DB=postgres://u:`op read x`@h/db\n":   RuleShell,
		"REF=op://Vault/Item/field\nDB=$REF\n": RuleReference,
		"DB=op://Vault/Item/field\n":           RuleReference,
		"DB=postgres://u:op://V/I/f@h/d\n":     RuleReference,
		"DB=\"$REG op://V/I/f\"\n":             RuleReference,
	} {
		if !slices.ContainsFunc(findings(t, map[string]string{".kamal/secrets": "REG=$REG\n" + secrets}), func(f Finding) bool {
			return f.Rule == rule && f.Secret == "DB" && f.Breaks()
		}) {
			t.Errorf("%q is not told", secrets)
		}
	}
}

// What dotenv passes over is an error where something that is used lacks it.
func TestCheck_FindsPassedOverLinesThatAreNeeded(t *testing.T) {
	for _, secrets := range []string{
		"DB=-----BEGIN PRIVATE KEY-----\nabc+/=\n", "DB=$(op read \\\n  --account x op://a/b/c)\n", "DB=$(\n  op read op://a/b/c\n)\n",
		"export DB REG\n", "read -r DB\n", "if [ -f x ]; then DB=1; fi\n", "BODY=$(cat <<END\nset x\nEND\n)\nDB=$BODY\n",
	} {
		if !slices.ContainsFunc(findings(t, map[string]string{".kamal/secrets": "REG=$REG\n" + secrets}), func(f Finding) bool {
			return f.Rule == RuleSyntax && f.Level == Error
		}) {
			t.Errorf("%q is not told", secrets)
		}
	}
}

// What a script needs that a hook starts, or a template, is used.
func TestCheck_TakesWhatHooksStartForUsed(t *testing.T) {
	const hook = ".kamal/hooks/post-deploy"
	for name, test := range map[string]struct {
		files map[string]string
		used  bool
	}{
		"a hook":                       {map[string]string{hook: "curl $TOKEN\n"}, true},
		"a script":                     {map[string]string{hook: "bin/notify done\n", "bin/notify": "curl $TOKEN\n"}, true},
		"a script of a script":         {map[string]string{hook: "exec ./bin/notify\n", "bin/notify": ". \"$(dirname \"$0\")/../lib/post.sh\"\n", "lib/post.sh": "curl $TOKEN\n"}, true},
		"beside the hook":              {map[string]string{hook: "source \"$(dirname \"$0\")/_common.sh\"\n", ".kamal/hooks/_common.sh": "curl $TOKEN\n"}, true},
		"by a variable":                {map[string]string{hook: "\"$ROOT/scripts/notify\"\n", "scripts/notify": "curl $TOKEN\n"}, true},
		"required by Ruby":             {map[string]string{hook: "require_relative '../../lib/notify'\n", "lib/notify.rb": "ENV.fetch('TOKEN')\n"}, true},
		"a task":                       {map[string]string{hook: "bin/rake notify\n", "lib/tasks/notify.rake": "task(:notify) { ENV['TOKEN'] }\n"}, true},
		"a target":                     {map[string]string{hook: "make notify\n", "Makefile": "notify:\n\tcurl $(TOKEN)\n"}, true},
		"ERB in the configuration":     {map[string]string{"config/deploy.yml": smallConfig + "labels:\n  x: <%= ENV['TOKEN'] %>\n"}, true},
		"ERB in an accessory's file":   {map[string]string{"config/deploy.yml": smallConfig + "accessories:\n  db:\n    image: mysql:8\n    host: 192.0.2.1\n    files:\n      - config/my.cnf.erb:/etc/my.cnf\n", "config/my.cnf.erb": "x=<%= ENV['TOKEN'] %>\n"}, true},
		"a script that no hook starts": {map[string]string{hook: "echo done\n", "bin/notify": "curl $TOKEN\n"}, false},
		"a sample":                     {map[string]string{hook + ".sample": "curl $TOKEN\n"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			test.files[".kamal/secrets"] = "REG=$REG\nDB=$DB\nTOKEN=$TOKEN\n"
			told := slices.ContainsFunc(findings(t, test.files), func(f Finding) bool { return f.Rule == RuleUnused })
			if told == test.used {
				t.Errorf("unused: %v", told)
			}
		})
	}
}

// Kamal runs its own commands without a shell, and its adapters need names and most
// an account: each of these stops real Kamal 2.12, or gives it other names.
func TestCheck_FindsFetchesThatKamalCannotMake(t *testing.T) {
	for secrets, rule := range map[string]string{
		"DB=$(kamal secrets extract DB $(kamal secrets fetch -a doppler --from a/b DB))":     RuleSyntax,
		"DB=$(kamal secrets extract DB \"$(kamal secrets fetch -a doppler --from a/b DB)\")": RuleSyntax,
		"DB=$(kamal secrets fetch -a doppler --from a/b DB 2>/dev/null)":                     RuleSyntax,
		"DB=$(kamal secrets fetch -a doppler --from a/b DB | jq -r .DB)":                     RuleSyntax,
		"DB=$(kamal secrets fetch -a doppler --from a/b DB || true)":                         RuleSyntax,
		"DB=$(kamal secrets fetch -a doppler --from a/b DB; echo x)":                         RuleSyntax,
		"DB=$(kamal secrets fetch -a 1password --account $(cat acct) --from V/I DB)":         RuleSyntax,
		"DB=$(kamal secrets fetch -a passbolt)":                                              RuleNotFetched,
		"DB=$(kamal secrets fetch -a aws_secrets_manager --from app)":                        RuleNotFetched,
		"DB=$(kamal secrets fetch -a bitwarden-sm)":                                          RuleNotFetched,
		"DB=$(kamal secrets fetch -a 1password --account me)":                                RuleNotFetched,
		"DB=$(kamal secrets fetch -a gcp --from p DB)":                                       RuleAccount,
		"DB=$(kamal secrets fetch -a lastpass DB)":                                           RuleAccount,
	} {
		if !slices.ContainsFunc(findings(t, map[string]string{".kamal/secrets": "REG=$REG\n" + secrets + "\n"}), func(f Finding) bool {
			return f.Rule == rule && f.Level == Error
		}) {
			t.Errorf("%s is not told", secrets)
		}
	}
}

const smallConfig = "service: app\nimage: me/app\nservers: [192.0.2.1]\nregistry:\n  username: me\n  password: [REG]\nbuilder:\n  arch: amd64\nenv:\n  secret:\n    - DB\n"

// findings are those of an offline check of a small project with these files.
func findings(t *testing.T, files map[string]string) []Finding {
	t.Helper()
	return offline(t, files).Findings
}

// offline is an offline check of a small project with these files.
func offline(t *testing.T, files map[string]string) Report {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("config/deploy.yml", smallConfig)
	for name, text := range files {
		write(name, text)
	}
	report, err := Check(context.Background(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return report
}
