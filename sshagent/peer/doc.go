// Package peer says which process is at the other end of a unix socket, and whether
// this process, or one that it has started, has started that.
//
// A number of a process means a process only while it lives: it ends, and another
// gets its number. So a peer is held by a handle where the kernel gives one (Linux
// 6.5), and a step from a child to its parent counts only by the times at which both
// began. On a Linux before that and on macOS the kernel gives the number alone: a
// process that ends right after it has connected, and whose number then becomes one
// of ours, is taken for ours. Elsewhere nothing is known of a peer.
package peer
