// Package sshagent is an SSH agent inside a process that signs logins and does
// nothing else. It holds private keys in memory, listens on a socket of its own
// and signs SSH user authentications for the users it was given; it cannot be
// asked to add or remove keys, to lock, or to sign anything but a login.
//
// It is usable without the rest of the module: it imports none of our packages,
// and sets nothing that is process-wide (no umask, no signal, no environment).
package sshagent
