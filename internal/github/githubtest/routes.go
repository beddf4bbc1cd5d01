package githubtest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/go-github/v66/github"
)

// The routes, with the permissions that GitHub documents for them.
var routes = []route{
	{"GET", `pulls`, "pull-requests", "read", (*Server).listPulls},
	{"GET", `pulls/(\d+)`, "pull-requests", "read", (*Server).getPull},
	{"GET", `issues/(\d+)/comments`, "pull-requests", "read", (*Server).listComments},
	{"POST", `issues/(\d+)/comments`, "pull-requests", "write", (*Server).createComment},
	{"PATCH", `issues/comments/(\d+)`, "pull-requests", "write", (*Server).editComment},
	{"DELETE", `issues/comments/(\d+)`, "pull-requests", "write", (*Server).deleteComment},
	{"POST", `issues/comments/(\d+)/reactions`, "pull-requests", "write", (*Server).react},
	{"GET", `issues`, "issues", "read", (*Server).listIssues},
	{"POST", `issues`, "issues", "write", (*Server).createIssue},
	{"PATCH", `issues/(\d+)`, "issues", "write", (*Server).editIssue},
	{"GET", `deployments`, "deployments", "read", (*Server).listDeployments},
	{"POST", `deployments`, "deployments", "write", (*Server).createDeployment},
	{"GET", `deployments/(\d+)/statuses`, "deployments", "read", (*Server).listStatuses},
	{"POST", `deployments/(\d+)/statuses`, "deployments", "write", (*Server).createStatus},
	{"GET", `environments/([^/]+)`, "actions", "read", (*Server).getEnvironment},
	{"DELETE", `environments/([^/]+)`, "administration", "write", (*Server).deleteEnvironment},
	{"GET", `collaborators/([^/]+)/permission`, "metadata", "read", (*Server).permission},
	{"GET", `actions/runs/(\d+)`, "actions", "read", (*Server).getRun},
	{"GET", `actions/runs/(\d+)/attempts/(\d+)/jobs`, "actions", "read", (*Server).listJobs},
	{"GET", `git/commits/([0-9a-f]+)`, "contents", "read", (*Server).getCommit},
	{"GET", `activity`, "contents", "read", (*Server).listActivity},
	{"GET", `contents/(.+)`, "contents", "read", (*Server).getFile},
}

func (s *Server) listPulls(r *request) answer {
	state := r.URL.Query().Get("state")
	list := []*github.PullRequest{}
	for _, p := range s.pulls {
		if state == "all" || p.GetState() == state || state == "" && p.GetState() == "open" {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *github.PullRequest) int { return b.GetNumber() - a.GetNumber() })
	return page(s, r, list)
}

func (s *Server) getPull(r *request) answer {
	if p, ok := s.pulls[r.number()]; ok {
		return answer{status: http.StatusOK, body: p}
	}
	return notFound()
}

func (s *Server) listComments(r *request) answer {
	n := r.number()
	if s.pulls[n] == nil && s.issues[n] == nil {
		return notFound()
	}
	list := []*github.IssueComment{}
	for _, c := range s.comments[n] {
		if left := s.hidden[c.GetID()]; left > 0 {
			s.hidden[c.GetID()] = left - 1
			continue
		}
		list = append(list, c)
	}
	return page(s, r, list)
}

// checkBody refuses what GitHub refuses of a comment's text.
func checkBody(body string) (answer, bool) {
	switch {
	case strings.TrimSpace(body) == "":
		return invalid("Validation Failed"), false
	case utf8.RuneCountInString(body) > 65536:
		return invalid("Body is too long (maximum is 65536 characters)"), false
	}
	return answer{}, true
}

func (s *Server) createComment(r *request) answer {
	n := r.number()
	var in github.IssueComment
	if !r.decode(&in) {
		return refuse(http.StatusBadRequest, "Problems parsing JSON")
	}
	if s.pulls[n] == nil && s.issues[n] == nil {
		return notFound()
	}
	if a, ok := checkBody(in.GetBody()); !ok {
		return a
	}
	return created(s.addComment(n, r.token.Login, in.GetBody()))
}

