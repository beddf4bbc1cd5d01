// Package sshagent is an SSH agent inside a process that signs logins and does
// nothing else. It holds private keys in memory, listens on a socket of its own
// and signs SSH user authentications for the users and hosts it was given. It cannot be asked to add or remove keys, to lock, or to sign anything
// but a login: not a git commit, not a file.
//
//	key, err := sshagent.ParseKey(text, nil)
//	…
//	agent, err := sshagent.Start(ctx, sshagent.Options{
//		Keys:  []*sshagent.Key{key},
//		Users: []string{"root"},
//	})
//	…
//	defer agent.Close()
//	cmd.Env = append(cmd.Env, "SSH_AUTH_SOCK="+agent.Socket())
//
// It is usable without the rest of the module: it imports none of our packages,
// and sets nothing that is process-wide (no umask, no signal, no environment, no
// core limit). A program that holds keys does well to make itself not dumpable
// (prctl PR_SET_DUMPABLE), so that other processes of its user cannot read its
// memory.
//
// # What is signed
//
// A signature is made where all of this holds, and refused with a reason
// otherwise:
//
//   - the data is a whole SSH user authentication (RFC 4252, section 7) for
//     ssh-connection, by the method publickey or OpenSSH's
//     publickey-hostbound-v00@openssh.com, with nothing behind it;
//   - the key inside it is the key asked for, or its certificate;
//   - its algorithm fits the key and the flags, and is not SHA-1;
//   - its user is one of Options.Users;
//   - where the client showed the host (OpenSSH does, by session-bind@openssh.com
//     or by the hostbound method), the host signed the session, the login is for
//     that session and that host, and the host is one of Options.HostKeys;
//   - the connection does not show itself as forwarded, or forwarding is allowed;
//   - the process at the other end is the same user's, has not ended, and
//     descends from this one where that is asked for.
//
// A refusal is answered with SSH_AGENT_FAILURE on an open connection, since
// Net::SSH crashes where an agent hangs up. What breaks the framing, or stalls in
// the middle of a frame, is hung up on.
//
// # What it cannot know
//
// Net::SSH and libssh2 do not show the host they log in to, so HostKeys and the
// check of the session do not bind their logins: check host keys in the client as
// well. A forwarded connection is known by what OpenSSH's ssh sends through it;
// a server that was written to deceive can send logins of the plain kind through
// a connection that Net::SSH forwards, and they look like Net::SSH's own. Users
// bounds what that can reach, and the journal shows it.
// Whoever may trace this process, or is root, can read the keys.
//
// # What clearing does
//
// [ParseKey] clears the text and the passphrase it was given, and its own copies.
// The key itself must stay in memory to sign, and Go's cryptography keeps copies
// of it in forms of its own (an ed25519 seed three times, the primes of an RSA
// key seven to ten times); they cannot be reached to be cleared, neither can what
// the garbage collector or a growing stack has left behind. After Close,
// nothing in this package refers to the keys, and their memory is
// used again in time; it is not overwritten. A short life of the process is worth
// more than any clearing.
package sshagent
