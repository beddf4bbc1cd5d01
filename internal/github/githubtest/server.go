// Package githubtest is a GitHub API for tests: a real HTTP server that keeps
// repositories' pull requests, comments, deployments and runs in memory, answers in
// the shapes that are documented (go-github's own types), refuses what GitHub
// refuses, and fails on demand in the ways GitHub fails: limits, 502 before and
// after the deed, answers cut short, connections dropped.
//
// A request that it does not know fails the test. It imports go-github only.
package githubtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-github/v66/github"
)

// A Token is what a caller presents, and what it may do.
type Token struct {
	Login string
	// Workflow is the token of a workflow: it has no user of its own in REST, and no
	// permission of it reaches the repository's administration.
	Workflow bool
	// Permissions by scope, as a workflow's `permissions:`: "deployments": "write".
	Permissions map[string]string
}

// Everything is every permission that a review app needs.
func Everything() map[string]string {
	return map[string]string{
		"actions": "read", "contents": "read", "deployments": "write",
		"metadata": "read", "pull-requests": "write",
	}
}

// A Call is one request that arrived, faulty or not.
type Call struct {
	Number int // from 1
	Method string
	Path   string // without the API's root
}

// Options say what the server is.
type Options struct {
	Repository string // owner/name; "acme/shop" if empty
	Root       string // path of the API: "" as github.com, "/api/v3", "/api/v1"
	// PageSize bounds pages below what is asked for, so that few items make several.
	PageSize int
	// Gitea leaves out what Gitea does not have: deployments, attempts, GraphQL.
	Gitea bool
	Now   func() time.Time
}

// A Server is the API. Its fields may be changed under Lock.
type Server struct {
	URL string // the API's root

	t      testing.TB
	o      Options
	http   *httptest.Server
	routes []*regexp.Regexp // of the routes, in their order
	mu     sync.Mutex
	nextID int64
	tokens map[string]Token
	people map[string]*github.RepositoryPermissionLevel

	pulls       map[int]*github.PullRequest
	issues      map[int]*github.Issue // those that are no pull requests
	comments    map[int][]*github.IssueComment
	hidden      map[int64]int // comments that the next lists do not show yet
	hideNew     int
	reactions   map[int64][]*github.Reaction
	deployments []*Deployment
	envs        map[string]bool
	protected   map[string]*github.Environment
	setting     *github.Repository
	left        int
	checks      map[string]string // commit: state of its checks, "pending"
	commits     map[string]time.Time
	files       map[string]string // sha:path
	runs        map[int64]*github.WorkflowRun
	jobs        map[string][]*github.WorkflowJob // run/attempt

	activity []activity // the oldest first

	calls []Call
	fault func(Call) Fault
}

// A Deployment is one with what it was asked with and how it went, the oldest
// status first.
type Deployment struct {
	*github.Deployment
	Transient, Production bool
	Statuses              []*github.DeploymentStatus
}

// State is the newest status' state, or "".
func (d *Deployment) State() string {
	if len(d.Statuses) == 0 {
		return ""
	}
	return d.Statuses[len(d.Statuses)-1].GetState()
}

// hourly is GitHub's limit for a workflow's token, in requests of an hour.
const hourly = 1000

// New starts a server that ends with the test.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Repository == "" {
		o.Repository = "acme/shop"
	}
	if o.PageSize == 0 {
		o.PageSize = 100
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{
		t: t, o: o, nextID: 1000,
		tokens: map[string]Token{}, people: map[string]*github.RepositoryPermissionLevel{},
		pulls: map[int]*github.PullRequest{}, issues: map[int]*github.Issue{}, comments: map[int][]*github.IssueComment{},
		hidden: map[int64]int{}, reactions: map[int64][]*github.Reaction{}, envs: map[string]bool{},
		protected: map[string]*github.Environment{}, setting: &github.Repository{}, left: hourly,
		checks: map[string]string{}, commits: map[string]time.Time{}, files: map[string]string{},
		runs: map[int64]*github.WorkflowRun{}, jobs: map[string][]*github.WorkflowJob{},
	}
	for _, rt := range routes {
		s.routes = append(s.routes, regexp.MustCompile("^"+rt.pattern+"$"))
	}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	s.URL = s.http.URL + o.Root
	t.Cleanup(s.http.Close)
	return s
}

// An answer is what a handler gives: a status, a body, headers.
type answer struct {
	status int
	body   any
	header http.Header
}

func ok(body any) answer            { return answer{status: http.StatusOK, body: body} }
func created(body any) answer       { return answer{status: http.StatusCreated, body: body} }
func noContent() answer             { return answer{status: http.StatusNoContent} }
func notFound() answer              { return refuse(http.StatusNotFound, "Not Found") }
func invalid(message string) answer { return refuse(http.StatusUnprocessableEntity, message) }

// refuse is an error in GitHub's shape.
func refuse(status int, message string) answer {
	return answer{status: status, body: map[string]any{
		"message": message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status),
	}}
}

// A request is what a handler gets.
type request struct {
	*http.Request
	token Token
	args  []string // what the route's pattern caught
	body  []byte
}

// number is what the route's pattern caught first.
func (r *request) number() int {
	n, _ := strconv.Atoi(r.args[0])
	return n
}

func (r *request) id() int64 { return int64(r.number()) }

// decode reads the body; false where it is no JSON.
func (r *request) decode(v any) bool { return json.Unmarshal(r.body, v) == nil }

