package githubtest

import (
	"net/http"
	"strconv"
	"time"
)

// A Fault is a way in which GitHub fails.
type Fault string

// The faults. Those that end in "after" do what was asked before they fail.
const (
	None           Fault = ""
	TooMany        Fault = "429 with Retry-After"
	TooManyBare    Fault = "429 without Retry-After"
	Secondary      Fault = "403 secondary limit with Retry-After"
	SecondaryBare  Fault = "403 secondary limit without Retry-After"
	Primary        Fault = "403 primary limit"
	BadGateway     Fault = "502"
	BadGatewayDone Fault = "502 after"
	Truncated      Fault = "cut short after"
	TruncatedQuiet Fault = "cut short with a fitting length, after"
	Page           Fault = "200 with a page of a proxy"
	Dropped        Fault = "connection dropped"
	DroppedDone    Fault = "connection dropped after"
)

// Faults is every fault there is.
func Faults() []Fault {
	return []Fault{
		TooMany, TooManyBare, Secondary, SecondaryBare, Primary, BadGateway, BadGatewayDone,
		Truncated, TruncatedQuiet, Page, Dropped, DroppedDone,
	}
}

// before says that a fault comes before anything is done.
func (f Fault) before() bool {
	switch f {
	case None, BadGatewayDone, Truncated, TruncatedQuiet, DroppedDone:
		return false
	}
	return true
}

// Inject has every call ask for its fault. The function is called under the
// server's lock.
func (s *Server) Inject(f func(Call) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Calls is what arrived so far.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// fail answers with a fault; a is what would have been the answer to what was done.
func (s *Server) fail(w http.ResponseWriter, f Fault, a *answer) {
	limited := func(status int, message, doc string, header map[string]string) {
		for k, v := range header {
			w.Header().Set(k, v)
		}
		r := refuse(status, message)
		r.body.(map[string]any)["documentation_url"] = doc
		r.write(w)
	}
	const secondary = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
	const secondaryDoc = "https://docs.github.com/free-pro-team@latest/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
	switch f {
	case TooMany:
		limited(http.StatusTooManyRequests, secondary, secondaryDoc, map[string]string{"Retry-After": "2"})
	case TooManyBare:
		limited(http.StatusTooManyRequests, "Too many requests", "", nil)
	case Secondary:
		limited(http.StatusForbidden, secondary, "https://docs.github.com/rest/using-the-rest-api/secondary-rate-limits", map[string]string{"Retry-After": "3"})
	case SecondaryBare:
		limited(http.StatusForbidden, secondary, "https://docs.github.com/rest/using-the-rest-api/secondary-rate-limits", nil)
	case Primary:
		limited(http.StatusForbidden, "API rate limit exceeded for installation ID 1.", "https://docs.github.com/rest/overview/resources-in-the-rest-api#rate-limiting", map[string]string{
			"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "0",
			"X-RateLimit-Reset": strconv.FormatInt(s.o.Now().Add(20*time.Second).Unix(), 10),
		})
	case BadGateway, BadGatewayDone:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte("<html><title>502 Bad Gateway</title></html>"))
	case Page:
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html>please log in</html>"))
	case Truncated, TruncatedQuiet:
		if a.body == nil {
			panic(http.ErrAbortHandler)
		}
		raw := a.json()
		for k, v := range a.header {
			w.Header()[k] = v
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		if f == Truncated {
			w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
		}
		w.WriteHeader(a.status)
		_, _ = w.Write(raw[:len(raw)/2])
		if f == Truncated {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	case Dropped, DroppedDone:
		panic(http.ErrAbortHandler)
	}
}
