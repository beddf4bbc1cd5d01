package edit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// A job as people have it, and what it is to become: testdata/jobs.
func TestMigrate_jobsOfOtherCIs(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("testdata", "jobs", "*.txtar"))
	if err != nil || len(names) < 7 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, eol := range []string{"\n", "\r\n"} {
			t.Run(filepath.Base(name), func(t *testing.T) { jobCase(t, archive, eol) })
		}
	}
}

func jobCase(t *testing.T, archive *txtar.Archive, eol string) {
	t.Helper()
	files, want := map[string]string{}, map[string]string{}
	file := ""
	for _, f := range archive.Files {
		switch text := strings.ReplaceAll(string(f.Data), "\n", eol); f.Name {
		case "want", "notes", "todo":
			want[f.Name] = text
		default:
			files[f.Name] = text
			if file == "" {
				file = f.Name
			}
		}
	}
	files["config/deploy.yml"] = "service: a\n"
	var o MigrateOptions
	for line := range strings.Lines(string(archive.Comment)) {
		if key, ok := strings.CutPrefix(line, "key: "); ok {
			o.SSHKey = strings.TrimSpace(key)
		}
		if name, ok := strings.CutPrefix(line, "file: "); ok {
			file = strings.TrimSpace(name)
		}
	}
	dir := project(t, files)
	plan, err := Migrate(check.Options{Dir: dir}, o) // which finds the file
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Changes) != 1 || plan.Changes[0].File != file {
		t.Fatalf("%d changes, notes %q", len(plan.Changes), plan.Notes)
	}
	got := plan.Changes[0].New
	if diff := cmp.Diff(want["want"], got); diff != "" {
		t.Error(diff)
	}
	if _, err := yamlfile.Parse(got, false); err != nil {
		t.Errorf("no YAML any more: %v", err)
	}
	for note := range strings.Lines(want["notes"]) {
		if !strings.Contains(strings.Join(plan.Notes, "\n"), strings.TrimSpace(note)) {
			t.Errorf("not told: %s\n%s", note, strings.Join(plan.Notes, "\n"))
		}
	}
	var todo strings.Builder
	for _, one := range plan.Todo {
		todo.WriteString(one.Text + "\n")
	}
	for line := range strings.Lines(want["todo"]) {
		if !strings.Contains(todo.String(), strings.TrimSpace(line)) {
			t.Errorf("not left to do: %s\n%s", line, todo.String())
		}
	}
	if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(file)), []byte(got), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Workflow = file
	if again, err := Migrate(check.Options{Dir: dir}, o); err != nil || len(again.Changes) > 0 {
		t.Errorf("a second time: %v, %v", err, again.Changes)
	}
}

// What stands in a condition stays in it, whatever it is.
func TestMigrate_keepsWhatAJobDecides(t *testing.T) {
	const script = "deploy:\n  image: ruby:3.4\n  script:\n    - |\n      if [ -n \"$HOST\" ]; then\n        ssh-keyscan $HOST >> ~/.ssh/known_hosts\n        kamal deploy\n      fi\n"
	dir := project(t, map[string]string{".gitlab-ci.yml": script, "config/deploy.yml": "service: a\n"})
	plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("ruby:3.4", ourImage, "kamal deploy", "kamal-op deploy").Replace(script)
	if diff := cmp.Diff(want, plan.Changes[0].New); diff != "" {
		t.Error(diff)
	}
}

