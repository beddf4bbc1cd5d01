package standin

import (
	"net/http"
	"sync"
	"time"
)

// A Request is one that the API was asked; health checks are none.
type Request struct {
	Method, Path string // Path with the query, without the prefix
	Status       int    // 0 where Fault answered
}

// A requestGate is what a request goes through before it is answered: it is counted, waits
// for as long as the way to a server takes, and may meet a fault.
type requestGate struct {
	mu       sync.Mutex
	latency  time.Duration
	fault    func(n int, w http.ResponseWriter, r *http.Request) bool
	requests []Request
}

// pass lets a request through to be served.
func (g *requestGate) pass(w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter, *http.Request) int) {
	g.mu.Lock()
	g.requests = append(g.requests, Request{Method: r.Method, Path: r.URL.RequestURI()})
	n := len(g.requests)
	fault, latency := g.fault, g.latency
	g.mu.Unlock()
	if latency > 0 {
		select {
		case <-time.After(latency):
		case <-r.Context().Done():
			return
		}
	}
	if fault != nil && fault(n, w, r) {
		return
	}
	status := serve(w, r)
	g.mu.Lock()
	defer g.mu.Unlock()
	if n <= len(g.requests) {
		g.requests[n-1].Status = status
	}
}

// Requests are the API's requests since the start or the last Forget.
func (g *requestGate) Requests() []Request {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]Request(nil), g.requests...)
}

// Forget empties Requests and begins Fault's count anew.
func (g *requestGate) Forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests = nil
}

// SetFault changes the Fault of the options; nil takes it away.
func (g *requestGate) SetFault(fault func(n int, w http.ResponseWriter, r *http.Request) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fault = fault
}
