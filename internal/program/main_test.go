package program

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/github/githubtest"
	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

func TestMain(m *testing.M) {
	testscript.Main(atRoot{m}, map[string]func(){
		"kamal-op": Main, "op": Main, "kamal-op-post": Main, "hardened": hardened, "forgetful": forgetful, "sandboxed": sandboxed, "sign-login": signLogin, "kamal-speaks": speak,
	})
}

// atRoot runs the tests in the repository's root, whose files many of them read. What a
// script starts under a name of the program runs where the script says.
type atRoot struct{ *testing.M }

func (m atRoot) Run() int {
	if err := os.Chdir(filepath.Join("..", "..")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.M.Run()
}

// speak says to the run's socket what stands in a file, as Kamal's preload would.
func speak() {
	text, err := os.ReadFile(os.Args[1])
	if err == nil {
		var conn net.Conn
		if conn, err = net.Dial("unix", os.Getenv("KAMAL_OP_BROKER")); err == nil {
			_, err = conn.Write(append(text, '\n'))
			answer := io.Discard
			if len(os.Args) > 2 { // aloud
				answer = os.Stdout
			}
			_, _ = io.Copy(answer, conn)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kamal-speaks:", err)
		os.Exit(1)
	}
}

// TestScripts runs every script in testdata/script through the real main, beside
// a vault that speaks Connect. Values are new for every script; what a script
// compares with is their digests: DIGEST_<NAME>.
func TestScripts(t *testing.T) {
	sections, err := troubleshooting()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("internal", "program", "testdata", "script"),
		RequireExplicitExec: true,
		Setup:               vaultFor(t),
		// The race detector makes the SDK's core, which is compiled WebAssembly,
		// take half a minute to get ready.
		Condition: func(cond string) (bool, error) {
			if cond == "race" {
				return raceEnabled, nil
			}
			return false, fmt.Errorf("there is no condition %q", cond)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":      exits,
			"unleaked":   unleaked,
			"documented": documented(sections),
			"field":      setField,
			"secure":     secure,
			"hosted":     hosted,
			"widths":     widths,
			"reacted":    reacted,
			"issues":     issues,

			"opened":      opened,
			"deployments": deployments,
			"deployed":    deployed,
			"made":        made,
			"says":        says,
			"answered":    answered,
			"commented":   commented,
			"states":      states,
		},
	})
}

// vaultFor gives every script a vault of its own with the walkthrough's items,
// and Connect's credentials for it.
func vaultFor(t *testing.T) func(env *testscript.Env) error {
	return func(env *testscript.Env) error {
		key, public := newKey(t)
		values := map[string]string{
			"KAMAL_REGISTRY_PASSWORD": newValue(), "RAILS_MASTER_KEY": newValue(),
			"DATABASE_PASSWORD": newValue() + "$HOME`id`\"'\\ \n" + newValue() + "\n",
			"CHATKIT_PK":        newValue(), "MAILGUN_INGRESS_SIGNING_KEY": newValue(),
		}
		production := standin.ItemSpec{Title: "Production"}
		for name, value := range values {
			production.Fields = append(production.Fields, standin.FieldSpec{Label: name, Value: value, Type: "CONCEALED"})
			digest := sha256.Sum256([]byte(value))
			env.Setenv("DIGEST_"+name, hex.EncodeToString(digest[:]))
		}
		production.Fields = append(production.Fields,
			standin.FieldSpec{Label: "EMPTY", Type: "CONCEALED"},
			standin.FieldSpec{Label: "APP_HOST", Value: "app.example.com", Type: "STRING"})
		vault, err := standin.StartVault(context.Background(), standin.VaultOptions{Vaults: []standin.VaultSpec{
			{Name: "MyApp", Items: []standin.ItemSpec{
				production,
				{Title: "Server", Fields: []standin.FieldSpec{{Label: "SSH_KEY", Value: key, Type: "CONCEALED"}}},
				{Title: "Mistake", Fields: []standin.FieldSpec{{Label: "SSH_KEY", Value: public, Type: "CONCEALED"}}},
				{Title: "Twice"},
				{Title: "Twice"},
				{Title: "Hijack", Fields: []standin.FieldSpec{{Label: "BASH_ENV", Value: "/tmp/x", Type: "STRING"}, {Label: "GIT_TOKEN", Value: "git-token-value", Type: "STRING"}}},
			}},
			{Name: "Spare", Items: []standin.ItemSpec{{Title: "Own", Fields: []standin.FieldSpec{{Label: "NAME", Value: "spare-value", Type: "STRING"}}}}},
		}})
		if err != nil {
			return err
		}
		env.Defer(func() { _ = vault.Close() })
		env.Values["vault"] = vault
		env.Values["public"] = public
		env.Values["secrets"] = append(lines(key), append(mapValues(values), vault.Token())...)
		env.Setenv("OP_CONNECT_HOST", vault.URL())
		env.Setenv("OP_CONNECT_TOKEN", vault.Token())
		env.Setenv("SERVICE_TOKEN", testkit.ServiceToken())
		env.Setenv("HOME", filepath.Join(env.WorkDir, "no-home")) // what a run may keep there goes with it
		env.Setenv("NL", "\n")
		gitHubFor(t, env)
		for _, name := range []string{"CI", "GITHUB_ACTIONS"} {
			env.Setenv(name, "")
		}
		return os.MkdirAll(filepath.Join(env.WorkDir, "tmp"), 0o700)
	}
}

