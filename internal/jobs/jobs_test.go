package jobs_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/jobs"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// The environments of a job, as the systems document them.
var (
	gitlab = map[string]string{
		"GITLAB_CI": "true", "CI_SERVER_URL": "https://gitlab.example.com", "CI_API_V4_URL": "https://gitlab.example.com/api/v4",
		"CI_PROJECT_PATH": "group/sub/myapp", "CI_JOB_ID": "51", "CI_PIPELINE_ID": "7", "CI_JOB_TOKEN": "glcbt-job",
	}
	buildkite = map[string]string{
		"BUILDKITE": "true", "BUILDKITE_ORGANIZATION_SLUG": "example", "BUILDKITE_PIPELINE_SLUG": "myapp", "BUILDKITE_BUILD_NUMBER": "12",
		"BUILDKITE_JOB_ID": uuid,
	}
	circleci = map[string]string{
		"CIRCLECI": "true", "CIRCLE_BUILD_URL": "https://app.circleci.com/jobs/github/example/myapp/173", "CIRCLE_PROJECT_USERNAME": "example",
		"CIRCLE_PROJECT_REPONAME": "myapp", "CIRCLE_BUILD_NUM": "173", "CIRCLE_WORKFLOW_ID": uuid,
	}
)

const (
	uuid  = "e44f9784-e20e-4b93-a21d-f41fd5869db9"
	token = "a-token-that-may-read"
)

var now = time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)

// An api answers for every host, over TLS, as one of the systems.
type api struct {
	*httptest.Server
	asked []string // host, path and token
}

func newAPI(t *testing.T, answers map[string]string) (*api, http.RoundTripper) {
	t.Helper()
	a := &api{}
	a.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := ""
		for _, name := range []string{"PRIVATE-TOKEN", "JOB-TOKEN", "Authorization", "Circle-Token"} {
			if v := r.Header.Get(name); v != "" {
				given = name + " " + v
			}
		}
		a.asked = append(a.asked, r.Host+" "+r.RequestURI+" "+given)
		answer, ok := answers[r.RequestURI]
		switch {
		case !ok:
			http.NotFound(w, r)
		case strings.HasPrefix(answer, "https://"):
			http.Redirect(w, r, answer, http.StatusFound)
		case answer == "401" || answer == "403":
			http.Error(w, "no", map[string]int{"401": 401, "403": 403}[answer])
		default:
			_, _ = w.Write([]byte(answer))
		}
	}))
	t.Cleanup(a.Close)
	address := a.Listener.Addr().String()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the test's own server, under the names of others
	}
	t.Cleanup(transport.CloseIdleConnections)
	return a, transport
}

func ago(d time.Duration) string { return now.Add(-d).Format(time.RFC3339) }

