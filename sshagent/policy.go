package sshagent

import (
	"bytes"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Why a request was refused, as Event.Reason has it. Programs may compare.
const (
	ReasonUnsupported = "this agent only lists keys and signs logins"
	ReasonMalformed   = "the request is malformed"
	ReasonUnknownKey  = "the agent has no such key"
	ReasonNotLogin    = "not an SSH login"
	ReasonOtherKey    = "the login names another key"
	ReasonSHA1        = "RSA with SHA-1"
	ReasonAlgorithm   = "the algorithm does not fit the key"
	ReasonUser        = "the user is not allowed"
	ReasonForwarded   = "the connection is forwarded"
	ReasonBinding     = "the session binding did not verify"
	ReasonSession     = "the login is for another session than the one shown"
	ReasonHost        = "the host is not the one shown"
	ReasonHostKey     = "the host key is not one of those given"
	ReasonHostUnknown = "the forwarded connection does not show its host"
	ReasonOwner       = "the process belongs to another user"
	ReasonGone        = "the process has ended"
	ReasonStranger    = "the process does not descend from this one"
	ReasonInternal    = "internal error"
)

// policy is what the agent signs. It is fixed when the agent starts, so that no
// lock is needed to read it.
type policy struct {
	users      map[string]struct{} // nil: any
	hostKeys   map[string]struct{} // fingerprints; nil: any
	forwarding bool
}

func newPolicy(o Options) (*policy, error) {
	p := &policy{forwarding: o.AllowForwarding}
	if len(o.Users) > 0 {
		p.users = make(map[string]struct{}, len(o.Users))
		for _, u := range o.Users {
			p.users[u] = struct{}{}
		}
	}
	if len(o.HostKeys) > 0 {
		p.hostKeys = make(map[string]struct{}, len(o.HostKeys))
		for i, text := range o.HostKeys {
			fingerprint, ok := fingerprintOf(text)
			if !ok {
				return nil, fmt.Errorf("starting the agent: host key %d is neither a public key nor a SHA256 fingerprint", i+1)
			}
			p.hostKeys[fingerprint] = struct{}{}
		}
	}
	return p, nil
}

// fingerprintOf reads a public key, or a SHA256 fingerprint.
func fingerprintOf(text string) (string, bool) {
	text = strings.TrimSpace(text)
	if sum, ok := strings.CutPrefix(text, "SHA256:"); ok {
		sum = strings.TrimRight(sum, "=")
		return "SHA256:" + sum, len(sum) == 43
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return "", false
	}
	return ssh.FingerprintSHA256(key), true
}

// judge says whether data may be signed with id, for a client that has shown the
// path. It fills in what is known of the event, whose Reason stays empty where
// the answer is yes.
func (p *policy) judge(e *Event, shown *path, id *identity, data []byte, flags uint32) (algorithm string) {
	l, ok := parseLogin(data)
	if !ok {
		e.Reason = ReasonNotLogin
		return ""
	}
	e.User = string(l.user)
	if shown.ruby && l.hostKey != nil {
		shown.relayed = true // Net::SSH itself never does that
	}
	e.Forwarded = shown.forwarded()
	if e.HostKey, e.Reason = p.judgeHost(shown, &l); e.Reason != "" {
		return ""
	}
	if id = id.named(l.key); id == nil {
		e.Reason = ReasonOtherKey
		return ""
	}
	algorithm, name := id.algorithm(flags)
	e.Algorithm = algorithm
	_, allowed := p.users[e.User]
	switch {
	case algorithm == "" && flags == 0:
		e.Reason = ReasonSHA1
	case algorithm == "" || name != string(l.algorithm):
		e.Reason = ReasonAlgorithm
	case p.users != nil && !allowed:
		e.Reason = ReasonUser
	}
	return algorithm
}

// judgeHost finds out which host a login is for, and whether it may be. The host
// is known where the client bound the connection to it, or where the login
// itself names it (hostbound: the server then checks that it is meant).
func (p *policy) judgeHost(shown *path, l *login) (fingerprint, reason string) {
	if shown.failed {
		return "", ReasonBinding
	}
	if shown.forwarded() && !p.forwarding {
		return "", ReasonForwarded
	}
	var h host
	bound := false
	if n := len(shown.sessions); n > 0 && !shown.sessions[n-1].forwarded {
		last := shown.sessions[n-1]
		h, bound = last.host, true
		if !bytes.Equal(last.id, l.session) {
			return h.fingerprint, ReasonSession
		}
	}
	switch {
	case l.hostKey == nil:
	case bound && !bytes.Equal(h.blob, l.hostKey):
		return h.fingerprint, ReasonHost
	case !bound:
		var ok bool
		if h, _, ok = parseHost(l.hostKey); !ok {
			return "", ReasonNotLogin
		}
	}
	if p.hostKeys == nil {
		return h.fingerprint, ""
	}
	for _, s := range shown.sessions {
		if !p.pinned(s.host) {
			return s.host.fingerprint, ReasonHostKey
		}
	}
	switch {
	case h.fingerprint != "" && !p.pinned(h):
		return h.fingerprint, ReasonHostKey
	case h.fingerprint == "" && shown.forwarded():
		return "", ReasonHostUnknown
	}
	return h.fingerprint, ""
}

func (p *policy) pinned(h host) bool {
	_, key := p.hostKeys[h.fingerprint]
	_, authority := p.hostKeys[h.authority]
	return key || authority && h.authority != ""
}
