package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The rules of waiting. The waits for limits are GitHub's own
// (docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api).
const (
	maxBody       = 32 << 20         // bytes of one answer; no answer we ask for comes near
	firstBackoff  = time.Second      // doubled with each failure in a row
	longestWait   = 30 * time.Second // of one backoff
	secondaryWait = time.Minute      // a secondary limit that does not say how long
	tries         = 6                // of one request, limits aside
)

// deadlineKey carries an operation's end, on the client's own clock.
type deadlineKey struct{}

// transport sends a request until it has an answer that says something: it waits
// out limits, and repeats what may be repeated. go-github v66 knows no 429, reads
// no body to its end before it has returned, and after a 403 refuses calls by
// itself without asking: so all limits are kept from it.
type transport struct {
	next    http.RoundTripper
	base    *url.URL
	token   string
	attempt time.Duration
	now     func() time.Time
	sleep   func(context.Context, time.Duration) error
	waiting func(string, time.Duration)
}

// An unclearError is a change that may have happened or not: the answer did not
// arrive whole, or was a server's failure. The caller must look before it repeats.
type unclearError struct {
	method, path string
	cause        error
}

func (e *unclearError) Error() string {
	return fmt.Sprintf("%s %s: no clear answer: %v", e.method, e.path, e.cause)
}
func (e *unclearError) Unwrap() error { return e.cause }

// A limitError is a limit that would end after the operation must.
type limitError struct {
	why  string
	wait time.Duration
}

func (e *limitError) Error() string {
	return fmt.Sprintf("%s, to be waited out for %s", e.why, e.wait.Round(time.Second))
}

// An answerError is an answer that is none: a 5xx, or a body that is not JSON.
type answerError struct {
	status int
	what   string
}

func (e *answerError) Error() string {
	if e.status == 0 || e.status < 300 {
		return e.what
	}
	return fmt.Sprintf("answer %d %s", e.status, http.StatusText(e.status))
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if req.Body != nil {
		defer func() { _ = req.Body.Close() }()
	}
	failures := 0
	for {
		resp, sent, err := t.once(req)
		if err == nil {
			why, wait, limited := t.limit(resp)
			if !limited {
				// go-github would remember these and refuse later calls unasked.
				for _, h := range []string{"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"} {
					resp.Header.Del(h)
				}
				return resp, nil
			}
			if err := t.wait(ctx, why, wait); err != nil {
				return nil, err
			}
			continue // a limit is no failure of the server: it refused before it did anything
		}
		if ctx.Err() != nil && (!sent || !changesOnce(req.Method)) {
			return nil, ctx.Err()
		}
		if permanent(err) {
			return nil, err
		}
		failures++
		if sent && changesOnce(req.Method) {
			return nil, &unclearError{method: req.Method, path: req.URL.Path, cause: err}
		}
		if failures >= tries {
			return nil, err
		}
		backoff := min(firstBackoff<<(failures-1), longestWait)
		// Several jobs of one run should not come back together.
		backoff += rand.N(backoff/4 + 1) //nolint:gosec // nothing secret depends on it
		if waitErr := t.wait(ctx, err.Error(), backoff); waitErr != nil {
			var limit *limitError
			if errors.As(waitErr, &limit) {
				return nil, err
			}
			return nil, waitErr
		}
	}
}

