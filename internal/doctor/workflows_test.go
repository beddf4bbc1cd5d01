package doctor

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/github/githubtest"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// job is a workflow with one job of one step.
func job(on, permissions, more, step string) string {
	return "on: " + on + "\n" + permissions + "jobs:\n  ship:\n    runs-on: ubuntu-latest\n" + more + "    steps:\n      - uses: actions/checkout@v4\n" + step
}

func TestCheckWorkflows(t *testing.T) {
	api := githubtest.New(t, githubtest.Options{})
	api.AddToken("all", githubtest.Token{Login: "github-actions[bot]", Workflow: true, Permissions: githubtest.Everything()})
	client, err := github.New(github.Options{BaseURL: api.URL, Token: "all", Repository: "acme/shop", UserAgent: "a test"})
	must(t, err)
	t.Cleanup(client.Close)
	api.Protect("open", false, 0)
	api.Protect("branches", true, 0)
	api.Protect("reviewed", false, 2)
	const (
		ours   = "      - uses: kamal-op/kamal-op@v1\n"
		review = ours + "        with:\n          command: review\n"
		all    = "permissions: {actions: read, contents: read}\n"
		ref    = "      - uses: actions/checkout@v4\n        with:\n          ref: ${{ github.event.pull_request.head.sha }}\n"
	)
	for name, c := range map[string]struct {
		workflow string
		private  bool
		want     []string // none: nothing of it is told
	}{
		"all that a deploy uses":  {job("push", all, "", ours), false, []string{"well job ship: it has the permissions that deploy uses"}},
		"without actions: read":   {job("push", "permissions: {contents: read}\n", "", ours), false, []string{"notice job ship: permissions that deploy uses are missing: actions: read"}},
		"without any":             {job("push", "permissions: {}\n", "", ours), false, []string{"problem job ship: permissions that deploy uses are missing: actions: read, contents: read"}},
		"none said":               {job("push", "", "", ours), false, []string{"notice job ship: no permissions are said"}},
		"all of them":             {job("push", "permissions: write-all\n", "", ours), false, []string{"notice job ship: write-all"}},
		"read-all":                {job("push", "permissions: read-all\n", "", ours), false, []string{"well job ship: it has the permissions"}},
		"the job's own":           {job("push", "permissions: write-all\n", "    permissions: {contents: read, actions: read}\n", ours), false, []string{"well job ship"}},
		"a preview's":             {job("pull_request", all, "", review), false, []string{"problem job ship: permissions that review uses are missing: deployments: write, pull-requests: write", "well pull requests of forks get no secrets"}},
		"forks of a private one":  {job("[push, pull_request]", all, "", ours), true, []string{"well job ship", "notice the repository is private and may be forked"}},
		"a watch's":               {job("push", all, "", "      - run: kamal-op watch --issue\n"), false, []string{"problem job ship: permissions that watch --issue uses are missing: issues: write"}},
		"pull_request_target":     {job("\n  pull_request_target:\n    types: [opened]", all, "", ours), false, []string{"notice job ship: pull_request_target starts it"}},
		"and a fork's code":       {job("pull_request_target", all, "", ref+ours), false, []string{"problem job ship: it checks out what a fork brings"}},
		"an open environment":     {job("push", all, "    environment: open\n", ours), false, []string{"notice environment open: nothing protects it"}},
		"one that is not there":   {job("push", all, "    environment:\n      name: nowhere\n", ours), false, []string{"notice environment nowhere: it is not there"}},
		"one of branches":         {job("push", all, "    environment: branches\n", ours), false, []string{"well environment branches: only some branches may deploy to it"}},
		"one with rules":          {job("push", all, "    environment: reviewed\n", ours), false, []string{"well environment reviewed: rules protect it: 2"}},
		"an expression's":         {job("push", all, "    environment: ${{ inputs.to }}\n", ours), false, []string{"well job ship"}},
		"one that is not of ours": {job("push", "permissions: {}\n", "", "      - run: make\n"), false, nil},
		"no YAML":                 {"on: [", false, nil},
	} {
		dir := t.TempDir()
		must(t, os.MkdirAll(filepath.Join(dir, ".git"), 0o700))
		must(t, os.MkdirAll(filepath.Join(dir, ".github/workflows"), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, ".github/workflows/ship.yml"), []byte(c.workflow), 0o600))
		api.Set(c.private, true, 1000)
		got := looked(t, CheckWorkflows(func() []check.WorkflowJob { return check.WorkflowJobs(dir, func(string) bool { return false }) }, client))
		for _, want := range c.want {
			if !holds(got, want) {
				t.Errorf("%s: %q, not %q", name, got, want)
			}
		}
		if c.want == nil && len(got) > 0 {
			t.Errorf("%s: %q", name, got)
		}
	}
	// What GitHub does not tell has no ✓.
	api.AddToken("few", githubtest.Token{Login: "github-actions[bot]", Workflow: true, Permissions: map[string]string{}})
	few, err := github.New(github.Options{BaseURL: api.URL, Token: "few", Repository: "acme/shop", UserAgent: "a test"})
	must(t, err)
	t.Cleanup(few.Close)
	jobs := func() []check.WorkflowJob {
		return []check.WorkflowJob{{Name: "ship", Environment: "open", Commands: []string{"deploy"}, Permissions: map[string]string{"*": "read"}}}
	}
	if got := looked(t, CheckWorkflows(jobs, few)); !holds(got, "unknown asking for the environment open") {
		t.Errorf("%q", got)
	}
	if got := looked(t, CheckWorkflows(jobs, nil)); len(got) != 1 {
		t.Errorf("without a token: %q", got)
	}
}

