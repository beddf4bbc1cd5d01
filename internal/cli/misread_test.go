package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// misreadLine runs a command line in a small project and gives what it says, without the
// page that it names.
func misreadLine(t *testing.T, files map[string]string, env []string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	files = mergedFiles(map[string]string{
		"config/deploy.yml": "service: shop\nimage: acme/shop\nservers: [192.0.2.1]\nregistry: {username: acme, password: [TOKEN]}\n",
		".kamal/secrets":    "TOKEN=$TOKEN\n",
	}, files)
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	stdin, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	status := Main(Process{
		Name: "kamal-op", Args: args, Env: append(env, "PATH="+os.Getenv("PATH")), Dir: dir, Stdin: stdin, Stdout: &out, Stderr: &errs,
	})
	if status != problem.Usage {
		t.Errorf("status %d\n%s%s", status, out.String(), errs.String())
	}
	var said []string
	for line := range strings.Lines(errs.String()) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "help: ") {
			said = append(said, line)
		}
	}
	return strings.Join(said, "\n")
}

func mergedFiles(all ...map[string]string) map[string]string {
	merged := map[string]string{}
	for _, files := range all {
		for name, text := range files {
			merged[name] = text
		}
	}
	return merged
}

// What is wrong with a line is said to who uses it: no bits, no tokens, no guess from
// one letter, and the hint is one that works.
func TestMain_SaysInPlainWordsWhatIsWrongWithALine(t *testing.T) {
	for line, want := range map[string]string{
		"deploy --timeout 3":                  "✗ --timeout: 3 has no unit\nusage: kamal-op deploy [flags]\nhint: write a number and its unit, such as 30s, 15m or 2h",
		"deploy --lock-wait soon":             "✗ --lock-wait: \"soon\" is no length of time\nusage: kamal-op deploy [flags]\nhint: write a number and its unit, such as 30s, 15m or 2h",
		"history --last x":                    "✗ --last: \"x\" is no whole number\n",
		"history --last 1.5":                  "✗ --last: \"1.5\" is no whole number\n",
		"history --last 99999999999999999999": "✗ --last: \"99999999999999999999\" is no whole number\n",
		"history --last -3":                   "✗ --last needs a value, and -3 reads as an option\nusage: kamal-op history [diff A B] [flags]\nhint: write a whole number",
		"history --last --json":               "✗ --last needs a value, and --json reads as an option\nusage: kamal-op history [diff A B] [flags]\nhint: write a whole number",
		"deploy --lock-wait -P":               "✗ --lock-wait needs a value, and -P reads as an option\nusage: kamal-op deploy [flags]\nhint: write a number and its unit",
		"deploy --kamal -x":                   "✗ --kamal needs a value, and -x reads as an option\nusage: kamal-op deploy [flags]\nhint: write it as --kamal=-x",
		"deploy --kamal -d x":                 "✗ --kamal needs a value, and -d reads as an option\nusage: kamal-op deploy [flags]\nhint: kamal-op help deploy lists",
		"review deploy abc":                   "✗ <number>: \"abc\" is no whole number\nusage: kamal-op review deploy <number> [flags]\n",
		"review remove 99999999999999999999":  "✗ <number>: \"99999999999999999999\" is no whole number\n",
		"deploy production -d staging":        "✗ deploy takes no argument: production\nusage: kamal-op deploy [flags]\nhint: kamal-op help deploy lists",
		"deploy a --destination=staging":      "✗ deploy takes no argument: a\nusage: kamal-op deploy [flags]\nhint: kamal-op help deploy lists",
		"cache":                               "✗ cache needs one of its commands: warm\n",
		"unfreeze":                            "✗ there is no command unfreeze\nusage: kamal-op <command> [flags]\nhint: did you mean thaw?",
		"unlock":                              "✗ there is no command unlock\nusage: kamal-op <command> [flags]\nhint: a deploy lock is released with kamal-op kamal -- lock release",
		"logs -f":                             "✗ there is no command logs\nusage: kamal-op <command> [flags]\nhint: it is Kamal's: kamal-op kamal -- app logs -f",
		"deploy help":                         "✗ deploy takes no argument: help\nusage: kamal-op deploy [flags]\nhint: kamal-op help deploy lists",
		"-d staging deploy":                   "✗ unknown flag -d\nusage: kamal-op <command> [flags]\nhint: options stand behind the command: kamal-op COMMAND -d",
		"--destination=staging deploy":        "✗ unknown flag --destination\nusage: kamal-op <command> [flags]\nhint: options stand behind the command: kamal-op COMMAND --destination",
		"-v":                                  "✗ unknown flag -v\nusage: kamal-op <command> [flags]\nhint: kamal-op version tells the version",
		"app logs -f --grep a":                "✗ there is no command app\nusage: kamal-op <command> [flags]\nhint: it is Kamal's: kamal-op kamal -- app logs -f --grep a",
		"app exec -- ls -la a;b":              "✗ there is no command app\nusage: kamal-op <command> [flags]\nhint: it is Kamal's: kamal-op kamal -- app exec -- ls -la 'a;b'",
		"check --offline=maybe":               "✗ --offline: \"maybe\" is neither true nor false\n",
		"check --format":                      "✗ --format needs a value\n",
		"check --format=":                     "✗ --format is empty\nusage: kamal-op check [flags]\nhint: it is one of text, json, sarif",
		"check --format xml":                  "✗ --format: \"xml\" is none of text, json, sarif\n",
		"completion powershell":               "✗ the shell is one of bash, zsh, fish, and not \"powershell\"\n",
		"complete tcsh":                       "✗ the shell is one of bash, zsh, fish, and not \"tcsh\"\n",
		"add":                                 "✗ <name> is missing\nusage: kamal-op add <name> [flags]\n",
		"rename OLD":                          "✗ <new> is missing\n",
		"deploy production":                   "✗ deploy takes no argument: production\nusage: kamal-op deploy [flags]\nhint: a destination is given with -d: kamal-op deploy -d production",
		"check production":                    "✗ check takes no argument: production\nusage: kamal-op check [flags]\nhint: a destination is given with -d: kamal-op check -d production",
		"deploy op://V/I":                     "✗ deploy takes no argument: op://V/I\nusage: kamal-op deploy [flags]\nhint: kamal-op help deploy lists",
		"version production":                  "✗ version takes no argument: production\nusage: kamal-op version [flags]\nhint: kamal-op help version lists",
		"rollback 1 2":                        "✗ rollback takes no further argument: 2\n",
		"deplyo":                              "✗ there is no command deplyo\nusage: kamal-op <command> [flags]\nhint: did you mean deploy?",
		"nope":                                "✗ there is no command nope\nusage: kamal-op <command> [flags]\nhint: kamal-op help lists the commands",
		"help nope":                           "✗ there is no command nope\nusage: kamal-op <command> [flags]\nhint: kamal-op help lists the commands",
		"help deploy nope":                    "✗ deploy has no command nope\n",
		"app logs":                            "✗ there is no command app\nusage: kamal-op <command> [flags]\nhint: it is Kamal's: kamal-op kamal -- app logs",
		"review":                              "✗ review needs one of its commands: deploy, remove, sweep, status, list, build, event\n",
		"review swep":                         "✗ review has no command swep\nusage: kamal-op review <command> [flags]\nhint: did you mean sweep?",
		"deploy -x":                           "✗ unknown flag -x\nusage: kamal-op deploy [flags]\nhint: kamal-op help deploy lists what there is",
		"check -v":                            "✗ unknown flag -v\nusage: kamal-op check [flags]\nhint: kamal-op help check lists what there is",
		"deploy -P":                           "✗ unknown flag -P\nusage: kamal-op deploy [flags]\nhint: Kamal's own options stand behind --: kamal-op deploy -- -P",
		"deploy --skip-push":                  "✗ unknown flag --skip-push\nusage: kamal-op deploy [flags]\nhint: Kamal's own options stand behind --: kamal-op deploy -- --skip-push",
		"check -P":                            "✗ unknown flag -P\nusage: kamal-op check [flags]\nhint: kamal-op help check lists what there is",
		"deploy --d production":               "✗ unknown flag --d\nusage: kamal-op deploy [flags]\nhint: did you mean --destination?",
		"deploy --destinatoin x":              "✗ unknown flag --destinatoin\nusage: kamal-op deploy [flags]\nhint: did you mean --destination?",
		"deploy --nothing-like-it":            "✗ unknown flag --nothing-like-it\nusage: kamal-op deploy [flags]\nhint: kamal-op help deploy lists what there is",
		"verify --json":                       "✗ unknown flag --json\nusage: kamal-op verify [flags]\nhint: give --format json",
		"plan --format json":                  "✗ unknown flag --format\nusage: kamal-op plan [flags]\nhint: give --json",
		"check --offline -- -d other":         "✗ check takes nothing behind --\nhint: leave the -- away: options and arguments of check stand before it",
	} {
		if said := misreadLine(t, nil, nil, strings.Fields(line)...); !strings.HasPrefix(said, want) {
			t.Errorf("%s\n%s\nwant\n%s", line, said, want)
		}
	}
}

