package github

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v66/github"
)

type (
	listOptions = github.ListOptions
	response    = github.Response
)

// A carrier is an http.RoundTripper as a function.
type carrier func(*http.Request) (*http.Response, error)

func (f carrier) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answered(status int, header http.Header, body string) *http.Response {
	if header == nil {
		header = http.Header{"Content-Type": {"application/json"}}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}
}

func parsedURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// The token is sent to the API's own host, port and scheme, whatever address a request
// has; one that a caller has put there goes nowhere else either.
func TestTransport_SendsTheTokenToTheAPIAlone(t *testing.T) {
	for address, want := range map[string]string{
		"https://api.example.com/repos":                  "Bearer the-token",
		"http://api.example.com/repos":                   "",
		"https://api.example.com:8443/repos":             "",
		"https://evil.example.com/repos":                 "",
		"https://api.example.com.evil.com/repos":         "",
		"https://evil.com/api.example.com":               "",
		"https://api.example.com@evil.com/repos":         "",
		"https://uploads.example.com/api.example.com/x":  "",
		"https://objects.githubusercontent.com/download": "",
	} {
		var got string
		tr := &transport{
			base: parsedURL(t, "https://api.example.com/"), token: "the-token", attempt: time.Minute, now: time.Now,
			next: carrier(func(r *http.Request) (*http.Response, error) {
				got = r.Header.Get("Authorization")
				return answered(200, nil, "{}"), nil
			}),
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer another")
		resp, _, err := tr.once(req)
		if err != nil || got != want {
			t.Errorf("%s was sent %q, %v", address, got, err)
			continue
		}
		_ = resp.Body.Close()
	}
}

// A redirect is followed only to the same host, with the same method: everything else
// is the answer itself, and no success.
func TestSameQuestion(t *testing.T) {
	request := func(method, address string) *http.Request {
		return &http.Request{Method: method, URL: parsedURL(t, address)}
	}
	const from = "https://api.example.com/repos/a/b"
	for _, tc := range []struct {
		name        string
		first, next *http.Request
		hops        int
		follow      bool
	}{
		{"renamed", request("GET", from), request("GET", "https://api.example.com/repositories/1"), 1, true},
		{"another host", request("GET", from), request("GET", "https://evil.com/repos/a/b"), 1, false},
		{"another port", request("GET", from), request("GET", "https://api.example.com:1/repos/a/b"), 1, false},
		{"in the clear", request("GET", from), request("GET", "http://api.example.com/repos/a/b"), 1, false},
		{"a POST that became a GET", request("POST", from), request("GET", "https://api.example.com/repositories/1"), 1, false},
		{"a POST again", request("POST", from), request("POST", "https://api.example.com/repositories/1"), 1, true},
		{"the fifth", request("GET", from), request("GET", from), 5, true},
		{"the sixth", request("GET", from), request("GET", from), 6, false},
	} {
		via := []*http.Request{tc.first}
		for len(via) < tc.hops {
			via = append(via, tc.first)
		}
		err := sameQuestion(tc.next, via)
		if (err == nil) != tc.follow || err != nil && !errors.Is(err, http.ErrUseLastResponse) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// What an answer must be to count as one.
func TestTransport_TakesWholeAnswersOnly(t *testing.T) {
	json := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	text := http.Header{"Content-Type": {"text/html"}}
	for _, tc := range []struct {
		name   string
		method string
		resp   *http.Response
		taken  bool
		sent   bool
	}{
		{"JSON", "GET", answered(200, json, `{}`), true, true},
		{"of another kind", "GET", answered(200, http.Header{"Content-Type": {"application/vnd.github+json"}}, `[]`), true, true},
		{"created", "POST", answered(201, json, `{}`), true, true},
		{"a page of a proxy", "GET", answered(200, text, `<html>`), false, true},
		{"JSON cut short", "GET", answered(200, json, `{"a":`), false, true},
		{"nothing", "GET", answered(200, json, ``), false, true},
		{"nothing, deleted", "DELETE", answered(200, text, ``), true, true},
		{"nothing, put", "PUT", answered(200, text, ``), true, true},
		{"text, deleted", "DELETE", answered(200, text, `x`), false, true},
		{"no content", "GET", answered(204, text, ``), true, true},
		{"accepted", "POST", answered(202, text, `later`), true, true},
		{"a redirect", "GET", answered(301, text, ``), true, true},
		{"refused", "GET", answered(404, json, `{"message":"Not Found"}`), true, true},
		{"refused by a proxy", "GET", answered(404, text, `<html>`), true, true},
		{"refused, cut short", "POST", answered(403, json, `{"mess`), false, false},
		{"failed", "GET", answered(500, json, `{}`), false, true},
		{"failed", "GET", answered(502, text, ``), false, true},
		{"not implemented", "GET", answered(501, json, `{}`), true, true},
		{"too long", "GET", answered(200, json, `"`+strings.Repeat("x", maxBody)+`"`), false, true},
	} {
		tr := &transport{base: parsedURL(t, "https://a/"), attempt: time.Minute, next: carrier(func(*http.Request) (*http.Response, error) { return tc.resp, nil })}
		req, err := http.NewRequestWithContext(t.Context(), tc.method, "https://a/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, sent, err := tr.once(req)
		if (err == nil) != tc.taken || sent != tc.sent {
			t.Errorf("%s: taken %v, sent %v: %v", tc.name, err == nil, sent, err)
		}
		if err == nil {
			_ = resp.Body.Close()
		}
	}
}

// A limit is waited out for as long as GitHub says; a permission that is missing is none.
func TestTransport_KnowsLimits(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	tr := &transport{now: func() time.Time { return now }}
	for _, tc := range []struct {
		name    string
		status  int
		header  map[string]string
		body    string
		wait    time.Duration
		limited bool
	}{
		{"nothing of it", 200, map[string]string{"X-Ratelimit-Remaining": "0"}, "", 0, false},
		{"a permission", 403, nil, `{"message":"Resource not accessible"}`, 0, false},
		{"a permission, no JSON", 403, nil, `secondary rate limit`, 0, false},
		{"the primary one", 403, map[string]string{"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "1795262430"}, "", 31 * time.Second, true},
		{"over already", 429, map[string]string{"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "1795262000"}, "", time.Second, true},
		{"without its end", 403, map[string]string{"X-Ratelimit-Remaining": "0"}, "", time.Minute, true},
		{"the secondary one", 429, nil, "", time.Minute, true},
		{"in seconds", 429, map[string]string{"Retry-After": "7"}, "", 7 * time.Second, true},
		{"at once", 403, map[string]string{"Retry-After": "0"}, "", time.Second, true},
		{"less than nothing", 429, map[string]string{"Retry-After": "-7"}, "", time.Minute, true},
		{"as a date", 403, map[string]string{"Retry-After": "Sat, 21 Nov 2026 12:00:09 GMT"}, "", 9 * time.Second, true},
		{"a date that is past", 429, map[string]string{"Retry-After": "Sat, 21 Nov 2026 11:00:00 GMT"}, "", time.Second, true},
		{"no time", 403, map[string]string{"Retry-After": "soon"}, `{}`, 0, false},
		{"in words", 403, nil, `{"message":"You have exceeded a Secondary Rate Limit"}`, time.Minute, true},
		{"by its page", 403, nil, `{"documentation_url":"https://docs/x#abuse-rate-limits"}`, time.Minute, true},
		{"by its other page", 403, nil, `{"documentation_url":"https://docs/about-secondary-rate-limits"}`, time.Minute, true},
	} {
		header := http.Header{}
		for k, v := range tc.header {
			header.Set(k, v)
		}
		resp := answered(tc.status, header, tc.body)
		_, wait, limited := tr.limit(resp)
		if limited != tc.limited || wait != tc.wait {
			t.Errorf("%s: %v, %s", tc.name, limited, wait)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != tc.body {
			t.Errorf("%s: the answer's text is %q, %v", tc.name, body, err)
		}
		_ = resp.Body.Close()
	}
}

// What cannot have reached the server may be sent again; what cannot help is not.
func TestTransport_TellsFailuresApart(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: errors.New("refused")}
	read := &net.OpError{Op: "read", Err: errors.New("reset")}
	gone := &net.DNSError{IsNotFound: true}
	busy := &net.DNSError{IsTemporary: true}
	for _, tc := range []struct {
		err              error
		never, permanent bool
	}{
		{dial, true, false},
		{read, false, false},
		{gone, true, true},
		{busy, true, false},
		{errors.New("x509: unknown authority"), false, true},
		{errors.New("remote error: tls: handshake failure"), false, true},
		{errors.New("http2: stream error"), false, false},
	} {
		if neverSent(tc.err) != tc.never || permanent(tc.err) != tc.permanent {
			t.Errorf("%v: never sent %v, permanent %v", tc.err, neverSent(tc.err), permanent(tc.err))
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got := unmaskTimeout(t.Context(), context.DeadlineExceeded); errors.Is(got, context.DeadlineExceeded) {
		t.Error("an attempt's end is told as the caller's")
	}
	if got := unmaskTimeout(ended, context.DeadlineExceeded); !errors.Is(got, context.DeadlineExceeded) {
		t.Error("the caller's end is told as an attempt's")
	}
}

// A wait that would end after the operation must is not begun.
func TestTransport_WaitsWithinTheOperation(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var slept []time.Duration
	tr := &transport{now: func() time.Time { return now }, sleep: func(_ context.Context, d time.Duration) error {
		slept = append(slept, d)
		return nil
	}}
	ctx := context.WithValue(t.Context(), deadlineKey{}, now.Add(time.Minute))
	var limit *limitError
	if err := tr.wait(ctx, "x", time.Minute+1); !errors.As(err, &limit) || len(slept) != 0 {
		t.Errorf("%v, slept %v", err, slept)
	}
	if err := tr.wait(ctx, "x", time.Minute); err != nil || len(slept) != 1 {
		t.Errorf("%v, slept %v", err, slept)
	}
	if err := tr.wait(t.Context(), "x", time.Hour); err != nil || len(slept) != 2 {
		t.Errorf("%v, slept %v", err, slept)
	}
}

// Pages are walked to the last, each once, and no list is without an end.
func TestEach(t *testing.T) {
	walk := func(pages int, nextOf func(page int) int, stop int) (seen []int, asked int, err error) {
		err = each(func(o listOptions) ([]int, *response, error) {
			asked++
			if o.PerPage != 100 {
				t.Errorf("%d a page", o.PerPage)
			}
			page := max(o.Page, 1)
			if page > pages {
				return nil, &response{}, nil
			}
			return []int{page*10 + 1, page*10 + 2}, &response{NextPage: nextOf(page)}, nil
		}, func(i int) bool {
			seen = append(seen, i)
			return i != stop
		})
		return seen, asked, err
	}
	next := func(last int) func(int) int {
		return func(page int) int {
			if page >= last {
				return 0
			}
			return page + 1
		}
	}
	if seen, asked, err := walk(3, next(3), 0); err != nil || len(seen) != 6 || seen[5] != 32 || asked != 3 {
		t.Errorf("%v, asked %d, %v", seen, asked, err)
	}
	if seen, asked, err := walk(3, next(3), 21); err != nil || len(seen) != 3 || asked != 2 {
		t.Errorf("stopped: %v, asked %d, %v", seen, asked, err)
	}
	if _, asked, err := walk(3, func(int) int { return 1 }, 0); err != nil || asked != 2 {
		t.Errorf("in a circle: asked %d, %v", asked, err)
	}
	if _, asked, err := walk(1, func(page int) int { return page + 1 }, 0); err != nil || asked != 2 {
		t.Errorf("an empty page: asked %d, %v", asked, err)
	}
	if _, asked, err := walk(1<<20, func(page int) int { return page + 1 }, 0); err == nil || asked != 1000 {
		t.Errorf("without an end: asked %d, %v", asked, err)
	}
	failed := errors.New("failed")
	if err := each(func(listOptions) ([]int, *response, error) { return nil, nil, failed }, func(int) bool { return true }); !errors.Is(err, failed) {
		t.Errorf("%v", err)
	}
}

// A request that never reached the server is tried so often, later each time.
func TestTransport_TriesSoOften(t *testing.T) {
	asked := 0
	var slept []time.Duration
	tr := &transport{
		base: parsedURL(t, "https://a/"), attempt: time.Minute, now: time.Now,
		sleep: func(_ context.Context, d time.Duration) error { slept = append(slept, d); return nil },
		next: carrier(func(*http.Request) (*http.Response, error) {
			asked++
			return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
		}),
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://a/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(req)
	if err == nil {
		_ = resp.Body.Close()
		t.Fatal("an answer")
	}
	if asked != tries || len(slept) != tries-1 {
		t.Errorf("asked %d times, slept %v", asked, slept)
	}
	for i, d := range slept {
		if least := firstBackoff << i; d < least || d > least+least/4+1 {
			t.Errorf("wait %d is %s", i+1, d)
		}
	}
}
