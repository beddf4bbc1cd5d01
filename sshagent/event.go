package sshagent

import "time"

// An Event is one signature or one refusal.
type Event struct {
	Time      time.Time
	Signed    bool   // a signature was made; otherwise the request was refused
	Request   string // what was asked for: "sign", "add", "remove", "lock", "list", …
	Key       string // fingerprint of the key asked for; empty where none was named
	User      string // the user to log in as; empty where the request is no login
	Algorithm string // the signature's algorithm, e.g. rsa-sha2-512
	HostKey   string // fingerprint of the server's host key; empty where it is not known
	Forwarded bool   // the request came over a forwarded connection
	Reason    string // why it was refused; empty for a signature
	Peer      Peer   // who asked
}

// A Peer is the process at the other end of a connection.
type Peer struct {
	PID        int       // 0 where it is not known, as over a border of PID namespaces
	UID        int       // -1 where it is not known
	Executable string    // its program's path; empty where it could not be read
	Chain      []Process // its parents, nearest first, up to this process or the first
}

// A Process is a process by its number and its program's name.
type Process struct {
	PID  int
	Name string
}

// Counts is how much was signed and refused over the life of an agent.
type Counts struct {
	Signed  int
	Refused int
	Users   map[string]int // signatures by user
}