// gitHubFor gives every script a GitHub with one repository and some pull requests.
func gitHubFor(t *testing.T, env *testscript.Env) {
	api := githubtest.New(t, githubtest.Options{})
	token := newValue()
	api.AddToken(token, githubtest.Token{Login: "github-actions[bot]", Workflow: true, Permissions: githubtest.Everything()})
	may := githubtest.Everything()
	may["issues"] = "write"
	issues := newValue()
	api.AddToken(issues, githubtest.Token{Login: "github-actions[bot]", Workflow: true, Permissions: may})
	env.Setenv("ISSUES_TOKEN", issues)
	read := newValue()
	api.AddToken(read, githubtest.Token{Login: "github-actions[bot]", Workflow: true, Permissions: map[string]string{"contents": "read"}})
	env.Setenv("READ_TOKEN", read)
	for _, workflow := range []string{"comment", "plan"} {
		token := newValue()
		api.AddToken(token, githubtest.Token{Login: "github-actions[bot]", Workflow: true, Permissions: workflowPermissions(t, workflow)})
		env.Setenv(strings.ToUpper(workflow)+"_TOKEN", token)
	}
	api.AddUser("alice", 7, "write")
	api.AddUser("mallory", 13, "read")
	api.AddPull(githubtest.Pull{Number: 1})
	api.AddRun(41, 1, "completed", "cancelled")
	api.AddPull(githubtest.Pull{Number: 2, HeadRepo: "mallory/shop"})
	api.AddPull(githubtest.Pull{Number: 3, Closed: true})
	comment := api.AddComment(1, "mallory", "/deploy")
	api.SetFile(githubtest.SHA(0), "config/deploy.yml", "service: shop\nimage: acme/shop\n")
	api.SetFile(githubtest.SHA(0), ".kamal/secrets", "RAILS_MASTER_KEY=$(op read op://MyApp/Production/RAILS_MASTER_KEY)\n")
	env.Values["github"] = api
	env.Setenv("API", api.URL)
	env.Setenv("API_TOKEN", token)
	env.Setenv("COMMENT", strconv.FormatInt(comment, 10))
	for n := range 4 {
		env.Setenv("SHA"+strconv.Itoa(n), githubtest.SHA(n))
	}
}

