package githubtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v66/github"
)

// AddToken makes a token known.
func (s *Server) AddToken(value string, t Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[value] = t
}

// SetPageSize bounds pages from now on.
func (s *Server) SetPageSize(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.o.PageSize = n
}

// AddUser makes a user known, with what they may do: admin, write, read, none.
func (s *Server) AddUser(login string, id int64, permission string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people[strings.ToLower(login)] = &github.RepositoryPermissionLevel{
		Permission: &permission,
		User:       &github.User{Login: &login, ID: &id, Type: github.String("User")},
	}
}

// SHA is a commit of a test's, told apart by a number.
func SHA(n int) string { return fmt.Sprintf("%040x", 0xabc0000+n) }

// A Pull says how a pull request differs from an open one of the repository's own.
type Pull struct {
	Number   int
	Closed   bool
	Merged   bool
	SHA      string // SHA(Number) if empty
	Branch   string // topic-N if empty
	HeadRepo string // the repository itself if empty; "-" where it was deleted
	Labels   []string
	Title    string
}

// AddPull puts a pull request there, or puts it in the place of the one there was. Its
// head was pushed an hour ago.
func (s *Server) AddPull(p Pull) *github.PullRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	pr := p.GitHub(s.o.Repository)
	s.pulls[p.Number] = pr
	s.commits[pr.GetHead().GetSHA()] = s.o.Now().Add(-time.Hour)
	s.push(pr.GetHead().GetRef(), pr.GetHead().GetSHA(), s.o.Now().Add(-time.Hour))
	return pr
}

// GitHub is the pull request in GitHub's shape, as an answer or in a payload.
func (p Pull) GitHub(repository string) *github.PullRequest {
	if p.SHA == "" {
		p.SHA = SHA(p.Number)
	}
	if p.Branch == "" {
		p.Branch = "topic-" + strconv.Itoa(p.Number)
	}
	state := "open"
	if p.Closed || p.Merged {
		state = "closed"
	}
	base := repo(repository)
	head := base
	switch p.HeadRepo {
	case "":
	case "-":
		head = nil
	default:
		head = repo(p.HeadRepo)
		head.Fork = github.Bool(true)
	}
	pr := &github.PullRequest{
		ID: github.Int64(int64(9000 + p.Number)), Number: &p.Number, State: &state, Merged: &p.Merged, Title: &p.Title,
		Draft: github.Bool(false), User: &github.User{Login: github.String("alice"), ID: github.Int64(7)},
		Head:    &github.PullRequestBranch{SHA: &p.SHA, Ref: &p.Branch, Repo: head},
		Base:    &github.PullRequestBranch{SHA: github.String(SHA(0)), Ref: github.String("main"), Repo: base},
		HTMLURL: github.String(fmt.Sprintf("https://github.test/%s/pull/%d", repository, p.Number)),
		Labels:  []*github.Label{},
	}
	for _, l := range p.Labels {
		pr.Labels = append(pr.Labels, &github.Label{Name: &l})
	}
	return pr
}

func repo(full string) *github.Repository {
	owner, name, _ := strings.Cut(full, "/")
	return &github.Repository{FullName: &full, Name: &name, Owner: &github.User{Login: &owner}}
}

// AddIssue puts an issue there that is no pull request.
func (s *Server) AddIssue(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addIssue(n, "alice", "an issue", "")
}

// AddComment has somebody comment, and gives the comment's number.
func (s *Server) AddComment(n int, login, body string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addComment(n, login, body).GetID()
}

// HideNewComments keeps each comment that is made from now on out of the next few
// lists, as a replica that lags does.
func (s *Server) HideNewComments(lists int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hideNew = lists
}

// Comments is a pull request's comments, copied.
func (s *Server) Comments(n int) []github.IssueComment {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []github.IssueComment
	for _, c := range s.comments[n] {
		list = append(list, *c)
	}
	return list
}

// Reactions is the reactions to a comment, by their content.
func (s *Server) Reactions(comment int64) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, r := range s.reactions[comment] {
		list = append(list, r.GetContent())
	}
	return list
}

// Deployments is every deployment, the oldest first, copied as far as it changes.
func (s *Server) Deployments() []Deployment {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Deployment
	for _, d := range s.deployments {
		c := *d
		c.Statuses = append([]*github.DeploymentStatus(nil), d.Statuses...)
		list = append(list, c)
	}
	return list
}

// SetChecks says how a commit's checks stand: pending, failure, success.
func (s *Server) SetChecks(sha, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checks[sha] = state
}

// SetCommit makes a commit known, with the time its author claims.
func (s *Server) SetCommit(sha string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commits[sha] = at
}

// SetFile puts a file into a commit.
func (s *Server) SetFile(sha, path, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[sha+":"+path] = text
}

// AddRun puts a workflow run there, at an attempt, with that attempt's jobs.
func (s *Server) AddRun(id int64, attempt int, status, conclusion string, jobs ...*github.WorkflowJob) {
	s.mu.Lock()
	defer s.mu.Unlock()
	run := &github.WorkflowRun{ID: &id, RunAttempt: &attempt, Status: &status}
	if conclusion != "" {
		run.Conclusion = &conclusion
	}
	s.runs[id] = run
	if jobs == nil {
		jobs = []*github.WorkflowJob{}
	}
	s.jobs[fmt.Sprintf("%d/%d", id, attempt)] = jobs
}

// Job is one job of a run.
func Job(id int64, name, runner, status string) *github.WorkflowJob {
	return &github.WorkflowJob{ID: &id, Name: &name, RunnerName: &runner, Status: &status}
}

// Environments is the environments there are.
func (s *Server) Environments() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for e := range s.envs {
		list = append(list, e)
	}
	return list
}

// Protect makes an environment: only some branches may deploy to it, or so many rules
// protect it.
func (s *Server) Protect(name string, branches bool, rules int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &github.Environment{Name: &name}
	if branches {
		kind := "branch_policy"
		e.DeploymentBranchPolicy = &github.BranchPolicy{CustomBranchPolicies: &branches}
		e.ProtectionRules = append(e.ProtectionRules, &github.ProtectionRule{Type: &kind})
	}
	for range rules {
		kind := "required_reviewers"
		e.ProtectionRules = append(e.ProtectionRules, &github.ProtectionRule{Type: &kind})
	}
	s.protected[name] = e
}

// Set says whether the repository is private, and may be forked, and how many requests
// are left.
func (s *Server) Set(private, forks bool, left int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setting, s.left = &github.Repository{Private: &private, AllowForking: &forks}, left
}

// DeleteComment takes a comment away, as a person does.
func (s *Server) DeleteComment(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, list := range s.comments {
		s.comments[n] = slices.DeleteFunc(list, func(c *github.IssueComment) bool { return c.GetID() == id })
	}
}

// AddDeployment has somebody else make a deployment, which is in progress where a log of
// it is given, and has no status otherwise.
func (s *Server) AddDeployment(sha, environment, task, payload, logURL string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &Deployment{Deployment: &github.Deployment{
		ID: github.Int64(s.id()), SHA: &sha, Ref: &sha, Task: &task, Environment: &environment, Payload: []byte(payload),
	}}
	if logURL != "" {
		d.Statuses = append(d.Statuses, &github.DeploymentStatus{ID: github.Int64(s.id()), State: github.String("in_progress"), LogURL: &logURL})
	}
	s.deployments = append(s.deployments, d)
	return d.GetID()
}
