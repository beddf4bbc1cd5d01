package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/github/githubtest"
)

// A commented is pull request 5, whose head is checked out, and the workflow that its
// comments begin. Production runs base.
type commented struct {
	*scene
	m          *machine
	api        *githubtest.Server
	env        map[string]string
	base, head string
}

// event has an event begin a run of kamal-op.
func (p *commented) event(name string, payload map[string]any, args ...string) result {
	p.t.Helper()
	text, err := json.Marshal(payload)
	if err != nil {
		p.t.Fatal(err)
	}
	p.m.run(nil, "sh", "-c", `printf %s "$1" >/tmp/event.json`, "-", string(text))
	env := with(p.env, map[string]string{"GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": "/tmp/event.json", "GITHUB_SHA": p.base})
	p.m.remember()
	res := p.m.run(env, p.command(args[0], args[1:]...)...)
	p.clean(p.m)
	p.unlocked()
	return res
}

// says has somebody write a comment at a time, and gives what the workflow's run says and
// the reactions of the comment.
func (p *commented) says(login, text string, at time.Time) (res result, reactions []string) {
	p.t.Helper()
	id := p.api.AddComment(5, login, text)
	res = p.event("issue_comment", map[string]any{
		"action": "created", "repository": map[string]any{"default_branch": "main"}, "issue": map[string]any{"number": 5, "pull_request": map[string]any{}},
		"comment": map[string]any{"id": id, "body": text, "created_at": at, "user": map[string]any{"login": login, "id": map[string]int{"alice": 7, "mallory": 13}[login], "type": "User"}},
	}, "comment", "--deploy-by-comment", "production=", "--github-environment", "production")
	p.succeeded(res)
	return res, p.api.Reactions(id)
}

// answer is the one comment under a marker, without it.
func (p *commented) answer(marker string) string {
	p.t.Helper()
	var found []string
	for _, c := range p.api.Comments(5) {
		if text, ours := strings.CutPrefix(c.GetBody(), "<!-- "+marker+" -->\n"); ours {
			found = append(found, text)
		}
	}
	if len(found) != 1 {
		p.t.Fatalf("there are %d comments under %s", len(found), marker)
	}
	return found[0]
}

// refuses has what may not be asked for by comment be asked for: nothing is done.
func (p *commented) refuses() {
	p.t.Helper()
	p.api.AddUser("alice", 7, "write")
	p.api.AddUser("mallory", 13, "read")
	p.api.AddPull(githubtest.Pull{Number: 5, SHA: p.head}) // pushed an hour ago
	before, now := p.containers(), time.Now()
	for _, tc := range []struct {
		login, text string
		at          time.Time
		why, react  string
	}{
		{"mallory", "/deploy production", now, "who commented may not write to the repository", "-1"},
		{"mallory", "/plan production", now, "who commented may not write to the repository", "-1"},
		{"alice", "/deploy production", now.Add(-2 * time.Hour), "its head was pushed after the comment was written", "confused"},
		{"alice", "/deploy production " + p.base, now, "its head is another commit than the comment says", "confused"},
	} {
		res, reactions := p.says(tc.login, tc.text, tc.at)
		says(p.t, res, "skipped: "+tc.why)
		if !slices.Equal(reactions, []string{tc.react}) {
			p.t.Errorf("the reactions to %q of %s are %q", tc.text, tc.login, reactions)
		}
		if strings.Contains(res.Log, "1Password") {
			p.t.Errorf("1Password was asked for %q of %s\n%s", tc.text, tc.login, res.Log)
		}
	}
	if answer := p.answer("kamal-op:comment"); !strings.Contains(answer, "Nothing was done: `its head is another commit") {
		p.t.Errorf("the answer is\n%s", answer)
	}
	if after := p.containers(); after != before || len(p.api.Deployments()) != 1 {
		p.t.Errorf("what is not done has changed\n%s to\n%s, or made a deployment: %v", before, after, p.api.Deployments())
	}
}

// plans asks for a plan by comment, and has the workflow of the pull request keep one: the
// pull request is told what the deploy would change, and nothing is changed.
func (p *commented) plans() {
	p.t.Helper()
	before := p.containers()
	_, reactions := p.says("alice", "/plan production", time.Now())
	if !slices.Equal(reactions, []string{"eyes"}) {
		p.t.Errorf("the reactions are %q", reactions)
	}
	pull := githubtest.Pull{Number: 5, SHA: p.head}
	p.succeeded(p.event("pull_request", map[string]any{"action": "synchronize", "pull_request": pull.GitHub("example/myapp")}, "plan", "--comment"))
	for _, marker := range []string{"kamal-op:comment:plan:production", "kamal-op:comment:plan"} {
		answer := p.answer(marker)
		p.t.Logf("a capture of a plan as a comment:\n%s", answer)
		for _, want := range []string{
			"**What a deploy of `" + p.project.Service + "` would change**", "version: " + p.base[:7] + " → " + p.head[:7] + ", commits: 1", "secret CHATKIT_PK: another value",
			p.servers[0].Address + ", role web: ", p.servers[1].Address + ", role web: ", "- commit `" + p.head + "`",
		} {
			if !strings.Contains(answer, want) {
				p.t.Errorf("%s has no %q:\n%s", marker, want, answer)
			}
		}
		p.captured("comment.md", "**What a deploy of", answer)
	}
	if after := p.containers(); after != before {
		p.t.Errorf("a plan has changed\n%s to\n%s", before, after)
	}
}

// deploys asks for the deploy by comment: the head is deployed, GitHub has an answer, and
// a deployment after the one of base.
func (p *commented) deploys() {
	p.t.Helper()
	res, reactions := p.says("alice", "/deploy production", time.Now())
	p.t.Logf("a capture of a deploy by comment:\n%s", res.Log)
	var told []string
	for _, d := range p.api.Deployments() {
		last := d.Statuses[len(d.Statuses)-1]
		told = append(told, d.GetEnvironment()+" "+d.GetSHA()+" "+d.State()+" "+last.GetEnvironmentURL())
	}
	if !slices.Equal(told, []string{"production " + p.base + " inactive ", "production " + p.head + " success http://" + p.project.Domain}) {
		p.t.Errorf("GitHub was told %q", told)
	}
	for _, s := range p.servers {
		if got := s.digests(p.t, p.project.Domain)["KAMAL_VERSION"]; got != digest(p.head) {
			p.t.Errorf("%s does not run the head", s.Address)
		}
	}
	if !slices.Equal(reactions, []string{"eyes"}) {
		p.t.Errorf("the reactions are %q", reactions)
	}
	p.captured("comment.md", "**`/deploy production` is done**", p.answer("kamal-op:comment:deploy:production"))
}
