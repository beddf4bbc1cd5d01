// Package github is GitHub's API as kamal-op uses it: whether a run is over,
// deployments and their statuses, the one comment a pull request has, open pull
// requests, who may write. It speaks to github.com, to GitHub Enterprise Server
// and, as far as its API is the same, to Gitea and Forgejo.
//
// # What it promises
//
// A call either has its effect once, or fails with a *problem.Problem that says
// what was refused and which permission is missing. Rate limits (429, and 403 as
// GitHub sends it), 5xx answers, broken connections and answers cut short are
// waited for and tried again, within the caller's context and one deadline per
// operation. What must not happen twice (a comment, a deployment) is looked for
// before it is tried again. Changes are made one after another.
//
// Text that comes from the API was written by anybody: it is returned as it is,
// and never part of a message without being cleaned.
//
// It imports internal/problem only, and reads nothing from the environment.
package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/google/go-github/v66/github"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// publicAPI is the API of github.com.
const publicAPI = "https://api.github.com"

// Defaults of Options.
const (
	DefaultDeadline = 3 * time.Minute  // of one operation, its waits included
	DefaultAttempt  = 30 * time.Second // of one request
)

// Options say which API is spoken to, as whom, and about which repository.
type Options struct {
	// BaseURL is the API's root as GITHUB_API_URL has it: https://api.github.com,
	// https://HOST/api/v3 on GitHub Enterprise Server, https://HOST/api/v1 on
	// Gitea. Empty is github.com. The token is sent to this host and to no other.
	BaseURL string
	// Token is a workflow's token, an app's or a person's. Empty is nobody. Origin is where
	// it was given, for messages: a variable or an input.
	Token, Origin string
	// Repository is owner/name.
	Repository string
	// Login is who the token speaks as, where that is known; otherwise it is asked.
	Login string
	// UserAgent is sent with every request; GitHub refuses requests without.
	UserAgent string
	// Deadline is how long one operation may take in all, its waits included;
	// 0 is DefaultDeadline. Attempt bounds one request; 0 is DefaultAttempt.
	Deadline, Attempt time.Duration
	// Waiting is told of each wait before it begins: why, and how long.
	Waiting func(why string, wait time.Duration)
	// Transport carries the requests; nil is a transport of our own.
	Transport http.RoundTripper
	// Now and Sleep are the clock; nil is the real one.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
}

// Format prints the options without the token, whatever the verb.
func (o Options) Format(f fmt.State, _ rune) {
	// A Formatter has nobody to tell: who prints gets the error.
	_, _ = fmt.Fprintf(f, "github.Options{%s %s}", o.BaseURL, o.Repository)
}

// A Client speaks to one API about one repository. It may be used by several
// goroutines; changes are made one after another, as GitHub asks of its callers.
type Client struct {
	api         *github.Client
	owner, repo string
	base        *url.URL
	origin      string // where the token was given
	deadline    time.Duration
	now         func() time.Time
	sleep       func(context.Context, time.Duration) error

	changing sync.Mutex // held for the length of an operation that changes something
	// made is what we commented and what a list that lags may not show; under changing.
	made map[thread][]Comment

	identity sync.Mutex
	self     login // who the token speaks as; empty until asked
}

// An owner and a name, as GitHub and Gitea allow them.
var repositoryName = lazy.Regexp(`^[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]+$`)

// New makes a client. It asks the API nothing yet.
func New(o Options) (*Client, error) {
	if !repositoryName().MatchString(o.Repository) || strings.HasSuffix(o.Repository, "/.") || strings.HasSuffix(o.Repository, "/..") {
		return nil, problem.Usagef("give it as OWNER/NAME", "%q is no repository", clean(o.Repository))
	}
	if o.BaseURL == "" {
		o.BaseURL = publicAPI
	}
	base, err := url.Parse(strings.TrimRight(o.BaseURL, "/") + "/")
	switch {
	case strings.Contains(o.BaseURL, "@"), err == nil && (base.RawQuery != "" || base.Fragment != ""):
		return nil, problem.Usagef("give the address alone", "the address of the API holds more than a host and a path") // it may hold a password
	case err != nil, base.Host == "", base.Scheme != "https" && base.Scheme != "http":
		return nil, problem.Usagef("give it as GITHUB_API_URL has it, for example "+publicAPI, "%q is no address of an API", clean(o.BaseURL))
	}
	if o.UserAgent == "" {
		o.UserAgent = "kamal-op"
	}
	if o.Deadline == 0 {
		o.Deadline = DefaultDeadline
	}
	if o.Attempt == 0 {
		o.Attempt = DefaultAttempt
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport.(*http.Transport).Clone()
	}
	t := &transport{
		next: o.Transport, base: base, token: o.Token, attempt: o.Attempt,
		now: o.Now, sleep: o.Sleep, waiting: o.Waiting,
	}
	api := github.NewClient(&http.Client{Transport: t, CheckRedirect: sameQuestion})
	// Not WithEnterpriseURLs: it adds /api/v3/ to whatever is not github.com, which
	// is wrong for Gitea and for every test server.
	api.BaseURL, api.UserAgent = base, o.UserAgent
	owner, repo, _ := strings.Cut(o.Repository, "/")
	return &Client{
		api: api, owner: owner, repo: repo, base: base, origin: o.Origin,
		deadline: o.Deadline, now: o.Now, sleep: o.Sleep, self: login{o.Login, true},
		made: map[thread][]Comment{},
	}, nil
}

// Repository is owner/name.
func (c *Client) Repository() string { return c.owner + "/" + c.repo }

// Close closes the connections that are kept for a next request.
func (c *Client) Close() { c.api.Client().CloseIdleConnections() }

// start bounds one operation by the client's deadline; the transport and our own
// waits look at it on the client's clock.
func (c *Client) start(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, nested := ctx.Value(deadlineKey{}).(time.Time); nested {
		return ctx, func() {}
	}
	allowed := c.deadline
	if end, ok := ctx.Deadline(); ok {
		allowed = min(allowed, time.Until(end))
	}
	ctx = context.WithValue(ctx, deadlineKey{}, c.now().Add(allowed))
	return context.WithTimeout(ctx, allowed)
}

// sleep waits for d, or until ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// sameQuestion follows a redirect (a repository that was renamed) only where it
// leads to the same host and asks the same: net/http would turn a POST into a GET,
// and its answer would be taken for the answer to the POST.
func sameQuestion(req *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > 5 || req.Method != first.Method || req.URL.Host != first.URL.Host || req.URL.Scheme != first.URL.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}

// each walks the pages of a list until the last, or until step says stop.
func each[T any](list func(github.ListOptions) ([]T, *github.Response, error), step func(T) (more bool)) error {
	opts := github.ListOptions{PerPage: 100}
	for range 1000 {
		page, resp, err := list(opts)
		if err != nil {
			return err
		}
		for _, item := range page {
			if !step(item) {
				return nil
			}
		}
		if resp.NextPage <= opts.Page || len(page) == 0 {
			return nil
		}
		opts.Page = resp.NextPage
	}
	return errors.New("the list has more than 1000 pages")
}