func (s *Server) addComment(n int, login, body string) *github.IssueComment {
	id := s.id()
	c := &github.IssueComment{
		ID: &id, Body: &body, User: s.user(login), CreatedAt: s.stamp(), UpdatedAt: s.stamp(),
		HTMLURL: github.String(fmt.Sprintf("https://github.test/%s/pull/%d#issuecomment-%d", s.o.Repository, n, id)),
	}
	s.comments[n] = append(s.comments[n], c)
	s.hidden[id] = s.hideNew
	return c
}

func (s *Server) findComment(id int64) (*github.IssueComment, int) {
	for n, list := range s.comments {
		for _, c := range list {
			if c.GetID() == id {
				return c, n
			}
		}
	}
	return nil, 0
}

func (s *Server) editComment(r *request) answer {
	c, _ := s.findComment(r.id())
	var in github.IssueComment
	switch {
	case c == nil:
		return notFound()
	case !strings.EqualFold(c.GetUser().GetLogin(), r.token.Login):
		return refuse(http.StatusForbidden, "Must have admin rights to Repository.")
	case !r.decode(&in):
		return refuse(http.StatusBadRequest, "Problems parsing JSON")
	}
	if a, ok := checkBody(in.GetBody()); !ok {
		return a
	}
	edited := *c
	edited.Body, edited.UpdatedAt = in.Body, s.stamp()
	*c = edited
	return ok(&edited)
}

func (s *Server) deleteComment(r *request) answer {
	c, n := s.findComment(r.id())
	if c == nil {
		return notFound()
	}
	s.comments[n] = slices.DeleteFunc(s.comments[n], func(o *github.IssueComment) bool { return o == c })
	return noContent()
}

var reactionKinds = []string{"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"}

func (s *Server) react(r *request) answer {
	c, _ := s.findComment(r.id())
	var in github.Reaction
	switch {
	case c == nil:
		return notFound()
	case !r.decode(&in) || !slices.Contains(reactionKinds, in.GetContent()):
		return invalid("Validation Failed")
	}
	for _, had := range s.reactions[c.GetID()] {
		if had.GetContent() == in.GetContent() && had.GetUser().GetLogin() == r.token.Login {
			return ok(had)
		}
	}
	made := &github.Reaction{ID: github.Int64(s.id()), Content: in.Content, User: s.user(r.token.Login)}
	s.reactions[c.GetID()] = append(s.reactions[c.GetID()], made)
	return created(made)
}

func (s *Server) listDeployments(r *request) answer {
	q := r.URL.Query()
	list := []*github.Deployment{}
	for _, d := range slices.Backward(s.deployments) {
		fits := func(key, value string) bool { return !q.Has(key) || q.Get(key) == value }
		if fits("sha", d.GetSHA()) && fits("task", d.GetTask()) && fits("environment", d.GetEnvironment()) && fits("ref", d.GetRef()) {
			list = append(list, d.Deployment)
		}
	}
	return page(s, r, list)
}

func (s *Server) createDeployment(r *request) answer {
	var in github.DeploymentRequest
	if !r.decode(&in) {
		return refuse(http.StatusBadRequest, "Problems parsing JSON")
	}
	if !s.knowsRef(in.GetRef()) {
		return invalid("No ref found for: " + in.GetRef())
	}
	if utf8.RuneCountInString(in.GetDescription()) > 140 {
		return invalid("Validation Failed")
	}
	if in.AutoMerge == nil || *in.AutoMerge {
		return answer{status: http.StatusAccepted, body: map[string]string{"message": "Auto-merged main into topic on deployment."}}
	}
	// An empty list asks for nothing; none asks for all checks there are.
	if state := s.checks[in.GetRef()]; in.RequiredContexts == nil && state != "" && state != "success" {
		return refuse(http.StatusConflict, "Conflict: Commit status checks "+state+" for "+in.GetRef()+".")
	}
	env := in.GetEnvironment()
	if env == "" {
		env = "production"
	}
	task := in.GetTask()
	if task == "" {
		task = "deploy"
	}
	payload := []byte(`""`)
	if in.Payload != nil {
		payload = answer{body: in.Payload}.json()
	}
	d := &Deployment{
		Deployment: &github.Deployment{
			ID: github.Int64(s.id()), SHA: in.Ref, Ref: in.Ref, Task: &task, Environment: &env, Payload: payload,
			Description: in.Description, Creator: s.user(r.token.Login), CreatedAt: s.stamp(), UpdatedAt: s.stamp(),
		},
		Transient: in.GetTransientEnvironment(), Production: in.GetProductionEnvironment(),
	}
	s.deployments = append(s.deployments, d)
	s.envs[env] = true
	return created(d.Deployment)
}