// A route is a method, a pattern of the path beneath /repos/OWNER/NAME, the
// permission that it needs, and what it does.
type route struct {
	method, pattern, scope, level string
	do                            func(*Server, *request) answer
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	path := strings.TrimPrefix(r.URL.EscapedPath(), s.o.Root)
	call := Call{Number: len(s.calls) + 1, Method: r.Method, Path: path}
	s.calls = append(s.calls, call)
	var fault Fault
	if s.fault != nil {
		fault = s.fault(call)
	}
	if fault.before() {
		s.mu.Unlock()
		s.fail(w, fault, nil)
		return
	}
	var body bytes.Buffer
	_, _ = body.ReadFrom(r.Body)
	a := s.answer(path, &request{Request: r, body: body.Bytes()})
	if a.body != nil {
		a.body = json.RawMessage(a.json()) // while what it points to cannot change
	}
	s.mu.Unlock()
	if fault != None {
		s.fail(w, fault, &a)
		return
	}
	a.write(w)
}

func (a answer) write(w http.ResponseWriter) {
	for k, v := range a.header {
		w.Header()[k] = v
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(a.status)
	_, _ = w.Write(a.json())
}

func (a answer) json() []byte {
	raw, err := json.Marshal(a.body)
	if err != nil {
		panic(err) // our own types
	}
	return raw
}

func (s *Server) answer(path string, r *request) answer {
	bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	token, known := s.tokens[bearer]
	if !known {
		return refuse(http.StatusUnauthorized, "Bad credentials")
	}
	r.token = token
	if r.Header.Get("User-Agent") == "" {
		return refuse(http.StatusForbidden, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header")
	}
	switch {
	case r.Method == http.MethodGet && path == "/user":
		if token.Workflow && !s.o.Gitea {
			return refuse(http.StatusForbidden, "Resource not accessible by integration")
		}
		return ok(s.user(token.Login))
	case r.Method == http.MethodPost && strings.HasSuffix(path, "/graphql") && !s.o.Gitea:
		return ok(map[string]any{"data": map[string]any{"viewer": map[string]any{"login": token.Login}}})
	}
	switch {
	case r.Method == http.MethodGet && path == "/rate_limit":
		return ok(map[string]any{"resources": map[string]any{"core": map[string]int{"limit": hourly, "remaining": s.left, "used": hourly - s.left}}})
	case r.Method == http.MethodGet && path == "/repos/"+s.o.Repository:
		return ok(s.setting)
	}
	rest, mine := strings.CutPrefix(path, "/repos/"+s.o.Repository+"/")
	if !mine {
		if strings.HasPrefix(path, "/repos/") {
			return notFound()
		}
		s.t.Errorf("githubtest: unexpected %s %s", r.Method, path)
		return notFound()
	}
	for i, rt := range routes {
		m := s.routes[i].FindStringSubmatch(rest)
		if m == nil || rt.method != r.Method {
			continue
		}
		if s.o.Gitea && (strings.HasPrefix(rest, "deployments") || strings.Contains(rest, "/attempts/") || strings.HasPrefix(rest, "environments")) {
			return notFound()
		}
		for i := range m {
			m[i], _ = url.PathUnescape(m[i])
		}
		scope := rt.scope
		if n, err := strconv.Atoi(m[len(m)-1]); err == nil && scope == "pull-requests" && s.issues[n] != nil {
			scope = "issues" // a comment on what is no pull request
		}
		if !token.may(scope, rt.level) {
			a := refuse(http.StatusForbidden, "Resource not accessible by integration")
			a.header = http.Header{"X-Accepted-Github-Permissions": {strings.ReplaceAll(scope, "-", "_") + "=" + rt.level}}
			return a
		}
		r.args = m[1:]
		return rt.do(s, r)
	}
	s.t.Errorf("githubtest: unexpected %s %s", r.Method, path)
	return notFound()
}

// may says whether a token has a permission. Administration is none that a
// workflow can be given.
func (t Token) may(scope, level string) bool {
	if scope == "administration" && t.Workflow {
		return false
	}
	has := t.Permissions[scope]
	return scope == "metadata" || has == "write" || has == level
}

// page is one page of a list, with the links to the others.
func page[T any](s *Server, r *request, all []T) answer {
	q := r.URL.Query()
	size := 30
	if n, err := strconv.Atoi(q.Get("per_page")); err == nil && n > 0 {
		size = min(n, 100)
	}
	size = min(size, s.o.PageSize)
	number := 1
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 0 {
		number = n
	}
	last := max((len(all)+size-1)/size, 1)
	a := ok(all[min((number-1)*size, len(all)):min(number*size, len(all))])
	if number < last {
		link := func(n int) string {
			q.Set("page", strconv.Itoa(n))
			return s.http.URL + r.URL.Path + "?" + q.Encode()
		}
		a.header = http.Header{"Link": {fmt.Sprintf(`<%s>; rel="next", <%s>; rel="last"`, link(number+1), link(last))}}
	}
	return a
}

func (s *Server) user(login string) *github.User {
	if p, ok := s.people[strings.ToLower(login)]; ok {
		return p.User
	}
	kind := "User"
	if strings.HasSuffix(login, "[bot]") {
		kind = "Bot"
	}
	return &github.User{Login: &login, ID: github.Int64(41), Type: &kind}
}

func (s *Server) id() int64 { s.nextID++; return s.nextID }

func (s *Server) stamp() *github.Timestamp { return &github.Timestamp{Time: s.o.Now().UTC()} }
