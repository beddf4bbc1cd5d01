package github

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/google/go-github/v66/github"
)

// A Push is one to a branch, whatever has made it: also a merge, or the branch's beginning.
type Push struct {
	SHA string    // what the branch's head was then
	At  time.Time // as GitHub has seen it, in whole seconds
}

// Pushes are the last hundred to a branch, the newest first. A server that keeps no such
// list answers as IsMissing says. It needs `contents: read`.
func (c *Client) Pushes(ctx context.Context, branch string) ([]Push, error) {
	ctx, done := c.start(ctx)
	defer done()
	ref := "refs/heads/" + branch
	doing := "reading the pushes to " + clean(branch)
	query := url.Values{"ref": {ref}, "direction": {"desc"}, "per_page": {"100"}}
	// go-github v66 has no call for it.
	req, err := c.api.NewRequest(http.MethodGet, "repos/"+c.owner+"/"+c.repo+"/activity?"+query.Encode(), nil)
	if err != nil {
		return nil, c.tell(err, doing, readContents)
	}
	var list []struct {
		After     string           `json:"after"`
		Ref       string           `json:"ref"`
		Timestamp github.Timestamp `json:"timestamp"`
	}
	if _, err := c.api.Do(ctx, req, &list); err != nil {
		return nil, c.tell(err, doing, readContents)
	}
	var pushes []Push
	for _, a := range list {
		if a.Ref == ref && commitSHA().MatchString(a.After) && !a.Timestamp.IsZero() {
			pushes = append(pushes, Push{SHA: a.After, At: a.Timestamp.Time})
		}
	}
	slices.SortStableFunc(pushes, func(a, b Push) int { return b.At.Compare(a.At) })
	return pushes, nil
}
