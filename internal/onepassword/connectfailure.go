package onepassword

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const proxyHint = "the proxy has to let this machine through; a user and password stand in its address (HTTPS_PROXY, --connect-proxy)"

// refused explains an answer other than 200.
func (c *Connect) refused(what string, resp *http.Response) *attempt {
	said := "" // the server's own words, where it has any that arrive
	if body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<10)); err == nil {
		var message struct {
			Message string `json:"message"`
		}
		if json.Unmarshal(body, &message) == nil && message.Message != "" {
			said = ": " + c.clean(message.Message)
		}
	}
	f := &BackendError{Message: fmt.Sprintf("%s answered %d for %s%s", c.Name(), resp.StatusCode, what, said)}
	a := &attempt{err: f}
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized:
		f.Reason = Denied
		f.Hint = "the access token is not one of this Connect server, was revoked, or the server's credentials file has expired"
		// Connect before 1.7.2 refuses the first request that it gets at all.
		if c.served.Load() {
			a.fatal = true
		}
		a.tries = 2
	case code == http.StatusForbidden:
		f.Reason = Denied
		f.Hint = "give the access token this vault: op connect token create --vault"
		// Connect before 1.8.1 says this now and then of a vault the token has.
		a.tries = 4
	case code == http.StatusProxyAuthRequired:
		f.Reason, a.fatal = Denied, true
		f.Hint = proxyHint
	case code == http.StatusNotFound:
		f.Reason, a.fatal = NotFound, true
	case code == http.StatusTooManyRequests:
		f.Reason = RateLimited
		f.Hint = "something between here and Connect limits requests; try again later"
		a.after = retryAfter(resp.Header)
	case code == http.StatusRequestTimeout || code >= 500 && code != http.StatusNotImplemented:
		f.Reason = Unreachable
		f.Hint = serverLogs
		a.after = retryAfter(resp.Header)
	case code >= 300 && code < 400:
		f.Reason, a.fatal = Broken, true
		f.Hint = "give the address that it redirects to as the Connect host"
	default:
		f.Reason, a.fatal = Broken, true
		f.Hint = "is this the address of a Connect server?"
	}
	return a
}

// clean makes a server's words fit for a message: one line, not long, and never
// the token, whatever the server echoes.
func (c *Connect) clean(s string) string {
	s = strings.ReplaceAll(s, c.token.Reveal(), "***")
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	const longest = 200
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return s
}

// unreachable explains an error of the transport.
func (c *Connect) unreachable(err error) *attempt {
	f := &BackendError{Reason: Unreachable, Cause: err, Hint: "is this the address of a Connect server?"}
	a := &attempt{err: f}
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var record tls.RecordHeaderError
	what := "could not be reached"
	switch {
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		what = "did not answer in time"
		f.Hint = "is the server up, and is the address right?"
	case errors.As(err, &dns):
		what = "could not be reached: its name does not resolve"
		f.Hint = "a service container is reached by its name only from a job that runs in a container"
		a.fatal = dns.IsNotFound
	case errors.Is(err, syscall.ECONNREFUSED):
		what = "could not be reached: the connection was refused"
		f.Hint = "is the server up, and is the port right?"
		if h := c.base.Hostname(); h == "localhost" || h == "127.0.0.1" || h == "::1" {
			f.Hint = "in a container, localhost is the container itself; is the server up, and is the port right?"
		}
		a.tries = 4
	case errors.As(err, &unknown):
		what = "could not be trusted: its certificate is signed by an unknown authority"
		f.Hint = "give the authority's certificate as the Connect CA file"
		a.fatal = true
	case errors.As(err, &host), errors.As(err, &invalid):
		what = "could not be trusted: its certificate is not valid for this host and time"
		f.Hint = "give the host by the name that is in its certificate"
		a.fatal = true
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		what = "does not speak TLS there"
		f.Hint = "write http:// in the Connect host, or give the port that speaks TLS"
		a.fatal = true
	case strings.Contains(err.Error(), http.StatusText(http.StatusProxyAuthRequired)), strings.HasSuffix(err.Error(), ": "+http.StatusText(http.StatusForbidden)):
		// What a proxy answers to CONNECT comes as a text alone.
		what = "could not be reached: the proxy refused the connection"
		f.Reason, f.Hint, a.fatal = Denied, proxyHint, true
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.EPIPE):
		what = "broke off the connection"
		f.Hint = serverLogs
	}
	f.Message = c.Name() + " " + what
	return a
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// retryAfter is what the header asks to wait: seconds or a date.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return time.Duration(min(seconds, 1<<20)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

func broken(what, how string, cause error) *BackendError {
	return &BackendError{
		Reason: Broken, Message: what + " that came back " + how, Cause: cause,
		Hint: "is this the address of a Connect server, with nothing between that changes its answers?",
	}
}

func tooLarge(what string, limit int64) *BackendError {
	return broken(what, fmt.Sprintf("is larger than %d MiB", limit>>20), nil)
}
