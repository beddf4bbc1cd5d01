package deploy

import (
	"context"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// What is left behind one that did not end well is said, and how all ended: nothing was
// changed only where nothing was deployed before.
func TestJobs_ReportAFailure(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	all := Jobs{{Title: "api"}, {Title: "worker"}, {Title: "web"}}
	for name, tc := range map[string]struct {
		ctx            context.Context
		failed, status int
		ended          int
		said, hint     string
	}{
		"the first":               {t.Context(), 0, problem.Found, problem.Found, "api has failed; not begun: worker, web", "when it is mended, go on with --service api --service worker --service web"},
		"the second":              {t.Context(), 1, problem.Found, problem.Partial, "worker has failed; deployed before it, and stays: api; not begun: web", "when it is mended, go on with --service worker --service web"},
		"the last, as Kamal says": {t.Context(), 2, 1, problem.Partial, "web has failed; deployed before it, and stays: api, worker", "when it is mended, go on with --service web"},
		"the second in part":      {t.Context(), 1, problem.Partial, problem.Partial, "worker is done in part; deployed before it, and stays: api; not begun: web", "when it is mended, go on with --service worker --service web"},
		"cancelled":               {cancelled, 1, problem.Terminated, problem.Terminated, "worker was cancelled; deployed before it, and stays: api; not begun: web", "go on with --service worker --service web"},
		"out of time":             {cancelled, 1, problem.TimedOut, problem.TimedOut, "worker did not end in time; deployed before it, and stays: api; not begun: web", "when it is mended, go on with --service worker --service web"},
	} {
		t.Run(name, func(t *testing.T) {
			status, err := all.failure(tc.ctx, tc.failed, tc.status)
			p := problem.Of(err)[0]
			if status != tc.ended || p.Status != tc.ended || p.Message != tc.said || p.Hint != tc.hint || !strings.Contains(p.URL(), "monorepos.md") {
				t.Errorf("%d: %s (%s, %d)", status, p.Message, p.Hint, p.Status)
			}
		})
	}
}