// workflowPermissions are those that a workflow of the documentation gives its job.
func workflowPermissions(t *testing.T, name string) map[string]string {
	text, err := os.ReadFile(filepath.Join("docs", "workflows", name+".yml"))
	if err != nil {
		t.Fatal(err)
	}
	_, job, _ := strings.Cut(string(text), "\njobs:\n")
	may := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^      ([a-z-]+): +(read|write)\b`).FindAllStringSubmatch(job, -1) {
		may[m[1]] = m[2]
	}
	if len(may) < 2 {
		t.Fatalf("%s.yml gives its job %v", name, may)
	}
	return may
}

// issues writes what the repository's issues say into a file: issues FILE.
func issues(ts *testscript.TestScript, _ bool, args []string) {
	var text strings.Builder
	api := ts.Value("github").(*githubtest.Server)
	for _, i := range api.Issues() {
		fmt.Fprintf(&text, "%s: %s\n%s\n", i.GetState(), i.GetTitle(), i.GetBody())
		for _, c := range api.Comments(i.GetNumber()) {
			fmt.Fprintf(&text, "said: %s\n", c.GetBody())
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text.String()), 0o600))
}

// reacted checks the reactions to the comment: reacted -1.
func reacted(ts *testscript.TestScript, neg bool, args []string) {
	id, err := strconv.ParseInt(ts.Getenv("COMMENT"), 10, 64)
	ts.Check(err)
	got := ts.Value("github").(*githubtest.Server).Reactions(id)
	if neg || !slices.Equal(got, args) {
		ts.Fatalf("the reactions are %q, not %q", got, args)
	}
}

// opened has GitHub know a pull request whose head is the commit of the directory, and
// writes the event that it was pushed to: opened NUMBER [BASE [LABELS…]]. BASE is a commit of
// the directory's.
func opened(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: opened NUMBER [BASE [LABELS…]]")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(ts.Exec("git", "rev-parse", "HEAD"))
	p := githubtest.Pull{Number: n, SHA: strings.TrimSpace(ts.ReadFile("stdout"))}
	if len(args) > 2 {
		p.Labels = args[2:]
	}
	ts.Value("github").(*githubtest.Server).AddPull(p)
	pull := p.GitHub("acme/shop")
	if len(args) > 1 {
		ts.Check(ts.Exec("git", "rev-parse", args[1]))
		base := strings.TrimSpace(ts.ReadFile("stdout"))
		pull.Base.SHA = &base
	}
	event, err := json.Marshal(map[string]any{"action": "synchronize", "pull_request": pull})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(filepath.Join(ts.Getenv("WORK"), "event.json")), event, 0o600))
}

// deployments checks the states of the deployments of a pull request, or of an app, the
// oldest first: deployments NUMBER|APP STATES….
func deployments(ts *testscript.TestScript, neg bool, args []string) {
	var got []string
	for _, d := range ts.Value("github").(*githubtest.Server).Deployments() {
		if d.GetTask() == "deploy:shop-pr-"+args[0] || d.GetTask() == "deploy/"+args[0] {
			got = append(got, d.State())
		}
	}
	if neg || !slices.Equal(got, args[1:]) {
		ts.Fatalf("the deployments of %s are %q", args[0], got)
	}
}

// deployed writes all deployments into a file, a line each: deployed FILE.
func deployed(ts *testscript.TestScript, _ bool, args []string) {
	var text strings.Builder
	for _, d := range ts.Value("github").(*githubtest.Server).Deployments() {
		fmt.Fprintf(&text, "%s %s %s transient=%v %q", d.GetEnvironment(), d.GetTask(), d.GetSHA(), d.Transient, d.GetDescription())
		for _, s := range d.Statuses {
			fmt.Fprintf(&text, " %s(%s %s)", s.GetState(), s.GetEnvironmentURL(), s.GetLogURL())
		}
		text.WriteString("\n")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text.String()), 0o600))
}

// made has somebody else make a deployment of the directory's commit, which is in
// progress: made ENVIRONMENT TASK PAYLOAD LOG-URL.
func made(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: made ENVIRONMENT TASK PAYLOAD LOG-URL")
	}
	ts.Check(ts.Exec("git", "rev-parse", "HEAD"))
	ts.Value("github").(*githubtest.Server).AddDeployment(strings.TrimSpace(ts.ReadFile("stdout")), args[0], args[1], args[2], args[3])
}

// commented checks that a pull request has one comment, with these in it: commented
// NUMBER REGEXPS….
func commented(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	all := ts.Value("github").(*githubtest.Server).Comments(n)
	if neg || len(all) != 1 {
		ts.Fatalf("there are %d comments", len(all))
	}
	for _, want := range args[1:] {
		if !regexp.MustCompile(want).MatchString(all[0].GetBody()) {
			ts.Fatalf("there is no %s in the comment\n%s", want, all[0].GetBody())
		}
	}
}

// says has somebody comment on a pull request, writes the event, and makes the comment
// that reacted looks at: says NUMBER LOGIN BODY [bot] [edited] [late] [release].
func says(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: says NUMBER LOGIN BODY [bot] [edited] [late] [release]")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	is := func(word string) bool { return slices.Contains(args[3:], word) }
	api := ts.Value("github").(*githubtest.Server)
	id := api.AddComment(n, args[1], args[2])
	ts.Setenv("COMMENT", strconv.FormatInt(id, 10))
	action, kind, branch, created := "created", "User", "main", time.Now()
	if is("edited") {
		action = "edited"
	}
	if is("bot") {
		kind = "Bot"
	}
	if is("release") {
		branch = "release"
	}
	if is("late") {
		created = created.Add(-2 * time.Hour) // the head is an hour old
	}
	event, err := json.Marshal(map[string]any{
		"action": action, "repository": map[string]any{"full_name": "acme/shop", "default_branch": branch},
		"issue":   map[string]any{"number": n, "pull_request": map[string]any{}},
		"comment": map[string]any{"id": id, "body": args[2], "created_at": created.UTC().Format(time.RFC3339), "user": map[string]any{"login": args[1], "id": map[string]int{"alice": 7, "mallory": 13}[args[1]], "type": kind}},
	})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(filepath.Join(ts.Getenv("WORK"), "event.json")), event, 0o600))
}

// answered checks that a pull request has one comment under a marker, with these in it:
// answered NUMBER MARKER REGEXPS…; with a ! that it has none.
func answered(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	var bodies []string
	for _, c := range ts.Value("github").(*githubtest.Server).Comments(n) {
		if strings.HasPrefix(c.GetBody(), "<!-- "+args[1]+" -->\n") {
			bodies = append(bodies, c.GetBody())
		}
	}
	if neg != (len(bodies) == 0) || len(bodies) > 1 {
		ts.Fatalf("there are %d comments under %s", len(bodies), args[1])
	}
	for _, want := range args[2:] {
		if !regexp.MustCompile(want).MatchString(bodies[0]) {
			ts.Fatalf("there is no %s in the comment\n%s", want, bodies[0])
		}
	}
}

// states gives a post step the states that a main step has left in a file, as the
// runner does: states FILE.
func states(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: states FILE")
	}
	rest := ts.ReadFile(args[0])
	for rest != "" {
		head, tail, ok := strings.Cut(rest, "\n")
		name, end, isState := strings.Cut(head, "<<")
		value, after, ended := strings.Cut("\n"+tail, "\n"+end+"\n")
		if !ok || !isState || !ended {
			ts.Fatalf("%q is no state", head)
		}
		ts.Setenv("STATE_"+name, strings.TrimPrefix(value, "\n"))
		rest = after
	}
}

// exits checks the status of the command that ran before, which exec alone does
// not tell: exits 3 kamal-op deploy.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND ARGS…")
	}
	err := ts.Exec(args[1], args[2:]...)
	status := "0"
	if err != nil {
		status = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if status != args[0] {
		ts.Fatalf("%s ended with %s, not with %s\n[stdout]\n%s[stderr]\n%s", args[1], status, args[0],
			ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// unleaked checks that nothing of a secret stands in the last command's output:
// no value, no line of one, no base64 of one in any of its three shifts.
func unleaked(ts *testscript.TestScript, neg bool, _ []string) {
	if neg {
		ts.Fatalf("a leak is never wanted")
	}
	output := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	for i, secret := range ts.Value("secrets").([]string) {
		for _, line := range lines(secret) {
			if strings.Contains(output, line) {
				ts.Fatalf("a line of secret %d is in the output", i)
			}
		}
		for shift := range 3 {
			encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
			if core := encoded[min(len(encoded), 4):max(4, len(encoded)-4)]; len(core) >= 8 && strings.Contains(output, core) {
				ts.Fatalf("base64 of secret %d is in the output", i)
			}
		}
	}
}

// setField changes the vault: field ITEM LABEL VALUE.
func setField(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: field ITEM LABEL VALUE, or @FILE for the value")
	}
	value := args[2]
	if file, ok := strings.CutPrefix(value, "@"); ok {
		value = ts.ReadFile(file)
	}
	ts.Check(ts.Value("vault").(*standin.Vault).SetField("MyApp", args[0], args[1], value))
}

// hosted starts a host that lets in the key of the item Server, as deploy, with the
// programs of a directory before the machine's and, where one is given, another shell, and
// says its port: hosted DIRECTORY [SHELL].
func hosted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: hosted DIRECTORY [SHELL]")
	}
	shell := ""
	if len(args) == 2 {
		shell = ts.MkAbs(args[1])
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(ts.Value("public").(string)))
	ts.Check(err)
	home := ts.MkAbs("home-of-the-host")
	ts.Check(os.MkdirAll(home, 0o700))
	host, err := standin.StartSSHHost(context.Background(), standin.SSHHostOptions{
		AuthorizedKey: key, User: "deploy", Dir: home, Env: []string{"PATH=" + ts.MkAbs(args[0]) + ":/usr/bin:/bin"},
		Shell: shell,
	})
	ts.Check(err)
	ts.Defer(func() { _ = host.Close() })
	ts.Setenv("HOST_PORT", strconv.Itoa(host.Port()))
	ts.Setenv("HOST_KEY", "[127.0.0.1]:"+strconv.Itoa(host.Port())+" "+strings.TrimSpace(string(ssh.MarshalAuthorizedKey(host.HostKey()))))
}

func newKey(t *testing.T) (private, public string) {
	t.Helper()
	private, signer := testkit.SSHKey(t, "")
	return private, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}

func newValue() string { return rand.Text() }

func mapValues(m map[string]string) []string {
	var values []string
	for _, v := range m {
		values = append(values, v)
	}
	return values
}

// lines are the lines of a secret that are long enough to be one: a PEM's frame
// and shell metacharacters are none.
func lines(s string) []string {
	var out []string
	for _, line := range strings.Split(s, "\n") {
		if len(line) >= 16 && !strings.HasPrefix(line, "-----") {
			out = append(out, line)
		}
	}
	return out
}
