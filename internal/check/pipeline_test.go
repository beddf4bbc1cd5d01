package check

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a pipeline's file gives to a deploy counts for what that part of it deploys:
// words that may be variables, and secrets files that are written.
func TestDestinationCheck_SourceOfAPipeline(t *testing.T) {
	step := func(destination string) string {
		return "      - run: kamal deploy" + destination + "\n        env:\n          DB: ${{ secrets.DB }}\n"
	}
	const jobs = "on: push\njobs:\n  a:\n    steps:\n      - uses: actions/checkout@v4\n"
	ours := func(with string) string { return jobs + "      - uses: kamal-op/kamal-op@v1\n        with:\n" + with }
	const declares = "          secrets: |\n            DB=op://V/I/DB\n"
	for name, test := range map[string]struct {
		text string
		want string // the destinations that it is for, - is none
	}{
		"the plain configuration":                {text: jobs + step(""), want: "-"},
		"a destination":                          {text: jobs + step(" -d staging"), want: "staging"},
		"on a line of its own":                   {text: jobs + strings.Replace(step(" \\\n          --destination=staging"), "run: kamal", "run: |\n          kamal", 1), want: "- staging"},
		"a destination that may vary":            {text: jobs + step(" -d ${{ inputs.to }}"), want: "- staging production"},
		"options that may name one":              {text: jobs + step(" $OPTIONS"), want: "- staging production"},
		"another configuration":                  {text: jobs + step(" -c config/other.yml"), want: ""},
		"two steps, each its own":                {text: jobs + step(" -d staging") + "      - run: kamal deploy -d production\n", want: "staging"},
		"two jobs, each its own":                 {text: jobs + "      - run: kamal deploy -d staging\n    env: {DB: x}\n  b:\n    steps:\n      - run: kamal deploy -d production\n", want: "staging"},
		"all jobs":                               {text: "env:\n  DB: x\n" + jobs + "      - run: kamal deploy -d staging\n  b:\n    steps:\n      - run: kamal deploy -d production\n", want: "staging production"},
		"a file of one destination":              {text: "env:\n  DB: x\n" + jobs + "      - run: kamal deploy -d staging\n", want: "staging"},
		"a script of the project's":              {text: "env:\n  DB: x\n" + jobs + "      - run: kamal deploy -d staging\n      - run: bin/deploy production\n", want: "- staging production"},
		"an earlier step of the job":             {text: jobs + "      - run: echo DB=$X >> $GITHUB_ENV\n      - run: kamal deploy -d staging\n", want: "staging"},
		"a workflow that is called":              {text: "on: push\njobs:\n  a:\n    uses: ./.github/workflows/kamal.yml\n    with: {destination: staging}\n    secrets:\n      DB: ${{ secrets.DB }}\n", want: "staging"},
		"a matrix":                               {text: "on: push\njobs:\n  a:\n    strategy:\n      matrix:\n        include:\n          - destination: staging\n            db: DB\n          - destination: production\n    steps:\n      - run: kamal deploy -d ${{ matrix.destination }}\n", want: "staging"},
		"a comment":                              {text: jobs + "      # DB comes from elsewhere\n      - run: kamal deploy\n", want: ""},
		"another option -d":                      {text: jobs + "      - run: docker run -d redis && base64 -d file && kamal deploy\n        env: {DB: x}\n", want: "-"},
		"declared for a destination":             {text: ours("          destination: staging\n" + declares), want: "staging"},
		"declared to what deploys nothing":       {text: ours("          command: version\n" + declares), want: ""},
		"declared to a check":                    {text: ours(declares + "          command: check\n"), want: ""},
		"declared to what deploys nothing, in {": {text: ours("")[:len(ours(""))-1] + " {command: version, secrets: 'DB=op://V/I/DB'}\n", want: ""},
		"declared in a script's text":            {text: jobs + "      - run: |\n          kamal-op deploy -d staging --secret \\\n            DB=op://V/I/DB\n", want: "staging"},
		"no YAML":                                {text: "kamal-op: [\n  DB=op://V/I/DB\n", want: "- staging production"},
		"Windows' line ends":                     {text: strings.ReplaceAll(jobs+step(" -d staging")+"      - run: kamal deploy -d production\n", "\n", "\r\n"), want: "staging"},
	} {
		t.Run(name, func(t *testing.T) {
			o := pipelineProject(t, test.text)
			for _, destination := range []string{"", "staging", "production"} {
				c, err := openDestination(o, destination)
				if err != nil {
					t.Fatal(err)
				}
				from, _ := c.source("DB")
				if destination == "" {
					destination = "-"
				}
				if want := strings.Contains(" "+test.want+" ", " "+destination+" "); want != (from != "") {
					t.Errorf("%s: from %q", destination, from)
				}
			}
		})
	}
	for text, want := range map[string]string{
		"echo \"$ALL\" > .kamal/secrets":                          "-",
		"echo \"$ALL\" > .kamal/secrets-common":                   "- staging production",
		"echo \"$ALL\" > .kamal/secrets.staging":                  "staging",
		"echo \"$ALL\" > .kamal/secrets.${{ inputs.to }}":         "- staging production",
		"echo \"$ALL\" > .kamal/secrets.example":                  "",
		"cat .kamal/secrets-common":                               "",
		"op inject -i x.tpl -o .kamal/secrets.production":         "production",
		"gpg --decrypt --output \"./.kamal/secrets\" secrets.gpg": "-",
		"chmod 600 .kamal/secrets.staging":                        "staging",
		"true\n        with:\n          directory: .kamal\n":      "- staging production",
	} {
		o := pipelineProject(t, jobs+"      - run: bin/kamal deploy ${{ inputs.more }}\n      - run: "+text+"\n")
		for _, destination := range []string{"", "staging", "production"} {
			got := o.deployments().inputsOf(o, destination).writesFiles
			if destination == "" {
				destination = "-"
			}
			if got != strings.Contains(" "+want+" ", " "+destination+" ") {
				t.Errorf("%s, %s: written: %v", text, destination, got)
			}
		}
	}
}

