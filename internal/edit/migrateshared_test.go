package edit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/projectfile"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

// What a workflow or a job says, and what stands in it and in the project file then:
// testdata/shared. The last parts of a file are what is to be there afterwards, under
// want/, and the notes.
func TestMigrate_intoTheProjectFile(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("testdata", "shared", "*.txtar"))
	if err != nil || len(names) < 12 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files, want, notes := map[string]string{}, map[string]string{}, ""
			for _, f := range archive.Files {
				switch name, wanted := strings.CutPrefix(f.Name, "want/"); {
				case wanted:
					want[name] = string(f.Data)
				case f.Name == "notes":
					notes = string(f.Data)
				default:
					files[f.Name] = string(f.Data)
				}
			}
			if files["config/deploy.yml"] == "" {
				files["config/deploy.yml"] = "service: app\nimage: example/app\nservers: [192.0.2.1]\nregistry: {username: example, password: [REG]}\nbuilder: {arch: amd64}\n"
				files[".kamal/secrets"] = "REG=$REG\n"
			}
			dir := project(t, files)
			plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{Share: true})
			if err != nil {
				t.Fatal(err)
			}
			if err := plan.Write(dir); err != nil {
				t.Fatal(err)
			}
			for name, text := range want {
				got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
				if diff := cmp.Diff(text, string(got)); diff != "" {
					t.Errorf("%s, %v: %s", name, err, diff)
				}
				if strings.HasPrefix(name, ".github/") {
					if err := testkit.Actionlint(filepath.Join("..", ".."), filepath.Join(dir, name)); err != nil {
						t.Error(err)
					}
				}
			}
			if _, err := os.Stat(filepath.Join(dir, projectfile.Name)); err == nil && want[projectfile.Name] == "" {
				t.Error("a project file is there")
			}
			for note := range strings.Lines(notes) {
				if !strings.Contains(strings.Join(plan.Notes, "\n"), strings.TrimSpace(note)) {
					t.Errorf("not told: %s\n%s", note, strings.Join(plan.Notes, "\n"))
				}
			}
			if again, err := Migrate(check.Options{Dir: dir}, MigrateOptions{Share: true}); err != nil || len(again.Changes) > 0 {
				t.Errorf("a second time: %v, %v", err, again.Changes)
			}
		})
	}
}