// workflowFindings are what is found of one workflow, without GitHub, and with a project
// file or none.
func workflowFindings(t *testing.T, workflow string, file bool) []string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, ".git"), 0o700))
	must(t, os.MkdirAll(filepath.Join(dir, ".github/workflows"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, ".github/workflows/ship.yml"), []byte(workflow), 0o600))
	told := func(option string) bool {
		return file && slices.Contains([]string{check.GitHubEnvironment, check.ReviewHost}, option)
	}
	return looked(t, CheckWorkflows(func() []check.WorkflowJob { return check.WorkflowJobs(dir, told) }, nil))
}

// Each way to have a command ask more of GitHub is seen, and what only looks like one is not.
func TestCheckWorkflows_Commands(t *testing.T) {
	const (
		contents = "permissions: {contents: read}\n"
		locks    = "permissions: {actions: read, contents: read}\n"
		ours     = "      - uses: kamal-op/kamal-op@v1\n        with:\n          "
		lacks    = " job ship: permissions that "
	)
	run := func(script string) string { return "      - run: |\n          " + script + "\n" }
	for name, c := range map[string]struct {
		workflow string
		told     bool
		want     string
	}{
		"comment":                          {job("issue_comment", contents, "", ours+"command: comment\n"), false, "problem" + lacks + "comment uses are missing: actions: read, pull-requests: write"},
		"comment that tells GitHub":        {job("issue_comment", contents, "", ours+"command: comment\n          github-environment: production\n"), false, "problem" + lacks + "comment --github-environment uses are missing: actions: read, deployments: write, pull-requests: write"},
		"plan with a comment":              {job("pull_request", contents, "", ours+"command: plan\n          comment: true\n"), false, "problem" + lacks + "plan --comment uses are missing: pull-requests: write"},
		"plan without":                     {job("pull_request", contents, "", ours+"command: plan\n          comment: false\n"), false, "well job ship"},
		"plan with a comment, in args":     {job("pull_request", contents, "", ours+"command: plan\n          args: --comment --exit-code\n"), false, "problem" + lacks + "plan --comment"},
		"an expression may ask for it":     {job("pull_request", contents, "", ours+"command: plan\n          comment: ${{ inputs.comment }}\n"), false, "problem" + lacks + "plan --comment"},
		"deploy that tells GitHub":         {job("push", locks, "", ours+"github-environment: production\n"), false, "notice" + lacks + "deploy --github-environment uses are missing: deployments: write"},
		"in args":                          {job("push", locks, "", ours+"args: --github-environment=production\n"), false, "notice" + lacks + "deploy --github-environment"},
		"in the project's file":            {job("push", locks, "", ours+"command: deploy\n"), true, "notice" + lacks + "deploy --github-environment"},
		"which check does not know":        {job("push", contents, "", ours+"command: check\n"), true, "well job ship"},
		"in a variable of the job":         {job("push", locks, "    env: {KAMAL_OP_GITHUB_ENVIRONMENT: production}\n", ours+"command: setup\n"), false, "notice" + lacks + "setup --github-environment"},
		"in a script":                      {job("push", locks, "", run("kamal-op promote --from a --to b \\\n            --github-environment production")), false, "notice" + lacks + "promote --github-environment"},
		"watch, quoted":                    {job("push", contents, "", ours+"command: watch\n          issue: \"true\"\n"), false, "problem" + lacks + "watch --issue uses are missing: issues: write"},
		"watch, as it is":                  {job("push", contents, "", ours+"command: watch\n          issue: true\n"), false, "problem" + lacks + "watch --issue"},
		"watch of a project with previews": {job("push", contents, "", ours+"command: watch\n"), true, "notice" + lacks + "watch --review-host uses are missing: pull-requests: read"},
		"watch that opens none":            {job("push", contents, "", ours+"command: watch\n          issue: \"false\"\n"), false, "well job ship"},
		"review build":                     {job("push", "permissions: {contents: read, pull-requests: read}\n", "", run("kamal-op review build 5")), false, "well job ship: it has the permissions that review build uses"},
		"what an expression names":         {job("push", contents, "", ours+"command: ${{ inputs.command }}\n"), false, "notice" + lacks + "${{ inputs.command }} uses are missing: actions: read"},
		"a comment of a script":            {job("push", contents, "", run("# kamal-op review deploy\n          kamal-op check\n          true # then kamal-op deploy")), false, "well job ship: it has the permissions that check uses"},
		"no comment, but quoted":           {job("push", contents, "", run("echo 'so # it' && kamal-op deploy")), false, "notice" + lacks + "deploy"},
		"permissions by an alias":          {"on: push\njobs:\n  other:\n    permissions: &p {contents: read, actions: read}\n    steps: []\n  ship:\n    permissions: *p\n    steps:\n      - run: kamal-op deploy\n", false, "well job ship"},
		"and too few":                      {"on: push\njobs:\n  other:\n    permissions: &p {contents: read}\n    steps: []\n  ship:\n    permissions: *p\n    steps:\n      - run: kamal-op deploy\n", false, "notice" + lacks + "deploy"},
		"a job that is an anchor":          {"on: push\njobs:\n  ship: &x\n    permissions: {}\n    steps:\n      - run: kamal-op deploy\n", false, "problem" + lacks + "deploy"},
		"a job that is an alias":           {"on: push\njobs:\n  other: &x\n    permissions: {}\n    steps:\n      - run: kamal-op deploy\n  ship: *x\n", false, "problem" + lacks + "deploy"},
		"steps and a step by an anchor":    {"on: push\njobs:\n  ship:\n    permissions: {}\n    steps: &s\n      - &one\n        run: kamal-op deploy\n", false, "problem" + lacks + "deploy"},
	} {
		got := workflowFindings(t, c.workflow, c.told)
		if !holds(got, c.want) {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
}

// A fork's code beside the secrets is told however it comes there, and where it cannot
// come there is nothing to tell.
func TestCheckWorkflows_ForkCode(t *testing.T) {
	const (
		all     = "permissions: write-all\n"
		deploy  = "      - run: kamal-op deploy\n"
		comment = "      - uses: kamal-op/kamal-op@v1\n        with: {command: comment}\n"
		wrong   = "problem job ship: it checks out what a fork brings"
	)
	checkout := func(ref string) string {
		return "      - uses: actions/checkout@v4\n        with:\n          ref: " + ref + "\n"
	}
	run := func(script string) string { return "      - run: " + script + "\n" }
	for name, c := range map[string]struct{ workflow, want string }{
		"what it would be merged to":  {job("pull_request_target", all, "", checkout("${{ github.event.pull_request.merge_commit_sha }}")+deploy), wrong},
		"git fetch":                   {job("pull_request_target", all, "", run("git fetch origin ${{ github.event.pull_request.head.sha }} && git checkout FETCH_HEAD")+deploy), wrong},
		"git fetch of a variable":     {job("pull_request_target", all, "    env: {SHA: \"${{ github.event.pull_request.head.sha }}\"}\n", run("git fetch origin \"$SHA\"")+deploy), wrong},
		"git fetch of another":        {job("pull_request_target", all, "    env: {SHA: \"${{ github.event.pull_request.head.sha }}\"}\n", run("git fetch origin main")+deploy), "notice job ship: pull_request_target starts it"},
		"git fetch of its ref":        {job("pull_request_target", all, "", run("git fetch origin pull/${{ github.event.number }}/head")+deploy), wrong},
		"the fork's repository":       {job("pull_request_target", all, "", "      - uses: actions/checkout@v4\n        with:\n          repository: ${{ github.event.pull_request.head.repo.full_name }}\n"+deploy), wrong},
		"gh pr checkout":              {job("issue_comment", all, "", run("gh pr checkout ${{ github.event.issue.number }}")+deploy), wrong},
		"and ours, that asks":         {job("issue_comment", all, "", run("gh pr checkout ${{ github.event.issue.number }}")+comment), ""},
		"and one that does not":       {job("issue_comment", all, "", run("gh pr checkout ${{ github.event.issue.number }}")+comment+deploy), wrong},
		"a comment without its code":  {job("issue_comment", all, "", deploy), ""},
		"in a comment":                {job("issue_comment", all, "", "      - run: |\n          # gh pr checkout 5\n          true\n"+deploy), ""},
		"another run's commit":        {job("workflow_run", all, "", checkout("${{ github.event.workflow_run.head_sha }}")+deploy), "notice job ship: it checks out the commit of the run before it"},
		"of a push":                   {job("workflow_run", all, "    if: github.event.workflow_run.event == 'push'\n", checkout("${{ github.event.workflow_run.head_sha }}")+deploy), ""},
		"of a push, or else":          {job("workflow_run", all, "    if: github.event.workflow_run.event == 'push' || always()\n", checkout("${{ github.event.workflow_run.head_sha }}")+deploy), "notice job ship: it checks out"},
		"another run, without it":     {job("workflow_run", all, "", deploy), ""},
		"the repository's own alone":  {job("pull_request_target", all, "    if: github.event.pull_request.head.repo.full_name == github.repository\n", checkout("${{ github.event.pull_request.head.sha }}")+deploy), ""},
		"a fork's without secrets":    {job("pull_request", all, "", checkout("${{ github.event.pull_request.head.sha }}")+deploy), ""},
		"another repository than its": {job("pull_request_target", all, "    if: github.event.pull_request.head.repo.full_name != github.repository\n", checkout("${{ github.event.pull_request.head.sha }}")+deploy), wrong},
	} {
		got := workflowFindings(t, c.workflow, false)
		told := slices.ContainsFunc(got, func(line string) bool {
			return strings.Contains(line, "fork") || strings.Contains(line, "the commit of the run")
		})
		if c.want == "" && told || c.want != "" && !holds(got, c.want) {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
}

// The workflows of the documentation have the permissions that they use, and none of them
// can be taken away without a word.
func TestCheckWorkflows_Documentation(t *testing.T) {
	files, err := filepath.Glob("../../docs/workflows/*.yml")
	must(t, err)
	granted := regexp.MustCompile(`^ +(actions|contents|deployments|issues|pull-requests): (read|write)\b`)
	taken := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		for _, line := range workflowFindings(t, string(text), false) {
			if !strings.HasPrefix(line, "well ") {
				t.Errorf("%s: %s", file, line)
			}
		}
		lines := strings.SplitAfter(string(text), "\n")
		for n, line := range lines {
			if !granted.MatchString(line) {
				continue
			}
			taken++
			without := slices.Concat(lines[:n], lines[n+1:])
			m := granted.FindStringSubmatch(line)
			if got := workflowFindings(t, strings.Join(without, ""), false); !holds(got, m[1]+": "+m[2]) {
				t.Errorf("%s without %s: %q", file, strings.TrimSpace(line), got)
			}
		}
	}
	if len(files) < 5 || taken < 13 {
		t.Errorf("%d files and %d permissions are all there is to try", len(files), taken)
	}
}

func TestCheckLimit(t *testing.T) {
	api := githubtest.New(t, githubtest.Options{})
	api.AddToken("one", githubtest.Token{Login: "github-actions[bot]", Workflow: true})
	client, err := github.New(github.Options{BaseURL: api.URL, Token: "one", Repository: "acme/shop", UserAgent: "a test"})
	must(t, err)
	t.Cleanup(client.Close)
	api.Set(false, true, 900)
	if got := looked(t, CheckLimit(client)); !holds(got, "well 900 of 1000 requests of this hour are left") {
		t.Errorf("%q", got)
	}
	api.Set(false, true, 100)
	if got := looked(t, CheckLimit(client)); !holds(got, "well 100 of 1000") {
		t.Errorf("%q", got)
	}
	api.Set(false, true, 99)
	if got := looked(t, CheckLimit(client)); !holds(got, "notice 99 of 1000") {
		t.Errorf("%q", got)
	}
	other, err := github.New(github.Options{BaseURL: api.URL, Token: "another", Repository: "acme/shop", UserAgent: "a test"})
	must(t, err)
	t.Cleanup(other.Close)
	if got := looked(t, CheckLimit(other)); !holds(got, "unknown") {
		t.Errorf("%q", got)
	}
}

// What calls a workflow has the permissions that the workflow asks for, and hands it the
// token; what another repository's workflow does is said to be unknown.
func TestCheckWorkflows_Calls(t *testing.T) {
	const (
		locks  = "permissions: {actions: read, contents: read}\n"
		token  = "    secrets:\n      OP_SERVICE_ACCOUNT_TOKEN: ${{ secrets.OP_SERVICE_ACCOUNT_TOKEN }}\n"
		lacks  = " job ship: permissions that "
		starts = ": GitHub does not start a workflow whose caller has fewer"
		unread = "notice job ship: it calls acme/ci/.github/workflows/"
	)
	calls := func(on, permissions, uses, more string) string {
		return "on: " + on + "\n" + permissions + "jobs:\n  ship:\n    uses: " + uses + "\n" + more
	}
	ours := func(name string) string { return "kamal-op/kamal-op/.github/workflows/" + name + ".yml@v1" }
	theirs := func(name string) string { return "acme/ci/.github/workflows/" + name + ".yml@main" }
	for name, c := range map[string]struct{ workflow, want string }{
		"all that a deploy asks for":        {calls("push", locks, ours("deploy"), token), "well job ship: it has the permissions that deploy uses"},
		"fewer":                             {calls("push", "permissions: {contents: read}\n", ours("deploy"), token), "problem" + lacks + "deploy uses are missing: actions: read" + starts},
		"fewer, for a check":                {calls("push", "permissions: {contents: read}\n", ours("deploy"), token+"    with: {command: check}\n"), "problem" + lacks + "check uses are missing: actions: read" + starts},
		"the job's own":                     {calls("push", "permissions: {}\n", ours("deploy"), "    permissions: {contents: read, actions: read}\n"+token), "well job ship"},
		"none said":                         {calls("push", "", ours("deploy"), token), "notice job ship: no permissions are said"},
		"a preview's":                       {calls("pull_request", locks, ours("review"), token), "problem" + lacks + "review uses are missing: deployments: write, pull-requests: write" + starts},
		"a sweep's":                         {calls("schedule", locks, ours("sweep"), token), "problem" + lacks + "review sweep uses are missing: deployments: write, pull-requests: write"},
		"all secrets":                       {calls("push", locks, ours("deploy"), "    secrets: inherit\n"), "well job ship: it has the permissions that deploy uses"},
		"no secrets":                        {calls("push", locks, ours("deploy"), ""), "problem job ship: it hands the workflow that it calls no token"},
		"a secret that it does not have":    {calls("push", locks, ours("deploy"), "    secrets: {service-account-token: x}\n"), "problem job ship: it hands the workflow that it calls no token"},
		"an environment of GitHub's":        {calls("push", locks, ours("deploy"), token+"    with: {github-environment: production}\n"), "well job ship: it has the permissions that deploy uses"},
		"Connect's":                         {calls("push", locks, ours("deploy"), "    secrets: {OP_CONNECT_TOKEN: x}\n"), "well job ship"},
		"a fork's head":                     {calls("pull_request_target", "permissions: write-all\n", ours("review"), token), "problem job ship: it checks out what a fork brings"},
		"a fork's commit":                   {calls("pull_request_target", "permissions: write-all\n", ours("deploy"), token+"    with: {ref: \"${{ github.event.pull_request.head.sha }}\"}\n"), "problem job ship: it checks out what a fork brings"},
		"theirs, by its name":               {calls("push", locks, theirs("deploy"), ""), unread + "deploy.yml@main, which is of another repository and is not read"},
		"theirs, with all secrets":          {calls("push", locks, theirs("main"), "    secrets: inherit\n"), unread + "main.yml@main"},
		"theirs, with the token":            {calls("push", locks, theirs("main"), "    secrets: {T: \"${{ secrets.OP_SERVICE_ACCOUNT_TOKEN }}\"}\n"), unread + "main.yml@main"},
		"theirs, that is not of deploys":    {calls("push", locks, theirs("lint"), "    secrets: {T: \"${{ secrets.NPM }}\"}\n"), ""},
		"the repository's":                  {calls("push", locks, "./.github/workflows/called.yml", ""), "well job ship / here: it has the permissions that deploy uses"},
		"the repository's, with fewer":      {calls("push", "permissions: {contents: read}\n", "./.github/workflows/called.yml", ""), "notice job ship / here: permissions that deploy uses are missing: actions: read"},
		"the repository's, with none":       {calls("push", "permissions: {}\n", "./.github/workflows/called.yml", ""), "problem job ship / here: permissions that deploy uses are missing: actions: read, contents: read"},
		"the repository's, for a fork":      {calls("pull_request_target", "permissions: write-all\n", "./.github/workflows/called.yml", "    with: {ref: \"${{ github.event.pull_request.head.sha }}\"}\n"), "problem job ship / here: it checks out what a fork brings"},
		"the repository's, over two calls":  {calls("pull_request_target", "permissions: write-all\n", "./.github/workflows/between.yml", "    with: {ref: \"${{ github.event.pull_request.head.sha }}\"}\n"), "problem job ship / between / here: it checks out what a fork brings"},
		"the repository's, by git":          {calls("pull_request_target", "permissions: write-all\n", "./.github/workflows/git.yml", "    with: {ref: \"${{ github.event.pull_request.head.sha }}\"}\n"), "problem job ship / here: it checks out what a fork brings"},
		"kamal-op's, over a call":           {calls("pull_request_target", "permissions: write-all\n", "./.github/workflows/ours.yml", "    with: {ref: \"${{ github.event.pull_request.head.sha }}\"}\n"), "problem job ship / ours: it checks out what a fork brings"},
		"an input that is no fork's":        {calls("pull_request_target", "permissions: write-all\n", "./.github/workflows/between.yml", "    with: {ref: main}\n"), ""},
		"the repository's, for its own":     {calls("pull_request_target", "permissions: write-all\n", "./.github/workflows/called.yml", "    if: github.event.pull_request.head.repo.full_name == github.repository\n"), ""},
		"the repository's, of its own":      {calls("push", "permissions: write-all\n", "./.github/workflows/own.yml", ""), "well job ship / here"},
		"the repository's, of its own, too": {calls("push", "permissions: {contents: read}\n", "./.github/workflows/own.yml", ""), "notice job ship / here: permissions that deploy uses are missing: actions: read"},
	} {
		dir := t.TempDir()
		must(t, os.MkdirAll(filepath.Join(dir, ".git"), 0o700))
		must(t, os.MkdirAll(filepath.Join(dir, ".github/workflows"), 0o700))
		const called = "on:\n  workflow_call:\n    inputs: {ref: {type: string}}\njobs:\n  here:\n    runs-on: x\n    steps:\n      - uses: actions/checkout@v4\n        with: {ref: \"${{ inputs.ref }}\"}\n      - uses: kamal-op/kamal-op@v1\n"
		for file, text := range map[string]string{
			"ship.yml": c.workflow, "called.yml": called,
			"own.yml": strings.Replace(called, "jobs:", "permissions: {actions: read, contents: write}\njobs:", 1),
			// What hands an input on, and what takes it without actions/checkout.
			"between.yml": strings.Replace(calls("workflow_call", "", "./.github/workflows/called.yml", "    with: {ref: \"${{ inputs.ref }}\"}\n"), "ship:", "between:", 1),
			"ours.yml":    strings.Replace(calls("workflow_call", "", ours("deploy"), token+"    with: {ref: \"${{ inputs.ref }}\"}\n"), "ship:", "ours:", 1),
			"git.yml":     strings.Replace(called, "uses: actions/checkout@v4\n        with: {ref: \"${{ inputs.ref }}\"}", "env: {REF: \"${{ inputs.ref }}\"}\n        run: git checkout \"$REF\"", 1),
			// Two that call each other, which GitHub does not take.
			"round.yml": calls("workflow_call", "", "./.github/workflows/round.yml", ""),
		} {
			must(t, os.WriteFile(filepath.Join(dir, ".github/workflows", file), []byte(text), 0o600))
		}
		got := looked(t, CheckWorkflows(func() []check.WorkflowJob { return check.WorkflowJobs(dir, func(string) bool { return false }) }, nil))
		got = slices.DeleteFunc(got, func(line string) bool { return !strings.Contains(line, "job ship") })
		if c.want == "" {
			got = slices.DeleteFunc(got, func(line string) bool {
				return strings.Contains(line, " / here: pull_request_target starts it") || strings.Contains(line, "write-all")
			})
		}
		if c.want == "" && len(got) > 0 || c.want != "" && !holds(got, c.want) {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
}

// What is the same of a job for each of the calls that lead to it is told once, and what
// differs of each; calls that are not followed any more are told.
func TestCheckWorkflows_ManyCalls(t *testing.T) {
	called := func(file string, line int, name, scope string) check.WorkflowJob {
		return check.WorkflowJob{
			Name: name, Place: problem.Place{File: file, Line: line}, Commands: []string{"deploy"}, Permissions: map[string]string{"contents": scope},
		}
	}
	got := looked(t, CheckWorkflows(func() []check.WorkflowJob {
		return []check.WorkflowJob{
			called("ship.yml", 3, "push / ship", "read"), called("ship.yml", 3, "nightly / ship", "read"),
			called("ship.yml", 3, "main / push / ship", "read"), called("ship.yml", 3, "fork / ship", "none"),
			called("other.yml", 3, "push / ship", "read"),
			{Name: "ring / ring", Place: problem.Place{File: "ring.yml", Line: 4}, Unfollowed: true},
		}
	}, nil))
	want := []string{
		"notice job push / ship, and by other calls: 2: permissions that deploy uses are missing: actions: read",
		"problem job fork / ship: permissions that deploy uses are missing: actions: read, contents: read",
		"notice job push / ship: permissions that deploy uses are missing: actions: read",
		"unknown job ring / ring: its call of a workflow, and others, are not followed: at most 2000 are from one file, and 10000 in all",
	}
	if len(got) != len(want) {
		t.Errorf("%q", got)
	}
	for _, want := range want {
		if !holds(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}

// What doctor holds a caller's permissions against is what kamal-op's own workflows ask for.
func TestCheckWorkflows_OwnWorkflows(t *testing.T) {
	for name, command := range map[string]string{"deploy": "deploy", "review": "review", "sweep": "review sweep"} {
		text, err := os.ReadFile(filepath.Join("../../.github/workflows", name+".yml"))
		must(t, err)
		var asked []string
		for _, m := range regexp.MustCompile(`(?m)^      ([a-z-]+): (read|write)\b`).FindAllStringSubmatch(string(text), -1) {
			asked = append(asked, m[1]+": "+m[2])
		}
		var used []string
		for _, u := range uses(command) {
			used = append(used, u.scope+": "+u.level)
		}
		slices.Sort(asked)
		slices.Sort(used)
		if !slices.Equal(asked, used) {
			t.Errorf("%s.yml asks for %q, and %s uses %q", name, asked, command, used)
		}
	}
}