func (s *Server) knowsRef(ref string) bool {
	for _, p := range s.pulls {
		if p.GetHead().GetSHA() == ref || p.GetBase().GetSHA() == ref {
			return true
		}
	}
	_, known := s.commits[ref]
	return known
}

func (s *Server) findDeployment(id int64) *Deployment {
	for _, d := range s.deployments {
		if d.GetID() == id {
			return d
		}
	}
	return nil
}

func (s *Server) listStatuses(r *request) answer {
	d := s.findDeployment(r.id())
	if d == nil {
		return notFound()
	}
	list := []*github.DeploymentStatus{}
	for _, st := range slices.Backward(d.Statuses) {
		list = append(list, st)
	}
	return page(s, r, list)
}

var states = []string{"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}

func (s *Server) createStatus(r *request) answer {
	d := s.findDeployment(r.id())
	var in github.DeploymentStatusRequest
	switch {
	case d == nil:
		return notFound()
	case !r.decode(&in):
		return refuse(http.StatusBadRequest, "Problems parsing JSON")
	case !slices.Contains(states, in.GetState()), utf8.RuneCountInString(in.GetDescription()) > 140:
		return invalid("Validation Failed")
	case in.EnvironmentURL != nil && !webURL(in.GetEnvironmentURL()), in.LogURL != nil && !webURL(in.GetLogURL()):
		return invalid("Validation Failed")
	}
	st := &github.DeploymentStatus{
		ID: github.Int64(s.id()), State: in.State, Description: in.Description, LogURL: in.LogURL, TargetURL: in.LogURL,
		EnvironmentURL: in.EnvironmentURL, Environment: d.Environment, Creator: s.user(r.token.Login), CreatedAt: s.stamp(),
	}
	d.Statuses = append(d.Statuses, st)
	// auto_inactive, on unless it is said otherwise: the earlier deployments of the
	// environment that are neither transient nor production, and had success.
	if in.GetState() == "success" && (in.AutoInactive == nil || *in.AutoInactive) {
		for _, o := range s.deployments {
			if o != d && o.GetEnvironment() == d.GetEnvironment() && !o.Transient && !o.Production && o.State() == "success" {
				o.Statuses = append(o.Statuses, &github.DeploymentStatus{ID: github.Int64(s.id()), State: github.String("inactive")})
			}
		}
	}
	return created(st)
}

func webURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && strings.HasPrefix(u.Scheme, "http")
}

func (s *Server) getEnvironment(r *request) answer {
	e, there := s.protected[r.args[0]]
	if !there {
		return notFound()
	}
	return ok(e)
}

func (s *Server) deleteEnvironment(r *request) answer {
	if !s.envs[r.args[0]] {
		return notFound()
	}
	delete(s.envs, r.args[0])
	return noContent()
}

func (s *Server) permission(r *request) answer {
	if p, ok := s.people[strings.ToLower(r.args[0])]; ok {
		return answer{status: http.StatusOK, body: p}
	}
	return notFound()
}

func (s *Server) getRun(r *request) answer {
	if run, ok := s.runs[r.id()]; ok {
		return answer{status: http.StatusOK, body: run}
	}
	return notFound()
}

func (s *Server) listJobs(r *request) answer {
	all, ok := s.jobs[r.args[0]+"/"+r.args[1]]
	if !ok {
		return notFound()
	}
	a := page(s, r, all)
	a.body = &github.Jobs{TotalCount: github.Int(len(all)), Jobs: a.body.([]*github.WorkflowJob)}
	return a
}

func (s *Server) getCommit(r *request) answer {
	at, ok := s.commits[r.args[0]]
	if !ok {
		return notFound()
	}
	return answer{status: http.StatusOK, body: &github.Commit{
		SHA: &r.args[0], Committer: &github.CommitAuthor{Date: &github.Timestamp{Time: at}},
	}}
}

func (s *Server) getFile(r *request) answer {
	text, ok := s.files[r.URL.Query().Get("ref")+":"+r.args[0]]
	if !ok {
		return notFound()
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(text))
	return answer{status: http.StatusOK, body: &github.RepositoryContent{
		Type: github.String("file"), Encoding: github.String("base64"), Path: &r.args[0], Content: &encoded,
	}}
}
