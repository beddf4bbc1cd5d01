package githubtest

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/google/go-github/v66/github"
)

// addIssue puts an open issue there.
func (s *Server) addIssue(n int, login, title, body string) *github.Issue {
	i := &github.Issue{
		Number: &n, Title: &title, Body: &body, User: s.user(login), State: github.String("open"), CreatedAt: s.stamp(),
		HTMLURL: github.String(fmt.Sprintf("https://github.test/%s/issues/%d", s.o.Repository, n)),
	}
	s.issues[n] = i
	return i
}

// OpenIssue puts an open issue there, as a person or an app opens it, and gives its
// number.
func (s *Server) OpenIssue(login, body string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addIssue(s.free(), login, "title", body).GetNumber()
}

// Issues are all that there are, in their order.
func (s *Server) Issues() []*github.Issue {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*github.Issue
	for _, i := range s.issues {
		c := *i
		all = append(all, &c)
	}
	slices.SortFunc(all, func(a, b *github.Issue) int { return a.GetNumber() - b.GetNumber() })
	return all
}

// free is the next number: issues and pull requests share theirs.
func (s *Server) free() int {
	n := 1
	for s.issues[n] != nil || s.pulls[n] != nil {
		n++
	}
	return n
}

// listIssues lists pull requests too, as GitHub does, the newest first.
func (s *Server) listIssues(r *request) answer {
	var list []*github.Issue
	for _, i := range s.issues {
		if i.GetState() == r.URL.Query().Get("state") {
			list = append(list, i)
		}
	}
	for _, p := range s.pulls {
		if p.GetState() == r.URL.Query().Get("state") {
			list = append(list, &github.Issue{Number: p.Number, Title: p.Title, Body: p.Body, User: p.User, State: p.State, PullRequestLinks: &github.PullRequestLinks{}})
		}
	}
	slices.SortFunc(list, func(a, b *github.Issue) int { return b.GetNumber() - a.GetNumber() })
	return page(s, r, list)
}

func (s *Server) createIssue(r *request) answer {
	var in github.IssueRequest
	if !r.decode(&in) {
		return refuse(http.StatusBadRequest, "Problems parsing JSON")
	}
	if in.GetTitle() == "" {
		return invalid("Validation Failed")
	}
	if a, ok := checkBody(in.GetBody()); !ok {
		return a
	}
	return created(s.addIssue(s.free(), r.token.Login, in.GetTitle(), in.GetBody()))
}

func (s *Server) editIssue(r *request) answer {
	i := s.issues[r.number()]
	var in github.IssueRequest
	switch {
	case i == nil:
		return notFound()
	case !r.decode(&in):
		return refuse(http.StatusBadRequest, "Problems parsing JSON")
	case in.State != nil && in.GetState() != "open" && in.GetState() != "closed",
		in.StateReason != nil && !slices.Contains([]string{"completed", "not_planned", "reopened"}, in.GetStateReason()):
		return invalid("Validation Failed")
	}
	edited := *i
	for _, f := range []struct{ to, from **string }{{&edited.Title, &in.Title}, {&edited.Body, &in.Body}, {&edited.State, &in.State}, {&edited.StateReason, &in.StateReason}} {
		if *f.from != nil {
			*f.to = *f.from
		}
	}
	*i = edited
	return ok(i)
}
