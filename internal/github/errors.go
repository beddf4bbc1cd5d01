package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/google/go-github/v66/github"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A need is the permission that a call needs, as a workflow's `permissions:` has it.
type need struct{ scope, level string }

func (n need) String() string { return n.scope + ": " + n.level }

// The permissions of what we do (docs.github.com, "Permissions required for GitHub Apps").
var (
	readActions      = need{"actions", "read"}
	readContents     = need{"contents", "read"}
	readMetadata     = need{"metadata", "read"}
	readDeployments  = need{"deployments", "read"}
	writeDeployments = need{"deployments", "write"}
	readPulls        = need{"pull-requests", "read"}
	writePulls       = need{"pull-requests", "write"}
	writeIssues      = need{"issues", "write"}
	writeAdmin       = need{"administration", "write"}
)

// A DeniedError is the cause of a problem where GitHub refused for want of a
// permission; for errors.As.
type DeniedError struct {
	Doing      string // what was to be done
	Permission string // what a workflow's permissions would have to say, "deployments: write"
	Status     int    // 401, 403 or 404
}

func (d *DeniedError) Error() string { return d.Doing + ": needs " + d.Permission }

// IsStale says that GitHub does not accept the token at all, where err is a refusal: it has
// ended, or was taken back. No permission helps then.
func IsStale(err error) bool {
	var d *DeniedError
	return errors.As(err, &d) && d.Status == http.StatusUnauthorized
}

// IsMissing says that err is GitHub's 404: there is no such thing, or the token
// may not see it.
func IsMissing(err error) bool {
	var r *github.ErrorResponse
	return errors.As(err, &r) && r.Response != nil && r.Response.StatusCode == http.StatusNotFound
}

// statusOf is the HTTP status that err carries, or 0.
func statusOf(err error) int {
	var r *github.ErrorResponse
	if errors.As(err, &r) && r.Response != nil {
		return r.Response.StatusCode
	}
	return 0
}

// What GitHub answers in X-Accepted-GitHub-Permissions: "deployments=write".
var acceptedPermissions = lazy.Regexp(`^[a-z_]+=(read|write|admin)([;, ]+[a-z_]+=(read|write|admin))*$`)

// tell makes a problem of what a call failed with: doing is what was to be done,
// in the form "creating a deployment".
func (c *Client) tell(err error, doing string, needs need) error {
	if err == nil {
		return nil
	}
	if p := (*problem.Problem)(nil); errors.As(err, &p) {
		return err
	}
	p := &problem.Problem{Message: doing + ": " + clean(err.Error()), Status: problem.Found, Cause: err, Help: problem.GitHubRefuses}
	var limit *limitError
	var unclear *unclearError
	var sending *url.Error
	var response *github.ErrorResponse
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &limit):
		p.Message = fmt.Sprintf("%s: %s does not end in time", doing, limit.why)
		p.Details = []string{"it asks to wait " + limit.wait.String()}
		p.Hint = "run it again later"
		p.Status = problem.TimedOut
	case errors.Is(err, context.DeadlineExceeded):
		p.Message = fmt.Sprintf("%s: no answer from %s in %s", doing, c.base.Host, c.deadline)
		p.Hint = "is the API reachable from here?"
		p.Status = problem.TimedOut
	case errors.As(err, &unclear):
		p.Message = fmt.Sprintf("%s: %s gave no clear answer", doing, c.base.Host)
		p.Details = []string{clean(unclear.cause.Error())}
		p.Hint = "it may have been done or not; run it again later"
	case errors.As(err, &sending):
		p.Message = fmt.Sprintf("%s: %s gave no answer", doing, c.base.Host)
		p.Details = []string{clean(sending.Err.Error())}
		p.Hint = "is the API reachable from here?"
	case errors.As(err, &response) && response.Response != nil:
		c.tellResponse(p, response, doing, needs)
	}
	return p
}

// tellResponse words an answer that refuses.
func (c *Client) tellResponse(p *problem.Problem, r *github.ErrorResponse, doing string, needs need) {
	status := r.Response.StatusCode
	said := clean(r.Message)
	hint := fmt.Sprintf("the job needs `permissions: %s`", needs)
	if accepted := r.Response.Header.Get("X-Accepted-GitHub-Permissions"); len(accepted) < 200 && acceptedPermissions().MatchString(accepted) {
		hint += fmt.Sprintf(" (GitHub accepts %s)", accepted)
	}
	switch status {
	case http.StatusUnauthorized:
		p.Message = doing + ": GitHub does not accept the token"
		if c.origin != "" {
			p.Message += " (" + c.origin + ")"
		}
		p.Hint = "it has ended, or was taken back: in a workflow give ${{ github.token }}, which is new in each run; renew a person's on GitHub, under Settings, Developer settings"
	case http.StatusForbidden:
		p.Message = doing + ": the token may not do that"
		p.Hint = hint
	case http.StatusNotFound, http.StatusGone:
		p.Message = fmt.Sprintf("%s: there is no such thing in %s, or the token may not see it", doing, c.Repository())
		p.Hint = "where it should be there, " + hint
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		p.Message = fmt.Sprintf("%s: %s has moved", doing, c.Repository())
		p.Hint = "use the repository's new name"
	default:
		p.Message = fmt.Sprintf("%s: GitHub answered %d", doing, status)
	}
	if said != "" {
		p.Details = append(p.Details, "GitHub says: "+said)
	}
	for i, e := range r.Errors {
		if i == 5 {
			break
		}
		p.Details = append(p.Details, strings.TrimSpace(clean(strings.Join([]string{e.Resource, e.Field, e.Code, e.Message}, " "))))
	}
	if status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusNotFound {
		p.Cause = errors.Join(&DeniedError{Doing: doing, Permission: needs.String(), Status: status}, r)
	}
}

// clean makes text that anybody may have written into one line that is safe to
// show: no control characters (they move a terminal's cursor, and a line feed
// could begin a workflow command), at most 300 of what is left.
func clean(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > 300 {
			b.WriteString("…")
			break
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar || r == '\u2028' || r == '\u2029' {
			r = ' '
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}
