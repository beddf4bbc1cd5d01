package review

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// A ReadyCheck says when a preview counts as up: a person can open it.
type ReadyCheck struct {
	Path      string        // "" is the proxy's health path, or /up
	Timeout   time.Duration // 0 is defaultReadyTimeout; less than 0 does not ask
	Transport http.RoundTripper
}

// defaultReadyTimeout leaves time for Let's Encrypt.
const defaultReadyTimeout = 2 * time.Minute

// kamalHealth is the path that kamal-proxy asks where the project names none.
const kamalHealth = "/up"

// The first and the longest pause between two requests.
const (
	firstPause   = 500 * time.Millisecond
	longestPause = 5 * time.Second
	oneRequest   = 10 * time.Second
)

// awaitReady requests a preview until it answers: with anything below 400, or with 401,
// where the app asks for a password.
func (r *Review) awaitReady(ctx context.Context, url, health string) error {
	ready := r.Project.ReadyCheck
	if ready.Timeout < 0 {
		return nil
	}
	timeout := ready.Timeout
	if timeout == 0 {
		timeout = defaultReadyTimeout
	}
	path := ready.Path
	if path == "" {
		path = health
	}
	if path == "" {
		path = kamalHealth
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " \r\n") {
		return problem.Usagef("it begins with /", "%q is no path", short(path))
	}
	transport := ready.Transport
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.DisableKeepAlives = true // a connection that is kept would go on to the old container
		transport = t
	}
	client := &http.Client{Transport: transport, Timeout: oneRequest, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // where it leads may be another's
	}}
	began := r.now()
	pause := firstPause
	for {
		err := ask(ctx, client, url+path)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if r.now().Sub(began)+pause > timeout {
			return notReadyProblem(url+path, timeout, err)
		}
		if err := r.sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, longestPause)
	}
}

// A statusError is an answer that is none a person wants.
type statusError int

func (s statusError) Error() string {
	return fmt.Sprintf("it answers %d %s", int(s), http.StatusText(int(s)))
}

func ask(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "kamal-op")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // the status is what counts
	_ = resp.Body.Close()
	if resp.StatusCode < http.StatusBadRequest || resp.StatusCode == http.StatusUnauthorized {
		return nil
	}
	return statusError(resp.StatusCode)
}

// notReadyProblem says why a preview does not answer.
func notReadyProblem(url string, after time.Duration, err error) error {
	p := &problem.Problem{
		Message: fmt.Sprintf("the preview does not answer at %s after %s", url, after),
		Details: []string{short(err.Error())}, Status: problem.TimedOut, Cause: err,
	}
	var dns *net.DNSError
	var status statusError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &dns):
		p.Details = []string{"its host has no address"}
		p.Hint = "make a wildcard record in the DNS for the previews' domain"
	case errors.As(err, &cert):
		p.Details = []string{"its certificate is not accepted: " + short(cert.Err.Error())}
		p.Hint = "Let's Encrypt needs port 80 of the host to be reached from the internet; a wildcard certificate must fit the host"
	case errors.As(err, &status) && status == http.StatusNotFound:
		p.Hint = "give a path that answers with --ready-path"
	case errors.As(err, &status):
		p.Hint = "look at the app's log: kamal app logs"
	default:
		p.Hint = "is the host's port open, and does kamal-proxy run?"
	}
	return p
}