// In a repository of several projects a job is one of the project whose folder it
// names.
func TestDestinationCheck_SourceOfAnotherProject(t *testing.T) {
	job := func(name, folder string) string {
		return "  " + name + ":\n    defaults:\n      run:\n        working-directory: " + folder + "\n    steps:\n      - run: kamal deploy\n        env:\n          DB: x\n"
	}
	for text, want := range map[string]bool{
		"on: push\njobs:\n" + job("a", "apps/web"): true,
		"on: push\njobs:\n" + job("a", "apps/api"): false,
		"on: push\njobs:\n" + job("a", "./apps/api/") + "  b:\n    steps:\n      - run: cd apps/web && kamal deploy\n":            false,
		"on: push\nenv: {DB: x}\njobs:\n" + job("a", "apps/api") + "  b:\n    steps:\n      - run: cd apps/web && kamal deploy\n": true,
		"on: push\njobs:\n" + job("a", "apps/${{ matrix.app }}"):                                                                  true,
		"on: push\njobs:\n" + job("a", "apps/docs"):                                                                               true,
		"on: push\njobs:\n  a:\n    steps:\n      - run: bin/kamal-deploy web\n        env: {DB: x}\n":                            true,
	} {
		top := t.TempDir()
		for name, text := range map[string]string{
			".git/HEAD": "x", ".github/workflows/d.yml": text, "apps/api/config/deploy.yml": smallConfig,
			"apps/web/config/deploy.yml": smallConfig, "apps/web/.kamal/secrets": "REG=$REG\nDB=$DB\n",
		} {
			file := filepath.Join(top, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c, err := openDestination(Options{Dir: filepath.Join(top, "apps", "web"), common: &sharedState{}}, "")
		if err != nil {
			t.Fatal(err)
		}
		if from, _ := c.source("DB"); want != (from != "") {
			t.Errorf("%s: from %q", text, from)
		}
	}
}

// ERB elsewhere in the configuration leaves known that only destinations have the
// secrets which it names.
func TestCheck_ReadsSecretsOfDestinationsBesideERB(t *testing.T) {
	report := offline(t, map[string]string{
		"config/deploy.yml":         strings.Replace(smallConfig, "image: me/app", "image: <%= ENV.fetch('IMAGE', 'me/app') %>", 1),
		"config/deploy.staging.yml": "servers: [192.0.2.2]\n", ".kamal/secrets.staging": "REG=$REG\nDB=$DB\n",
	})
	if report.Failed() || len(report.Matrices) != 1 || len(report.Skipped) != 1 {
		t.Errorf("%d destinations, %v, %v", len(report.Matrices), report.Skipped, report.Findings)
	}
}

// A secrets file of another path is one as well.
func TestCheck_KnowsSecretsWrittenToAPath(t *testing.T) {
	report := offline(t, map[string]string{
		"config/deploy.yml":       "secrets_path: config/kamal.env\n" + smallConfig,
		".github/workflows/a.yml": "on: push\njobs:\n  a:\n    steps:\n      - run: echo \"${{ secrets.ENV }}\" > config/kamal.env\n      - run: kamal deploy\n",
	})
	if report.Failed() {
		t.Errorf("%v", report.Findings)
	}
}

// To a run it is known what stands in the files.
func TestCheck_KnowsSecretsWrittenInARun(t *testing.T) {
	o := pipelineProject(t, "on: push\njobs:\n  a:\n    steps:\n      - run: cp x .kamal/secrets-common && kamal deploy -d staging\n")
	if err := os.WriteFile(filepath.Join(o.Dir, ".kamal", "secrets-common"), []byte("REG=$REG\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, run := range []bool{false, true} {
		o.Run, o.Destinations = run, []string{"staging"}
		report, err := Check(context.Background(), o)
		if err != nil || report.Failed() != run {
			t.Errorf("a run %v: %v, %v", run, report.Findings, err)
		}
	}
}

func pipelineProject(t *testing.T, workflow string) Options {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		".github/workflows/d.yml": workflow, "config/deploy.yml": smallConfig, ".kamal/secrets-common": "REG=$REG\nDB=$DB\n",
		"config/deploy.staging.yml": "servers: [10.0.0.2]\n", "config/deploy.production.yml": "servers: [10.0.0.3]\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Options{Dir: dir, common: &sharedState{}}
}
