package sshagent

import (
	"bytes"

	"golang.org/x/crypto/ssh"
)

// bindExtension is OpenSSH's way for a client to show the agent which host it is
// about to log in to: the host's key and its signature of the session.
const bindExtension = "session-bind@openssh.com"

// longestPath is how many sessions a connection may be bound to: the hops of a
// forwarded agent. OpenSSH's agent has the same limit.
const longestPath = 16

// A session is one hop that a connection was bound to.
type session struct {
	id        []byte
	host      host
	forwarded bool // bound to be forwarded to that host, not to log in to it
}

// A host is a server's host key.
type host struct {
	blob        []byte
	fingerprint string
	authority   string // fingerprint of the CA, where the host key is a certificate
}

// parseHost reads a host key's blob; a certificate counts as the key in it.
func parseHost(blob []byte) (host, ssh.PublicKey, bool) {
	key, err := ssh.ParsePublicKey(blob)
	if err != nil {
		return host{}, nil, false
	}
	h := host{blob: bytes.Clone(blob)}
	if cert, ok := key.(*ssh.Certificate); ok {
		h.fingerprint = ssh.FingerprintSHA256(cert.Key)
		h.authority = ssh.FingerprintSHA256(cert.SignatureKey)
	} else {
		h.fingerprint = ssh.FingerprintSHA256(key)
	}
	return h, key, true
}

// A path is what a connection has shown of where its signatures go.
type path struct {
	sessions []session
	// failed is set when a binding did not verify. Such a connection may have
	// meant to hide where it goes, so it gets no signature.
	failed bool
	// ruby is set when the connection began with the old version request that
	// Net::SSH sends. Net::SSH itself never binds a session: where a binding
	// follows, somebody at the other end of a forwarded connection made it.
	ruby bool
	// relayed is set where that was seen.
	relayed bool
}

// forwarded says that the connection's requests come from a server that was
// logged in to, as far as the connection shows it.
func (p *path) forwarded() bool {
	return p.relayed || len(p.sessions) > 0 && p.sessions[0].forwarded
}

// bind takes the contents of a session-bind request, as OpenSSH's agent does
// (process_ext_session_bind). It says whether the connection is now bound to it.
func (p *path) bind(contents []byte) bool {
	if p.ruby {
		p.relayed = true
	}
	s, ok := verifyBinding(contents)
	if !ok {
		p.failed = true
		return false
	}
	for _, old := range p.sessions {
		switch {
		case !old.forwarded: // bound to log in: it ends there
			p.failed = true
			return false
		case !bytes.Equal(old.id, s.id):
		case bytes.Equal(old.host.blob, s.host.blob):
			return true // already recorded
		default: // one session, two hosts
			p.failed = true
			return false
		}
	}
	if len(p.sessions) == longestPath {
		p.failed = true
		return false
	}
	p.sessions = append(p.sessions, s)
	return true
}

// verifyBinding reads a session-bind and checks that the host signed the session.
func verifyBinding(contents []byte) (session, bool) {
	c := cursor(contents)
	blob, ok1 := c.str()
	id, ok2 := c.str()
	sig, ok3 := c.str()
	forwarding, ok4 := c.u8()
	if !ok1 || !ok2 || !ok3 || !ok4 || len(c) != 0 || forwarding > 1 ||
		len(id) < shortestSession || len(id) > longestSession {
		return session{}, false
	}
	h, key, ok := parseHost(blob)
	if !ok {
		return session{}, false
	}
	var s ssh.Signature
	if err := ssh.Unmarshal(sig, &s); err != nil || len(s.Rest) != 0 || key.Verify(id, &s) != nil {
		return session{}, false
	}
	return session{id: bytes.Clone(id), host: h, forwarded: forwarding == 1}, true
}
