package standin

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
	"sync"
)

// A cloudSession is one sign-in, and how far it has come.
type cloudSession struct {
	key      cloudKey
	exchange *srpExchange // nil until the key is agreed on
	proved   bool         // the client has shown that it has the key
	complete bool
}

// cloudSessions are the sessions that there are, by their ids. A request says in a
// header which one it is of.
type cloudSessions struct {
	mu   sync.Mutex
	open map[string]*cloudSession
}

const (
	sessionHeader = "X-AgileBits-Session-Id"
	macHeader     = "X-AgileBits-Mac"

	// macSecret is what the key of signatures is derived from the session's with.
	macSecret = "He never wears a Mac, in the pouring rain. Very strange."
)

// begin makes a session that has no key yet.
func (s *cloudSessions) begin() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[string]*cloudSession{}
	}
	id := newID()
	s.open[id] = &cloudSession{}
	return id
}

// of is the session of a request, an empty one where it is of none. s.mu is held.
func (s *cloudSessions) of(r *http.Request) *cloudSession {
	if found := s.open[r.Header.Get(sessionHeader)]; found != nil {
		return found
	}
	return &cloudSession{}
}

// agreed gives a session its key.
func (s *cloudSessions) agreed(r *http.Request, exchange *srpExchange) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := r.Header.Get(sessionHeader)
	found := s.open[id]
	if found == nil {
		return false
	}
	*found = cloudSession{key: cloudKey{id: id, key: exchange.key}, exchange: exchange}
	return true
}

// confirmed takes the client's proof that it has the key, and gives the server's.
func (s *cloudSessions) confirmed(r *http.Request, proof string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.of(r)
	if found.exchange == nil || subtle.ConstantTimeCompare([]byte(proof), []byte(encoded(found.exchange.clientProof))) != 1 {
		return "", false
	}
	found.proved = true
	return encoded(found.exchange.serverProof), true
}

// completed opens a session whose key was proved.
func (s *cloudSessions) completed(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of(r).complete = true
}

func (s *cloudSessions) complete(r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(r).complete
}

// keyOf is the key of a request's session, where it was proved.
func (s *cloudSessions) keyOf(r *http.Request) (cloudKey, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.of(r)
	return found.key, found.proved
}

// signed reports whether a request has its session's signature: 12 bytes of an HMAC over
// the session, the method, the address and the request's number.
func signed(r *http.Request, key cloudKey) bool {
	parts := strings.Split(r.Header.Get(macHeader), "|")
	if len(parts) != 3 || parts[0] != "v1" {
		return false
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	message := strings.Join([]string{key.id, r.Method, host + r.URL.EscapedPath() + "?" + r.URL.RawQuery, "v1", parts[1]}, "|")
	sum := hmacOf(hmacOf(key.key, macSecret), message)
	return hmac.Equal([]byte(parts[2]), []byte(encoded(sum[:12])))
}

func hmacOf(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(text)) // never fails
	return h.Sum(nil)
}
