package review_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/github/githubtest"
	"github.com/kamal-op/kamal-op/internal/review"
)

// A preview whose pull request is not open is an orphan, on each host that it is on; what
// is not ours is none, and nothing is changed or told.
func TestOrphans(t *testing.T) {
	s := newScene(t, "192.0.2.1", "192.0.2.2")
	for n := 1; n <= 2; n++ {
		s.github.AddPull(githubtest.Pull{Number: n})
		s.deploy(n)
	}
	s.another("shop-pr-3", nil)
	s.github.AddPull(githubtest.Pull{Number: 3, Closed: true})
	if orphans, all, err := s.orphans(); len(orphans) != 0 || all != 2 || err != nil {
		t.Errorf("all are open: %v, %d, %v", orphans, all, err)
	}
	s.github.AddPull(githubtest.Pull{Number: 1, Merged: true})
	there, comments := s.world.of("shop-pr-1"), len(s.github.Comments(1))
	orphans, all, err := s.orphans()
	if len(orphans) != 1 || orphans[0].Service != "shop-pr-1" || !slices.Equal(orphans[0].Hosts, []string{"192.0.2.1", "192.0.2.2"}) || all != 2 || err != nil {
		t.Errorf("%+v, %d, %v", orphans, all, err)
	}
	if s.world.of("shop-pr-1") != there || len(s.github.Comments(1)) != comments {
		t.Error("it was not only looked at")
	}
	// The list of open ones may miss one, and a repository that is not known has none.
	s.github.Inject(func(c githubtest.Call) githubtest.Fault {
		if strings.HasSuffix(c.Path, "/pulls/1") {
			return githubtest.TooManyBare
		}
		return githubtest.None
	})
	if orphans, _, err := s.orphans(); len(orphans) != 0 || err == nil {
		t.Errorf("GitHub does not say whether it is open: %v, %v", orphans, err)
	}
	s.review.Project.Repository = ""
	if _, _, err := s.orphans(); err == nil {
		t.Error("whose previews they are is not known")
	}
}

// When a preview expires is the sweep's question: GitHub is not asked for it.
func TestOrphans_AskNothingOfTheirAge(t *testing.T) {
	s := newScene(t, "192.0.2.1")
	s.review.Project.TTL = time.Hour
	s.github.AddPull(githubtest.Pull{Number: 1})
	s.deploy(1)
	s.clk.at = s.clk.at.Add(2 * time.Hour)
	s.github.Inject(func(c githubtest.Call) githubtest.Fault {
		if strings.Contains(c.Path, "/commits/") {
			return githubtest.TooManyBare
		}
		return githubtest.None
	})
	if orphans, all, err := s.orphans(); len(orphans) != 0 || all != 1 || err != nil {
		t.Errorf("%v, %d, %v", orphans, all, err)
	}
}

func (s *scene) orphans() ([]review.Orphan, int, error) {
	s.nextRun()
	open, err := s.review.GitHub.OpenPullRequests(s.Context())
	if err != nil {
		return nil, 0, err
	}
	return s.review.Orphans(s.Context(), open)
}

// A host that says nothing is told, and the others are looked at.
func TestOrphans_SilentHost(t *testing.T) {
	s := newScene(t, "192.0.2.1", "192.0.2.2")
	s.github.AddPull(githubtest.Pull{Number: 1})
	s.deploy(1)
	s.github.AddPull(githubtest.Pull{Number: 1, Closed: true})
	s.world.down["192.0.2.2"] = true
	orphans, _, err := s.orphans()
	wantProblem(t, err, "192.0.2.2 did not say what is there")
	if len(orphans) != 1 || !slices.Equal(orphans[0].Hosts, []string{"192.0.2.1"}) {
		t.Errorf("%+v", orphans)
	}
}
