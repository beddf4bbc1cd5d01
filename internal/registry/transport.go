package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
)

// encrypted lets no request go to another machine without TLS: a login would be in it.
// Docker trusts such a registry where its engine is told to; here nobody has said so.
type encrypted struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (e encrypted) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !onThisMachine(req.URL.Hostname()) {
		return nil, &unanswered{asked(req.Context()), fmt.Errorf("%s has no TLS that is trusted here", req.URL.Host)}
	}
	resp, err := e.next.RoundTrip(req)
	if err != nil {
		return nil, &unanswered{asked(req.Context()), err}
	}
	return resp, nil
}

// onThisMachine says whether a host is this machine, by its name or address.
func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// An unanswered is a request of one side that got no answer.
type unanswered struct {
	of  string
	err error
}

// Error implements error.
func (u *unanswered) Error() string { return u.err.Error() }

// Unwrap is why there was none.
func (u *unanswered) Unwrap() error { return u.err }

// Temporary says whether it may be tried again, which is asked of the error itself and of
// none within it.
func (u *unanswered) Temporary() bool {
	var inner interface{ Temporary() bool }
	return errors.As(u.err, &inner) && inner.Temporary()
}

// ofKey is where a request's context has whose registry is asked.
type ofKey struct{}

func asking(ctx context.Context, of string) context.Context {
	return context.WithValue(ctx, ofKey{}, of)
}

func asked(ctx context.Context) string {
	of, _ := ctx.Value(ofKey{}).(string)
	return of
}
