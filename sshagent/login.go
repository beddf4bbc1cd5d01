package sshagent

import (
	"unicode"
	"unicode/utf8"
)

const (
	methodPlain     = "publickey"
	methodHostbound = "publickey-hostbound-v00@openssh.com"

	// A session identifier is the first exchange hash: 20 bytes with SHA-1,
	// 64 with SHA-512 (RFC 4253, section 7.2).
	shortestSession = 20
	longestSession  = 64

	// longestUser is well over what any system takes, and short enough to log.
	longestUser = 255
)

// A login is what a client signs to log in: RFC 4252, section 7, and for the
// hostbound method OpenSSH's PROTOCOL, section 3. Its slices are of the request.
type login struct {
	session   []byte
	user      []byte
	algorithm []byte
	key       []byte
	hostKey   []byte // nil unless hostbound
}

// parseLogin reads the data of a sign request. It takes nothing but a whole
// login with nothing behind it, so that no other protocol's data can pass for
// one: SSHSIG, for example, begins with what would be a length of 1.4 GB.
func parseLogin(data []byte) (login, bool) {
	var l login
	c := cursor(data)
	var ok bool
	if l.session, ok = c.str(); !ok || len(l.session) < shortestSession || len(l.session) > longestSession {
		return l, false
	}
	if b, ok := c.u8(); !ok || b != 50 { // SSH_MSG_USERAUTH_REQUEST
		return l, false
	}
	if l.user, ok = c.str(); !ok || !plainName(l.user) {
		return l, false
	}
	if service, ok := c.str(); !ok || string(service) != "ssh-connection" {
		return l, false
	}
	method, ok := c.str()
	if !ok || (string(method) != methodPlain && string(method) != methodHostbound) {
		return l, false
	}
	if b, ok := c.u8(); !ok || b != 1 { // a signature follows
		return l, false
	}
	if l.algorithm, ok = c.str(); !ok {
		return l, false
	}
	if l.key, ok = c.str(); !ok {
		return l, false
	}
	if string(method) == methodHostbound {
		if l.hostKey, ok = c.str(); !ok || len(l.hostKey) == 0 {
			return l, false
		}
	}
	return l, len(c) == 0
}

// plainName keeps names out of the events that would write to a terminal, or
// another line, when they are shown.
func plainName(b []byte) bool {
	if len(b) == 0 || len(b) > longestUser || !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
