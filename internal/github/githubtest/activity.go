package githubtest

import (
	"slices"
	"time"
)

// An activity is a push as GitHub lists it.
type activity struct {
	ID        int64  `json:"id"`
	Before    string `json:"before"`
	After     string `json:"after"`
	Ref       string `json:"ref"`
	Timestamp string `json:"timestamp"`
	Kind      string `json:"activity_type"`
}

// Push has a branch pushed to at a time, and the pull requests from it have that head.
func (s *Server) Push(branch, sha string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pulls {
		if p.GetHead().GetRef() == branch {
			p.Head.SHA = &sha
		}
	}
	s.commits[sha] = at
	s.push(branch, sha, at)
}

func (s *Server) push(branch, sha string, at time.Time) {
	a := activity{ID: int64(len(s.activity) + 1), After: sha, Ref: "refs/heads/" + branch, Timestamp: at.UTC().Format(time.RFC3339), Kind: "push"}
	for _, before := range s.activity {
		if before.Ref == a.Ref {
			a.Before = before.After
		}
	}
	if a.Before != sha {
		s.activity = append(s.activity, a)
	}
}

// ForgetPushes has GitHub list none: those of long ago it does not know.
func (s *Server) ForgetPushes() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.activity = nil
}

// listActivity lists the newest first. Its pages have cursors, and nobody asks for a second.
func (s *Server) listActivity(r *request) answer {
	if s.o.Gitea {
		return notFound()
	}
	ref := r.URL.Query().Get("ref")
	list := []activity{}
	for _, a := range slices.Backward(s.activity) {
		if ref == "" || a.Ref == ref || a.Ref == "refs/heads/"+ref {
			list = append(list, a)
		}
	}
	return ok(list[:min(len(list), 100)])
}