// What is not understood is refused, with the line and the reason.
func TestMigrate_refusesJobs(t *testing.T) {
	gitlab := func(script string) map[string]string {
		return map[string]string{".gitlab-ci.yml": "deploy:\n  image: ruby:3.4\n  script:\n" + script}
	}
	circle := func(job string) map[string]string {
		return map[string]string{".circleci/config.yml": "version: 2.1\njobs:\n  deploy:\n    docker:\n      - image: cimg/ruby:3.4\n    steps:\n      - checkout\n" + job}
	}
	tests := map[string]struct {
		files map[string]string
		err   string
		key   string
	}{
		"a key of a variable's":             {files: gitlab("    - ssh-add <(echo \"$SSH_PRIVATE_KEY\")\n    - kamal deploy\n"), err: ".gitlab-ci.yml:4: the SSH key comes from $SSH_PRIVATE_KEY, not from 1Password"},
		"a key of a variable of type File":  {files: gitlab("    - chmod 400 \"$DEPLOY_KEY\"\n    - ssh-add \"$DEPLOY_KEY\"\n    - kamal deploy\n"), err: ".gitlab-ci.yml:5: the SSH key comes from $DEPLOY_KEY, not from 1Password"},
		"a key in a file":                   {files: gitlab("    - echo \"$KEY\" | base64 -d > ~/.ssh/id_rsa\n    - kamal deploy\n"), err: "the SSH key comes from $KEY"},
		"a key of CircleCI's":               {files: circle("      - add_ssh_keys\n      - run: kamal deploy\n"), err: "config.yml:8: the SSH key is one of the project's settings (add_ssh_keys)"},
		"a program that the image has not":  {files: gitlab("    - kamal deploy\n    - curl -X POST $SLACK\n"), err: ".gitlab-ci.yml:5: the job calls curl, which kamal-op's image has not"},
		"options that nobody knows":         {files: gitlab("    - kamal deploy $KAMAL_ARGS\n"), err: "which options $KAMAL_ARGS holds is not known"},
		"a command that nobody knows":       {files: gitlab("    - kamal deploy\n    - kamal $MORE\n"), err: "which command of kamal the job runs is not known: $MORE"},
		"an environment of another's":       {files: gitlab("    - doppler run -- kamal deploy\n"), err: "the job lets doppler give kamal its environment"},
		"a file that op run reads":          {files: gitlab("    - op run --env-file=.env -- kamal deploy\n"), err: "lets op run read a file"},
		"op by itself":                      {files: gitlab("    - op inject -i a -o .kamal/secrets\n    - kamal deploy\n"), err: "calls op itself"},
		"ssh by itself":                     {files: gitlab("    - ssh-add \"$KEY\"\n    - ssh deploy@host docker ps\n    - kamal deploy\n"), key: "op://V/Server", err: ".gitlab-ci.yml:5: the job logs in by SSH itself"},
		"one line of two minds":             {files: gitlab("    - gem install kamal && kamal deploy\n"), err: "a line of the job does what kamal-op does now, and more"},
		"known hosts and more":              {files: gitlab("    - ssh-keyscan h >> ~/.ssh/known_hosts && kamal deploy\n"), err: "a line of the job does what kamal-op does now, and more"},
		"one line of two commands":          {files: gitlab("    - gem install kamal; kamal deploy\n"), err: "a part of this entry goes with what kamal-op does now"},
		"a call in escapes":                 {files: gitlab("    - \"kamal deploy \\x2dd eu\"\n"), err: "stands in a form that cannot be changed here"},
		"a call in a folded text":           {files: gitlab("    - >\n      kamal deploy\n      -d eu\n"), err: "stands in a form that cannot be changed here"},
		"no shell's":                        {files: gitlab("    - kamal deploy (\n"), err: "none that a shell could read"},
		"a script of an alias":              {files: map[string]string{".gitlab-ci.yml": ".s: &s\n  - kamal deploy\ndeploy:\n  script: *s\n"}, err: "the call of kamal stands elsewhere"},
		"a script that includes":            {files: map[string]string{".gitlab-ci.yml": ".s:\n  script: [kamal deploy]\ndeploy:\n  script:\n    - !reference [.s, script]\n"}, err: "the call of kamal stands elsewhere"},
		"a reference to another file":       {files: gitlab("    - !reference [.elsewhere, script]\n    - kamal deploy\n"), err: "a !reference that names no job of the files here"},
		"the file's own default":            {files: map[string]string{".gitlab-ci.yml": "include: ci/a.yml\ndefault:\n  before_script: [terraform init]\ndeploy:\n  script: kamal deploy\n", "ci/a.yml": "default:\n  before_script: [echo a]\n"}, err: "the job calls terraform"},
		"an unknown parent":                 {files: map[string]string{".gitlab-ci.yml": "include: {project: a/b, file: c.yml}\ndeploy:\n  extends: .b\n  script: kamal deploy\n"}, err: "the job deploy extends .b, which no file here has"},
		"before_script that others have":    {files: map[string]string{".gitlab-ci.yml": "before_script: [gem install kamal, echo x]\ntest: {script: rake}\ndeploy:\n  script: kamal deploy\n"}, err: "before_script of the file, which other jobs have too"},
		"variables in braces":               {files: map[string]string{".gitlab-ci.yml": "deploy:\n  variables: {A: b}\n  script: kamal deploy\n"}, key: "op://V/Server", err: "variables of the job is not written in lines"},
		"variables that are merged in":      {files: map[string]string{".gitlab-ci.yml": ".b: &b\n  variables:\n    A: b\ndeploy:\n  <<: *b\n  script: kamal deploy\n"}, key: "op://V/Server", err: "are merged in by <<"},
		"gems of the project":               {files: gitlab("    - bundle exec rake assets:precompile\n    - bundle exec kamal deploy\n"), err: ".gitlab-ci.yml:4: the job calls bundle, which needs the project's gems"},
		"a program of Rails'":               {files: gitlab("    - bin/rails assets:precompile && kamal deploy\n"), err: "the job calls bin/rails, which needs the project's gems"},
		"what bash alone knows":             {files: gitlab("    - cat > .env <<< \"$ENV\"\n    - kamal deploy\n"), err: ".gitlab-ci.yml:4: the job has a <<< of bash's"},
		"an array":                          {files: gitlab("    - |\n      A=(a b)\n      kamal deploy\n"), err: ".gitlab-ci.yml:5: the job has an array of bash's"},
		"variables handed on by bash":       {files: circle("      - run: echo 'export A=b' >> \"$BASH_ENV\"\n      - run: kamal deploy\n"), err: "config.yml:8: the job hands variables to later steps by $BASH_ENV"},
		"an orb's step":                     {files: circle("      - run: kamal deploy\n      - slack/notify:\n          event: fail\n"), err: "config.yml:9: the step slack/notify is not known here"},
		"a command of the file's own":       {files: circle("      - note\n      - run: kamal deploy\ncommands:\n  note:\n    steps:\n      - run: echo x\n"), err: "the step note is a command of this file's"},
		"the deploy in a command":           {files: circle("      - ship\ncommands:\n  ship:\n    steps:\n      - run: kamal deploy\n"), err: "config.yml:10: the deploy stands in ship, under commands"},
		"bash":                              {files: circle("      - run:\n          shell: /bin/bash\n          command: kamal deploy\n"), err: "the step runs in bash"},
		"steps of an alias":                 {files: map[string]string{".circleci/config.yml": "s: &s\n  - run: kamal deploy\njobs:\n  deploy:\n    docker: [{image: a}]\n    steps: *s\n"}, err: "the steps that run kamal are written in brackets, or are an anchor or an alias"},
		"no job that deploys":               {files: map[string]string{".gitlab-ci.yml": "include: {template: a.yml}\nx: {script: rake}\n"}, err: "has no job of GitLab's whose script runs kamal deploy"},
		"no YAML":                           {files: map[string]string{".gitlab-ci.yml": "a: [\n - kamal deploy\n"}, err: "is not YAML"},
		"an alias without an anchor":        {files: map[string]string{".gitlab-ci.yml": "deploy:\n  <<: *x\n  script: kamal deploy\n"}, err: ".gitlab-ci.yml:2: *x has no anchor above it"},
		"an entry that another place names": {files: gitlab("    - &i gem install kamal\n    - kamal deploy\ntest:\n  script:\n    - *i\n"), err: "*i is of the anchor in line 4, which goes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.files["config/deploy.yml"] = "service: a\n"
			dir := project(t, test.files)
			file := ".gitlab-ci.yml"
			if test.files[file] == "" {
				file = ".circleci/config.yml"
			}
			plan, err := Migrate(check.Options{Dir: dir}, MigrateOptions{Workflow: file, SSHKey: test.key})
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%v does not say %q (%d changes)", err, test.err, len(plan.Changes))
			}
		})
	}
}
