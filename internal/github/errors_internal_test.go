package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v66/github"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// Each refusal of GitHub's is told for what it is, and says whether a permission is
// what is missing.
func TestClient_TellsRefusals(t *testing.T) {
	c := &Client{owner: "acme", repo: "shop", base: &url.URL{Host: "api.test"}, deadline: time.Minute}
	for status, want := range map[int]struct {
		message string
		denied  bool
	}{
		401: {"doing it: GitHub does not accept the token", true},
		403: {"doing it: the token may not do that", true},
		404: {"doing it: there is no such thing in acme/shop, or the token may not see it", true},
		410: {"doing it: there is no such thing in acme/shop, or the token may not see it", false},
		301: {"doing it: acme/shop has moved", false}, 302: {"doing it: acme/shop has moved", false},
		303: {"doing it: acme/shop has moved", false}, 307: {"doing it: acme/shop has moved", false},
		308: {"doing it: acme/shop has moved", false}, 409: {"doing it: GitHub answered 409", false}, 422: {"doing it: GitHub answered 422", false},
	} {
		r := &github.ErrorResponse{Response: &http.Response{StatusCode: status, Request: &http.Request{URL: &url.URL{}}, Header: http.Header{}}, Message: "why"}
		for n := range 7 {
			r.Errors = append(r.Errors, github.Error{Field: fmt.Sprint("field", n)})
		}
		err := c.tell(r, "doing it", writePulls)
		p := problem.Of(err)[0]
		var denied *DeniedError
		if p.Message != want.message || errors.As(err, &denied) != want.denied || statusOf(err) != status || IsMissing(err) != (status == 404) {
			t.Errorf("%d: %s, denied %v", status, p.Message, denied)
		}
		if got := strings.Join(p.Details, "\n"); got != "GitHub says: why\nfield0\nfield1\nfield2\nfield3\nfield4" {
			t.Errorf("%d: details\n%s", status, got)
		}
		if denied != nil && (denied.Status != status || denied.Permission != "pull-requests: write") {
			t.Errorf("%d: %+v", status, denied)
		}
	}
}

// What GitHub says of permissions is taken over only where it is nothing else.
func TestClient_AcceptedPermissions(t *testing.T) {
	c := &Client{base: &url.URL{}}
	for accepted, taken := range map[string]bool{
		"deployments=write": true, "issues=write; pull_requests=write": true, "metadata=read,contents=read": true,
		"": false, "deployments": false, "x=y": false, "deployments=write\n::error::": false, "deployments=write`": false,
		strings.Repeat("a", 189) + "=read": true, strings.Repeat("a", 196) + "=read": false,
	} {
		r := &github.ErrorResponse{Response: &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{"X-Accepted-Github-Permissions": {accepted}}}}
		p := problem.Of(c.tell(r, "doing it", writePulls))[0]
		if got := strings.Contains(p.Hint, "(GitHub accepts "); got != taken || !strings.HasPrefix(p.Hint, "the job needs `permissions: pull-requests: write`") {
			t.Errorf("%q: %s", accepted, p.Hint)
		}
	}
}

func TestClient_TellsWhatIsNoAnswer(t *testing.T) {
	c := &Client{base: &url.URL{Host: "api.test"}, deadline: time.Minute}
	for _, tc := range []struct {
		err    error
		want   string
		status int
	}{
		{&limitError{why: "GitHub's rate limit", wait: time.Hour}, "doing it: GitHub's rate limit does not end in time", problem.TimedOut},
		{context.DeadlineExceeded, "doing it: no answer from api.test in 1m0s", problem.TimedOut},
		{&unclearError{cause: errors.New("x")}, "doing it: api.test gave no clear answer", problem.Found},
		{&url.Error{Err: errors.New("x")}, "doing it: api.test gave no answer", problem.Found},
		{errors.New("a\nb"), "doing it: a b", problem.Found},
	} {
		if p := problem.Of(c.tell(tc.err, "doing it", readPulls))[0]; p.Message != tc.want || p.Status != tc.status {
			t.Errorf("%v: %s, status %d", tc.err, p.Message, p.Status)
		}
	}
	if err := c.tell(context.Canceled, "doing it", readPulls); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "doing") {
		t.Errorf("cancelled is told as %v", err)
	}
	if err := c.tell(nil, "doing it", readPulls); err != nil {
		t.Error(err)
	}
	mine := problem.Newf("mine")
	if err := c.tell(mine, "doing it", readPulls); !errors.Is(err, mine) || err.Error() != "mine" {
		t.Errorf("a problem is told as %v", err)
	}
}

func TestClean(t *testing.T) {
	if got := clean(strings.Repeat("ä", 300)); got != strings.Repeat("ä", 300) {
		t.Error("what fits was cut")
	}
	if got := clean(strings.Repeat("ä", 301)); got != strings.Repeat("ä", 300)+"…" {
		t.Errorf("%d characters", len([]rune(got)))
	}
	if got := clean("a\n\x1b\u202eb\u2028\u2029\xff"); got != "a   b" {
		t.Errorf("%q", got)
	}
}
