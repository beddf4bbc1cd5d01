package deploy

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/github/githubtest"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// recordingSystem keeps what the post step is told.
type recordingSystem struct {
	left     string
	warnings []string
}

func (s *recordingSystem) Info(string)                          {}
func (s *recordingSystem) Notice(p *problem.Problem)            { s.Warning(p) }
func (s *recordingSystem) Warning(p *problem.Problem)           { s.warnings = append(s.warnings, p.Message) }
func (s *recordingSystem) State(name, value string) (err error) { s.left = value; return nil }

// blockingTransport is a transport whose first change waits.
type blockingTransport struct{ arrived, release chan struct{} }

func (h blockingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && h.release != nil {
		h.arrived <- struct{}{}
		<-h.release
	}
	return http.DefaultTransport.RoundTrip(r)
}

// newDeploymentReport reports to a GitHub of the test's.
func newDeploymentReport(t *testing.T, through blockingTransport) (*deploymentReport, *githubtest.Server, *recordingSystem) {
	t.Helper()
	s := githubtest.New(t, githubtest.Options{})
	s.AddToken("token", githubtest.Token{Login: "github-actions[bot]", Workflow: true, Permissions: githubtest.Everything()})
	s.AddPull(githubtest.Pull{Number: 1})
	client, err := github.New(github.Options{BaseURL: s.URL, Token: "token", Repository: "acme/shop", Transport: through})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	system := &recordingSystem{}
	return &deploymentReport{
		Deployment: Deployment{GitHub: client, Environment: "production", App: "shop", SHA: githubtest.SHA(1), RunURL: "https://github.test/acme/shop/actions/runs/42", Run: 42, Attempt: 1},
		system:     system, cancelledTimeout: cancelledTimeout, created: make(chan struct{}),
	}, s, system
}

// How it ended is told by the status: who cancelled, a time that ran out and what went
// wrong are told apart.
func TestDeploymentReport_Finish(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tc := range map[string]struct {
		ctx    context.Context
		status int
		state  github.State
		said   string
	}{
		"done":                        {t.Context(), problem.Done, github.Success, "done in 2s"},
		"failed":                      {t.Context(), 1, github.Failure, "failed with 1"},
		"done before the signal":      {cancelled, problem.Done, github.Success, "done in 2s"},
		"cancelled":                   {cancelled, 1, github.Errored, "cancelled"},
		"terminated":                  {cancelled, problem.Terminated, github.Errored, "cancelled"},
		"interrupted at the terminal": {t.Context(), problem.Interrupted, github.Errored, "cancelled"},
		"out of time":                 {cancelled, problem.TimedOut, github.Failure, "failed with 5"},
	} {
		t.Run(name, func(t *testing.T) {
			d, s, system := newDeploymentReport(t, blockingTransport{})
			d.err = d.create(t.Context(), "deploy")
			close(d.created)
			d.finish(tc.ctx, tc.status, 2*time.Second)
			all := s.Deployments()
			if len(all) != 1 || len(system.warnings) > 0 || system.left != "" {
				t.Fatalf("%d deployments, warnings %q, left %q", len(all), system.warnings, system.left)
			}
			last := all[0].Statuses[len(all[0].Statuses)-1]
			if all[0].State() != string(tc.state) || last.GetDescription() != tc.said {
				t.Errorf("%s, %q", all[0].State(), last.GetDescription())
			}
		})
	}
}

// A cancelled run does not wait for a GitHub that takes its time: what it makes of the
// request then, the post step ends.
func TestDeploymentReport_GivesUpAfterACancellation(t *testing.T) {
	wait := blockingTransport{make(chan struct{}, 9), make(chan struct{})}
	d, s, system := newDeploymentReport(t, wait)
	d.cancelledTimeout = time.Millisecond
	go func() {
		defer close(d.created)
		d.err = d.create(t.Context(), "deploy")
	}()
	<-wait.arrived
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	d.finish(cancelled, problem.Terminated, time.Second)
	if len(system.warnings) != 1 || !UnreportedDeployment(system.left) {
		t.Fatalf("warnings %q, left %q", system.warnings, system.left)
	}
	close(wait.release)
	<-d.created
	if got := s.Deployments()[0].State(); got != "in_progress" {
		t.Fatalf("the late one is %s", got)
	}
	if err := d.EndLeft(t.Context(), system.left, true); err != nil {
		t.Fatal(err)
	}
	if got := s.Deployments()[0]; got.State() != "error" || got.Statuses[len(got.Statuses)-1].GetDescription() != "cancelled" {
		t.Errorf("it is %s", got.State())
	}
}

// What GitHub refuses for want of a permission the post step does not try again; what it
// did not answer it does.
func TestDeploymentReport_SavesWhatGitHubDidNotTake(t *testing.T) {
	for _, tc := range []struct {
		may  []string
		left bool
	}{{[]string{"deployments"}, true}, {nil, false}} {
		d, s, system := newDeploymentReport(t, blockingTransport{})
		permissions := map[string]string{"contents": "read"}
		for _, scope := range tc.may {
			permissions[scope] = "write"
		}
		s.AddToken("token", githubtest.Token{Login: "github-actions[bot]", Workflow: true, Permissions: permissions})
		d.SHA = githubtest.SHA(77) // which GitHub does not know
		d.err = d.create(t.Context(), "deploy")
		close(d.created)
		d.finish(t.Context(), problem.Done, time.Second)
		if UnreportedDeployment(system.left) != tc.left || len(system.warnings) == 0 {
			t.Errorf("may %q: left %q, warnings %q", tc.may, system.left, system.warnings)
		}
	}
}

// Of several apps of one run the post step ends each that GitHub does not know the end of,
// however the one after it has ended.
func TestDeploymentReport_LeavesWordOfEachApp(t *testing.T) {
	first, s, system := newDeploymentReport(t, blockingTransport{})
	second := *first
	second.App, second.created = "shop-api", make(chan struct{})
	jobs := Jobs{{Deployment: &first.Deployment}, {Deployment: &second.Deployment}}
	jobs.shareDeployments()

	first.save(nil)
	first.err = first.create(t.Context(), "deploy")
	close(first.created)
	s.Inject(func(githubtest.Call) githubtest.Fault { return githubtest.TooManyBare })
	first.finish(t.Context(), problem.Done, time.Second)
	s.Inject(func(githubtest.Call) githubtest.Fault { return githubtest.None })
	second.save(nil)
	second.err = second.create(t.Context(), "deploy")
	close(second.created)
	second.finish(t.Context(), problem.Done, time.Second)
	if !UnreportedDeployment(system.left) {
		t.Fatalf("left %q", system.left)
	}
	if err := first.EndLeft(t.Context(), system.left, true); err != nil {
		t.Fatal(err)
	}
	for _, d := range s.Deployments() {
		if d.State() != "success" {
			t.Errorf("%s is %s", d.GetTask(), d.State())
		}
	}
}