func TestOver(t *testing.T) {
	gitlabPath, buildkitePath := "/api/v4/projects/group%2Fsub%2Fmyapp/jobs/50", "/v2/organizations/example/pipelines/myapp/builds/11?include_retried_jobs=true"
	circlePath := "/api/v2/workflow/" + uuid + "/job"
	for name, test := range map[string]struct {
		env    map[string]string
		path   string
		answer string
		over   bool
		why    string
	}{
		"gitlab succeeded":                  {gitlab, gitlabPath, `{"id":50,"status":"success","finished_at":"` + ago(time.Second) + `"}`, true, `GitLab says that the job is "success"`},
		"gitlab runs":                       {gitlab, gitlabPath, `{"id":50,"status":"running"}`, false, `"running"`},
		"gitlab being canceled":             {gitlab, gitlabPath, `{"id":50,"status":"canceling"}`, false, `"canceling"`},
		"gitlab just canceled":              {gitlab, gitlabPath, `{"id":50,"status":"canceled","finished_at":"` + ago(time.Minute) + `"}`, false, "may not have heard"},
		"gitlab canceled, a second too few": {gitlab, gitlabPath, `{"id":50,"status":"canceled","finished_at":"` + ago(2*time.Minute-time.Second) + `"}`, false, "may not have heard"},
		"gitlab canceled, long enough":      {gitlab, gitlabPath, `{"id":50,"status":"canceled","finished_at":"` + ago(2*time.Minute) + `"}`, true, `"canceled"`},
		"gitlab canceled":                   {gitlab, gitlabPath, `{"id":50,"status":"canceled","finished_at":"` + ago(3*time.Minute) + `"}`, true, `"canceled"`},
		"gitlab failed, no end":             {gitlab, gitlabPath, `{"id":50,"status":"failed","failure_reason":"script_failure","finished_at":null}`, false, "may not have heard"},
		"gitlab failed":                     {gitlab, gitlabPath, `{"id":50,"status":"failed","failure_reason":"script_failure","finished_at":"` + ago(time.Hour) + `"}`, true, `"failed"`},
		"gitlab, too long":                  {gitlab, gitlabPath, `{"id":50,"status":"failed","failure_reason":"job_execution_timeout","finished_at":"` + ago(time.Hour) + `"}`, true, `"failed"`},
		"gitlab, another job":               {gitlab, gitlabPath, `{"id":51,"status":"success"}`, false, "does not know"},
		"gitlab, not to be seen":            {gitlab, "/none", ``, false, "GitLab does not know that job"},

		"buildkite passed":              {buildkite, buildkitePath, `{"jobs":[{"id":"x","state":"running"},{"id":"` + uuid + `","state":"passed"}]}`, true, `Buildkite says that the job is "passed"`},
		"buildkite runs":                {buildkite, buildkitePath, `{"jobs":[{"id":"` + uuid + `","state":"running"}]}`, false, `"running"`},
		"buildkite canceled":            {buildkite, buildkitePath, `{"jobs":[{"id":"` + uuid + `","state":"canceled","finished_at":"` + ago(time.Hour) + `"}]}`, true, `"canceled"`},
		"buildkite failed":              {buildkite, buildkitePath, `{"jobs":[{"id":"` + uuid + `","state":"failed","exit_status":1,"finished_at":"` + ago(time.Hour) + `"}]}`, true, `"failed"`},
		"buildkite, ended by its agent": {buildkite, buildkitePath, `{"jobs":[{"id":"` + uuid + `","state":"canceled","exit_status":-1,"signal_reason":"cancel","finished_at":"` + ago(time.Hour) + `"}]}`, true, `"canceled"`},
		"buildkite, no job":             {buildkite, buildkitePath, `{"jobs":[{"id":"x","state":"passed"}]}`, false, "does not know"},

		"circleci succeeded":   {circleci, circlePath, `{"items":[{"job_number":172,"status":"success"}]}`, true, `CircleCI says that the job is "success"`},
		"circleci runs":        {circleci, circlePath, `{"items":[{"job_number":172,"status":"running"},{"job_number":1,"status":"success"}]}`, false, `"running"`},
		"circleci timed out":   {circleci, circlePath, `{"items":[{"job_number":172,"status":"timedout","stopped_at":"` + ago(time.Hour) + `"}]}`, true, `"timedout"`},
		"circleci, a new word": {circleci, circlePath, `{"items":[{"job_number":172,"status":"\u001b[31mdone"}]}`, false, `"\x1b[31mdone"`},
	} {
		t.Run(name, func(t *testing.T) {
			a, transport := newAPI(t, map[string]string{test.path: test.answer})
			c, err := jobs.New(jobs.Options{Env: test.env, Token: token, Transport: transport, Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			j, _ := jobs.Own(test.env)
			j.UUID = uuid
			j.ID, j.Run = j.ID-1, j.Run-1
			over, why, err := c.Over(t.Context(), j)
			if over != test.over || !strings.Contains(why, test.why) || err != nil {
				t.Errorf("%v, %q, %v, want %v, %q", over, why, err, test.over, test.why)
			}
			if len(a.asked) != 1 || !strings.HasSuffix(a.asked[0], token) {
				t.Errorf("asked %q", a.asked)
			}
		})
	}
}

// A job that is called ended because its machine does not answer may go on: however
// long ago that was, it counts as alive.
func TestOver_TakesALostMachineForAlive(t *testing.T) {
	gitlabPath, buildkitePath := "/api/v4/projects/group%2Fsub%2Fmyapp/jobs/50", "/v2/organizations/example/pipelines/myapp/builds/11?include_retried_jobs=true"
	circlePath := "/api/v2/workflow/" + uuid + "/job"
	long := ago(72 * time.Hour)
	for name, test := range map[string]struct {
		env          map[string]string
		path, answer string
		why          string
	}{
		"gitlab, no updates":      {gitlab, gitlabPath, `{"id":50,"status":"failed","failure_reason":"no_updates_running","finished_at":"` + long + `"}`, "no_updates_running"},
		"gitlab, stuck":           {gitlab, gitlabPath, `{"id":50,"status":"failed","failure_reason":"stuck_or_timeout_failure","finished_at":"` + long + `"}`, "stuck_or_timeout_failure"},
		"gitlab, the runner":      {gitlab, gitlabPath, `{"id":50,"status":"failed","failure_reason":"runner_system_failure","finished_at":"` + long + `"}`, "runner_system_failure"},
		"gitlab, no reason":       {gitlab, gitlabPath, `{"id":50,"status":"failed","finished_at":"` + long + `"}`, "no reason"},
		"buildkite, lost":         {buildkite, buildkitePath, `{"jobs":[{"id":"` + uuid + `","state":"failed","exit_status":-1,"finished_at":"` + long + `"}]}`, "exit status -1"},
		"buildkite, agent's end":  {buildkite, buildkitePath, `{"jobs":[{"id":"` + uuid + `","state":"failed","exit_status":-1,"signal_reason":"agent_stop","finished_at":"` + long + `"}]}`, "exit status -1"},
		"circleci infrastructure": {circleci, circlePath, `{"items":[{"job_number":172,"status":"infrastructure_fail","stopped_at":"` + long + `"}]}`, "infrastructure_fail"},
		"circleci unknown":        {circleci, circlePath, `{"items":[{"job_number":172,"status":"terminated-unknown","stopped_at":"` + long + `"}]}`, "terminated-unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			_, transport := newAPI(t, map[string]string{test.path: test.answer})
			c, err := jobs.New(jobs.Options{Env: test.env, Token: token, Transport: transport, Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			j, _ := jobs.Own(test.env)
			j.UUID = uuid
			j.ID, j.Run = j.ID-1, j.Run-1
			if over, why, err := c.Over(t.Context(), j); over || !strings.Contains(why, test.why) || err != nil {
				t.Errorf("%v, %q, %v, want alive, %q", over, why, err, test.why)
			}
		})
	}
}

// A workflow of many jobs has several pages.
func TestOver_ReadsEveryPage(t *testing.T) {
	path := "/api/v2/workflow/" + uuid + "/job"
	_, transport := newAPI(t, map[string]string{
		path: `{"items":[{"job_number":1,"status":"success"}],"next_page_token":"a b"}`, path + "?page-token=a+b": `{"items":[{"job_number":172,"status":"success"}]}`,
	})
	c, err := jobs.New(jobs.Options{Env: circleci, Token: token, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	j, _ := jobs.Own(circleci)
	j.ID = 172
	if over, why, err := c.Over(t.Context(), j); !over || err != nil {
		t.Errorf("%v, %q, %v", over, why, err)
	}
}

// The token goes to the host that the system names, over TLS, and nowhere else; what
// a lock says becomes no address.
func TestOver_SendsTheTokenToNobodyElse(t *testing.T) {
	path := "/api/v4/projects/group%2Fsub%2Fmyapp/jobs/50"
	a, transport := newAPI(t, map[string]string{path: "https://evil.example.com/" + token})
	client := func(env map[string]string, given string) *jobs.Client {
		c, err := jobs.New(jobs.Options{Env: env, Token: given, Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	own, _ := jobs.Own(gitlab)
	own.ID = 50
	if over, _, err := client(gitlab, token).Over(t.Context(), own); over || err == nil {
		t.Errorf("a redirect is followed: %v, %v", over, err)
	}
	if _, _, err := client(gitlab, "glcbt-job").Over(t.Context(), own); err == nil {
		t.Error("a redirect is followed")
	}
	want := []string{"gitlab.example.com " + path + " PRIVATE-TOKEN " + token, "gitlab.example.com " + path + " JOB-TOKEN glcbt-job"}
	if len(a.asked) != 2 || a.asked[0] != want[0] || a.asked[1] != want[1] {
		t.Errorf("asked %q", a.asked)
	}
	a.asked = nil
	for _, foreign := range []jobs.Job{
		{Server: "https://evil.example.com", Repository: own.Repository, ID: 50},
		{Server: own.Server, Repository: "group/other", ID: 50},
		{Server: own.Server, Repository: own.Repository, ID: -1},
		{Server: own.Server, Repository: own.Repository},
	} {
		if over, why, err := client(gitlab, token).Over(t.Context(), foreign); over || why == "" || err != nil {
			t.Errorf("%+v: %v, %q, %v", foreign, over, why, err)
		}
	}
	for _, env := range []map[string]string{buildkite, circleci} {
		j, _ := jobs.Own(env)
		j.UUID = "../../../user"
		if over, _, err := client(env, token).Over(t.Context(), j); over || err != nil {
			t.Errorf("%v, %v", over, err)
		}
	}
	if len(a.asked) > 0 {
		t.Errorf("asked %q", a.asked)
	}
	for _, address := range []string{"http://gitlab.example.com/api/v4", "", "https://", "https://a@b/"} {
		env := map[string]string{"GITLAB_CI": "true", "CI_API_V4_URL": address}
		if _, err := jobs.New(jobs.Options{Env: env, Token: token}); err == nil || !strings.Contains(err.Error(), "not https://") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestOver_SaysWhatATokenMayNot(t *testing.T) {
	path := "/api/v4/projects/group%2Fsub%2Fmyapp/jobs/50"
	for answer, want := range map[string]string{"401": "does not let KAMAL_OP_CI_TOKEN read jobs", "403": "does not let KAMAL_OP_CI_TOKEN read jobs", "<html>": "not what it should be"} {
		_, transport := newAPI(t, map[string]string{path: answer})
		c, err := jobs.New(jobs.Options{Env: gitlab, Token: token, Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		own, _ := jobs.Own(gitlab)
		own.ID = 50
		over, _, err := c.Over(t.Context(), own)
		if over || err == nil || !strings.Contains(problem.Of(err)[0].Message, want) || strings.Contains(err.Error(), token) {
			t.Errorf("%s: %v, %v", answer, over, err)
		}
	}
}