// A value that is wrong is told of the place that it has come from, and of no flag that
// nobody gave.
func TestMain_NamesThePlaceOfAWrongValue(t *testing.T) {
	file := func(text string) map[string]string { return map[string]string{".kamal/kamal-op.yml": text} }
	for name, test := range map[string]struct {
		files map[string]string
		env   []string
		line  string
		want  string
	}{
		"a variable":                 {env: []string{"KAMAL_OP_TIMEOUT=3"}, line: "deploy", want: "✗ KAMAL_OP_TIMEOUT: 3 has no unit\nhint: write"},
		"a variable of a choice":     {env: []string{"KAMAL_OP_CHECK=maybe"}, line: "deploy", want: "✗ KAMAL_OP_CHECK: \"maybe\" is none of error, warn, off\n"},
		"a variable of a switch":     {env: []string{"KAMAL_OP_OFFLINE=maybe"}, line: "check", want: "✗ KAMAL_OP_OFFLINE: \"maybe\" is neither true nor false\n"},
		"a variable of a number":     {env: []string{"KAMAL_OP_LAST=x"}, line: "history", want: "✗ KAMAL_OP_LAST: \"x\" is no whole number\n"},
		"a negative time":            {env: []string{"KAMAL_OP_TIMEOUT=-3m"}, line: "deploy", want: "✗ KAMAL_OP_TIMEOUT -3m0s: no run takes less than no time\n"},
		"a flag goes before it":      {env: []string{"KAMAL_OP_TIMEOUT=3m"}, line: "deploy --timeout 3", want: "✗ --timeout: 3 has no unit\nusage: "},
		"a letter goes before it":    {env: []string{"KAMAL_OP_WORKING_DIRECTORY=nowhere"}, line: "check --working-directory=elsewhere", want: "✗ --working-directory"},
		"what a command finds wrong": {env: []string{"KAMAL_OP_WORKING_DIRECTORY=nowhere"}, line: "check", want: "✗ KAMAL_OP_WORKING_DIRECTORY"},
		"an input":                   {env: []string{"INPUT_TIMEOUT=3"}, line: "action", want: "✗ input timeout: 3 has no unit\nhint: write"},
		"an input goes before it":    {env: []string{"INPUT_CHECK=maybe", "KAMAL_OP_CHECK=warn"}, line: "action", want: "✗ input check: \"maybe\" is none of error, warn, off\n"},
		"a setting":                  {env: []string{"PLUGIN_COMMAND=deploy", "PLUGIN_TIMEOUT=3"}, line: "plugin", want: "✗ setting timeout: 3 has no unit\nhint: write"},
		"the project file":           {files: file("timeout: 3\n"), line: "deploy", want: "✗ .kamal/kamal-op.yml: timeout: 3 has no unit\nat .kamal/kamal-op.yml:1:10\nhint: write"},
		"the project file, a choice": {files: file("# of the run\nstale-lock: perhaps\n"), line: "deploy", want: "✗ .kamal/kamal-op.yml: stale-lock: \"perhaps\" is none of release, fail\nat .kamal/kamal-op.yml:2:13\n"},
		"a variable goes before it":  {files: file("timeout: 15m\n"), env: []string{"KAMAL_OP_TIMEOUT=3"}, line: "deploy", want: "✗ KAMAL_OP_TIMEOUT: 3 has no unit\nhint: write"},
	} {
		if said := misreadLine(t, test.files, test.env, strings.Fields(test.line)...); !strings.HasPrefix(said, test.want) {
			t.Errorf("%s\n%s\nwant\n%s", name, said, test.want)
		}
	}
}