// Nothing is put behind a project file that could not be read then; the way that writes
// none is named, with the line.
func TestMigrate_ProjectFileThatTakesNothing(t *testing.T) {
	archive, err := txtar.ParseFile(filepath.Join("testdata", "shared", "github-there.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for text, line := range map[string]int{
		"---\ntimeout: 15m\n...\n":         2,
		"timeout: 15m\n---\n":              2,
		"timeout: 15m\n...\ntimeout: 1m\n": 3,
		"# ours\n{timeout: 15m}\n":         2,
		"  timeout: 15m\n":                 1,
		"timeout: 15m\npublic: [A\n":       2,
	} {
		files := map[string]string{"config/deploy.yml": "service: app\nservers: [192.0.2.1]\n"}
		for _, f := range archive.Files {
			files[f.Name] = string(f.Data)
		}
		files[projectfile.Name] = text
		plan, err := Migrate(check.Options{Dir: project(t, files)}, MigrateOptions{Share: true})
		problems := problem.Of(err)
		if len(plan.Changes) > 0 || len(problems) != 1 || problems[0].Place.Line != line || !strings.Contains(problems[0].Hint, "--workflow-only") {
			t.Errorf("%q: %+v, %v", text, problems, plan.Changes)
		}
	}
}

// What of a plain file of CI, or beside it, keeps all of it where it is. The files are
// those of testdata/shared, with one change.
func TestMigrate_staysWhereItMayHoldForMore(t *testing.T) {
	const (
		gitlab, github, circle = "gitlab-destination", "github", "circleci"
		two                    = "the job has not one call of kamal-op"
		besides                = "the job names Kamal besides"
		decided                = "which destination it deploys cannot be read here"
		another                = "another file of the CI names Kamal too, "
		base                   = "may take the project file of the base"
		request                = "a run of a merge request"
		gitlabFile             = ".gitlab-ci.yml"
		elsewhere              = "what it has from elsewhere may run it in another directory"
		deploysIt              = "kamal deploy -d production"
		otherJob               = "on: push\njobs:\n  x:\n    runs-on: ubuntu-latest\n    steps:\n      - "
	)
	for name, x := range map[string]struct {
		of, old, new string
		file, text   string
		note         string
	}{
		"nothing, GitLab":                            {of: gitlab},
		"nothing, GitHub":                            {of: github},
		"nothing, CircleCI":                          {of: circle},
		"a test job, a label, events of this commit": {of: github, old: "on: push\njobs:\n", new: "run-name: Kamal\non: [push, workflow_dispatch, schedule, release]\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n        with: {ref: x}\n      - run: rake\n      # not kamal\n"},
		"a plain checkout":                           {of: github, old: "actions/checkout@v4\n", new: "actions/checkout@v4\n        with: {fetch-depth: 0, persist-credentials: false}\n"},
		"a test of a pull request":                   {of: github, file: ".github/workflows/test.yml", text: "on: pull_request\njobs:\n  x:\n    runs-on: ubuntu-latest\n    steps:\n      - run: rake\n"},
		"a destination in quotes":                    {of: gitlab, old: deploysIt, new: `kamal deploy -d "production"`},

		"both on one line":            {of: gitlab, old: deploysIt, new: "kamal deploy -d staging && kamal deploy -d production", note: two},
		"or the other":                {of: gitlab, old: deploysIt, new: "kamal deploy -d staging || kamal deploy -d production", note: two},
		"a case":                      {of: gitlab, old: deploysIt, new: "case $X in a) kamal deploy -d staging ;; *) kamal deploy -d production ;; esac", note: two},
		"an if":                       {of: gitlab, old: deploysIt, new: "if true; then kamal deploy -d staging; else kamal deploy -d production; fi", note: two},
		"two, CircleCI":               {of: circle, old: "            kamal deploy\n", new: "            kamal deploy -d staging && kamal deploy -d production\n", note: two},
		"another command":             {of: gitlab, old: "    - " + deploysIt, new: "    - " + deploysIt + "\n    - kamal app exec -d staging x", note: besides},
		"a variable behind":           {of: gitlab, old: deploysIt, new: "kamal deploy -d production$CI_X", note: decided},
		"a variable in quotes":        {of: gitlab, old: deploysIt, new: `kamal deploy -d "production-$R"`, note: decided},
		"braces behind":               {of: gitlab, old: deploysIt, new: "kamal deploy -d production${R}", note: decided},
		"a variable, CircleCI":        {of: circle, old: "            kamal deploy\n", new: "            kamal deploy -d production$X\n", note: decided},
		"a version that Kamal takes":  {of: gitlab, old: deploysIt, new: deploysIt + " --version=$CI_COMMIT_SHA"},
		"a template of that name":     {of: gitlab, old: "deploy:\n  stage", new: ".deploy:\n  tags: [x]\ndeploy:\n  extends: .deploy\n  stage"},
		"a variable that is exported": {of: gitlab, old: "    - " + deploysIt, new: "    - export KAMAL_OP_DESTINATION=staging\n    - kamal deploy", note: besides},

		"a second workflow that deploys":  {of: github, file: ".github/workflows/staging.yml", text: otherJob + "run: kamal deploy -d staging\n", note: another},
		"a command of ours":               {of: github, file: ".github/workflows/b.yml", text: otherJob + "run: kamal-op deploy --secret A=op://V/I/A\n", note: another},
		"our container":                   {of: github, file: ".github/workflows/b.yml", text: otherJob + "uses: docker://ghcr.io/kamal-op/kamal-op:1\n", note: another},
		"an action of the repository":     {of: github, file: ".github/actions/ship/action.yml", text: "runs:\n  using: composite\n  steps:\n    - uses: Kamal-Op/kamal-op@v1\n", note: another},
		"an action elsewhere":             {of: github, file: "ci/ship/action.yml", text: "runs:\n  using: composite\n  steps:\n    - run: kamal deploy\n      shell: sh\n", old: "on: push\njobs:\n", new: "on: push\njobs:\n  x:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: ./ci/ship\n", note: another},
		"another job":                     {of: gitlab, old: "deploy:\n  stage", new: "review:\n  script: kamal-op review deploy\ndeploy:\n  stage", note: "not one of its jobs names Kamal, but 2"},
		"what it includes":                {of: gitlab, old: "deploy:\n  stage", new: "include: ci/b.yml\ndeploy:\n  stage", file: "ci/b.yml", text: "watch:\n  script: [KAMAL-OP watch]\n", note: another},
		"what another repository has":     {of: gitlab, old: "deploy:\n  stage", new: "include: {project: a/b, file: c.yml}\ndeploy:\n  stage", note: "it includes files that are not of this repository"},
		"a variable of all jobs":          {of: gitlab, old: "deploy:\n  stage", new: "variables:\n  KAMAL_OP_DESTINATION: staging\ndeploy:\n  stage", note: "Kamal"},
		"a job that extends it in a list": {of: gitlab, old: "deploy:\n  stage", new: "other:\n  extends: [deploy]\ndeploy:\n  stage", note: "other jobs have what this one runs"},
		"a job that extends it":           {of: gitlab, old: "deploy:\n  stage", new: "other:\n  extends:\n    - deploy\ndeploy:\n  stage", note: "other jobs have what this one runs"},

		"a tag":              {of: github, old: "actions/checkout@v4\n", new: "actions/checkout@v4\n        with: {ref: v1}\n", note: notThisCommit},
		"another repository": {of: github, old: "actions/checkout@v4\n", new: "actions/checkout@v4\n        with:\n          repository: a/b\n", note: notThisCommit},
		"a part":             {of: github, old: "actions/checkout@v4\n", new: "actions/checkout@v4\n        with: {sparse-checkout: config}\n", note: notThisCommit},
		"a path":             {of: github, old: "actions/checkout@v4\n", new: "actions/checkout@v4\n        with: {path: app}\n", note: notThisCommit},
		"another spelling":   {of: github, old: "actions/checkout@v4\n", new: "actions/checkout@v4\n      - uses: Actions/Checkout@v4\n        with: {ref: v1}\n", note: notThisCommit},
		"no checkout":        {of: github, old: "actions/checkout@v4\n", new: "actions/download-artifact@v4\n", note: notThisCommit},
		"git, GitHub":        {of: github, old: "actions/checkout@v4\n", new: "actions/checkout@v4\n      - run: git checkout v1\n", note: notThisCommit},
		"git checkout":       {of: gitlab, old: "    - " + deploysIt, new: "    - git checkout v1\n    - " + deploysIt, note: notThisCommit},
		"git switch":         {of: gitlab, old: "    - " + deploysIt, new: "    - git switch -q v1\n    - " + deploysIt, note: notThisCommit},
		"git clone":          {of: gitlab, old: "    - " + deploysIt, new: "    - git clone https://example.com/x .\n    - " + deploysIt, note: notThisCommit},
		"git reset":          {of: gitlab, old: "    - " + deploysIt, new: "    - git fetch origin v1 && git reset --hard FETCH_HEAD\n    - " + deploysIt, note: notThisCommit},
		"git, CircleCI":      {of: circle, old: "      - setup_remote_docker\n", new: "      - setup_remote_docker\n      - run: git checkout v1\n", note: notThisCommit},
		"no git":             {of: circle, old: "      - checkout\n", new: "      - attach_workspace: {at: .}\n", note: notThisCommit},

		"cd, of all jobs":                {of: gitlab, old: "deploy:\n  stage", new: "default:\n  before_script:\n    - cd app\ndeploy:\n  stage", note: elsewhere},
		"cd, of all jobs, at the top":    {of: gitlab, old: "deploy:\n  stage", new: "before_script: [cd app]\ndeploy:\n  stage", note: elsewhere},
		"cd, of a template":              {of: gitlab, old: "deploy:\n  stage", new: ".app:\n  before_script:\n    - cd app\ndeploy:\n  extends: .app\n  stage", note: elsewhere},
		"cd, of a job that it extends":   {of: gitlab, old: "deploy:\n  stage", new: "test:\n  before_script:\n    - cd app\n  script: rake\ndeploy:\n  extends: [test]\n  stage", note: elsewhere},
		"cd, of an anchor":               {of: gitlab, old: "deploy:\n  stage", new: "test: &test\n  before_script:\n    - cd app\n  script: rake\ndeploy:\n  <<: *test\n  stage", note: elsewhere},
		"cd, of a file that is included": {of: gitlab, old: "deploy:\n  stage", new: "include: ci/b.yml\ndeploy:\n  stage", file: "ci/b.yml", text: "default:\n  before_script:\n    - cd app\n", note: elsewhere},
		"cd, of another job":             {of: gitlab, old: "deploy:\n  stage", new: "test:\n  script:\n    - cd app\n    - rake\ndeploy:\n  stage"},
		"a directory, of another job":    {of: circle, old: "jobs:\n", new: "jobs:\n  test:\n    docker: [{image: x}]\n    working_directory: ~/app\n    steps: [checkout, {run: rake}]\n"},
		"a directory, of an executor":    {of: circle, old: "jobs:\n", new: "executors:\n  app:\n    docker: [{image: x}]\n    working_directory: ~/app\njobs:\n", note: elsewhere},

		"a merge request's number":   {of: gitlab, old: "    - " + deploysIt, new: "    - test -z $CI_MERGE_REQUEST_IID\n    - " + deploysIt, note: request},
		"a merge request, elsewhere": {of: gitlab, old: "deploy:\n  stage", new: "include: ci/b.yml\ndeploy:\n  stage", file: "ci/b.yml", text: "workflow:\n  rules:\n    - if: $CI_PIPELINE_SOURCE == 'merge_request_event'\n", note: request},
		"a pull request, CircleCI":   {of: circle, old: "            kamal deploy\n", new: "            test -z $CIRCLE_PULL_REQUEST\n            kamal deploy\n", note: request},
		"a merge group":              {of: github, old: "on: push\n", new: "on: [push, merge_group]\n", note: base},
		"a comment of a review":      {of: github, old: "on: push\n", new: "on: pull_request_review_comment\n", note: base},
		"a dispatch of another":      {of: github, old: "on: push\n", new: "on: {push: {}, repository_dispatch: {}}\n", note: base},
		"an event of another kind":   {of: github, old: "on: push\n", new: "on: [deployment]\n", note: base},
	} {
		t.Run(name, func(t *testing.T) {
			archive, err := txtar.ParseFile(filepath.Join("testdata", "shared", x.of+".txtar"))
			if err != nil {
				t.Fatal(err)
			}
			ci := map[string]string{gitlab: gitlabFile, github: ".github/workflows/d.yml", circle: ".circleci/config.yml"}[x.of]
			files := map[string]string{
				"config/deploy.yml": "service: app\nimage: example/app\nservers: [192.0.2.1]\nregistry: {username: example, password: [REG]}\nbuilder: {arch: amd64}\n",
				".kamal/secrets":    "REG=$REG\n",
			}
			for _, f := range archive.Files {
				if !strings.HasPrefix(f.Name, "want/") && f.Name != "notes" {
					files[f.Name] = string(f.Data)
				}
			}
			if !strings.Contains(files[ci], x.old) {
				t.Fatalf("%q is not in %s", x.old, ci)
			}
			files[ci] = strings.Replace(files[ci], x.old, x.new, 1)
			if x.file != "" {
				files[x.file] = x.text
			}
			dir := project(t, files)
			plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{Share: true, Workflow: ci})
			if err != nil {
				t.Fatal(err)
			}
			if err := plan.Write(dir); err != nil {
				t.Fatal(err)
			}
			_, err = os.Stat(filepath.Join(dir, projectfile.Name))
			notes := strings.Join(plan.Notes, "\n")
			if moved := err == nil; moved != (x.note == "") || !strings.Contains(notes, x.note) || moved == strings.Contains(notes, "stays here") {
				t.Errorf("moved: %v, want the note %q\n%s", moved, x.note, notes)
			}
		})
	}
}