// CloseIdleConnections is what http.Client asks of its transport.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// once sends the request one time and reads the answer to its end. sent says
// whether the server may have had it.
func (t *transport) once(req *http.Request) (resp *http.Response, sent bool, err error) {
	ctx, cancel := context.WithTimeout(req.Context(), t.attempt)
	defer cancel()
	out := req.Clone(ctx)
	if req.GetBody != nil {
		if out.Body, err = req.GetBody(); err != nil {
			return nil, false, err
		}
	}
	if t.token != "" && out.URL.Host == t.base.Host && out.URL.Scheme == t.base.Scheme {
		out.Header.Set("Authorization", "Bearer "+t.token)
	} else {
		out.Header.Del("Authorization")
	}
	resp, err = t.next.RoundTrip(out)
	if err != nil {
		return nil, !neverSent(err), unmaskTimeout(req.Context(), err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	_ = resp.Body.Close()
	switch {
	case err != nil:
		return nil, true, fmt.Errorf("the answer did not arrive whole: %w", unmaskTimeout(req.Context(), err))
	case len(body) > maxBody:
		return nil, true, &answerError{status: resp.StatusCode, what: "the answer is longer than 32 MiB"}
	case resp.StatusCode >= 500 && resp.StatusCode != http.StatusNotImplemented:
		return nil, true, &answerError{status: resp.StatusCode}
	case resp.StatusCode >= 200 && resp.StatusCode < 300 && resp.StatusCode != http.StatusNoContent && resp.StatusCode != http.StatusAccepted:
		if err := wholeJSON(req.Method, resp.Header.Get("Content-Type"), body); err != nil {
			return nil, true, err
		}
	case resp.StatusCode >= 400 && len(body) > 0 && isJSON(resp.Header.Get("Content-Type")) && !json.Valid(body):
		// A refusal without its reason could be a limit. Nothing was done.
		return nil, false, &answerError{status: resp.StatusCode}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, true, nil
}

// wholeJSON refuses an answer that was cut where a length did not say so, or that
// a proxy in between wrote.
func wholeJSON(method, contentType string, body []byte) error {
	if len(body) == 0 && (method == http.MethodDelete || method == http.MethodPut) {
		return nil
	}
	if !isJSON(contentType) {
		return &answerError{status: http.StatusOK, what: "the answer is no JSON"}
	}
	if !json.Valid(body) {
		return &answerError{status: http.StatusOK, what: "the answer is no whole JSON"}
	}
	return nil
}

func isJSON(contentType string) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

// limit reports whether an answer is a limit, and how long to wait for its end.
func (t *transport) limit(resp *http.Response) (why string, wait time.Duration, limited bool) {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusForbidden {
		return "", 0, false
	}
	why = "GitHub's rate limit"
	primary := resp.Header.Get("X-Ratelimit-Remaining") == "0"
	after, said := retryAfter(resp.Header, t.now())
	if !primary {
		secondary := resp.StatusCode == http.StatusTooManyRequests || said || saysSecondary(resp)
		if !secondary {
			return "", 0, false // a permission that is missing
		}
		why = "GitHub's secondary rate limit"
	}
	switch {
	case said:
		return why, max(after, time.Second), true // 0 would be asked again at once, for ever
	case primary:
		if unix, err := strconv.ParseInt(resp.Header.Get("X-Ratelimit-Reset"), 10, 64); err == nil {
			return why, max(time.Unix(unix, 0).Sub(t.now()), 0) + time.Second, true
		}
	}
	return why, secondaryWait, true
}

// saysSecondary reads the answer's text, the only sign of some secondary limits,
// and puts it back.
func saysSecondary(resp *http.Response) bool {
	body, _ := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	var said struct {
		Message string `json:"message"`
		URL     string `json:"documentation_url"`
	}
	if json.Unmarshal(body, &said) != nil {
		return false
	}
	return strings.Contains(strings.ToLower(said.Message), "secondary rate limit") ||
		strings.HasSuffix(said.URL, "secondary-rate-limits") || strings.HasSuffix(said.URL, "#abuse-rate-limits")
}

// retryAfter reads Retry-After, in seconds or as a date.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0, false
	}
	if n, err := strconv.ParseInt(v, 10, 32); err == nil && n >= 0 {
		return time.Duration(n) * time.Second, true
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(at.Sub(now), 0), true
	}
	return 0, false
}

// wait waits, unless the operation's time would run out meanwhile.
func (t *transport) wait(ctx context.Context, why string, d time.Duration) error {
	if until, ok := ctx.Value(deadlineKey{}).(time.Time); ok && t.now().Add(d).After(until) {
		return &limitError{why: why, wait: d}
	}
	if t.waiting != nil {
		t.waiting(why, d)
	}
	return t.sleep(ctx, d)
}

// changesOnce reports whether a method, sent twice, changes something twice. PATCH
// is among those that do not: we send whole new states with it, never differences.
func changesOnce(method string) bool { return method == http.MethodPost }

// neverSent says that a request did not reach the server.
func neverSent(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial"
}

// permanent says that trying again cannot help: the name or certificate is wrong.
func permanent(err error) bool {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.IsNotFound
	}
	return strings.Contains(err.Error(), "x509: ") || strings.Contains(err.Error(), "tls: ")
}

// unmaskTimeout tells the end of one attempt from the end of the caller's context.
func unmaskTimeout(parent context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && parent.Err() == nil {
		return errors.New("no answer in time")
	}
	return err
}
