// Package broker is the private socket of a run: what the `op` command in the
// run's directory asks, and what the Ruby preload asks and reports.
//
// The directory is 0700 and the socket 0600; a peer that this process has not
// started, itself or by way of others, is turned away. One connection carries one request, a line of JSON, and its answer. So
// the 1Password token is not in Kamal's environment, every item is fetched once,
// and a call costs milliseconds.
//
// The client side of `op` is package opclient: the program called under that name
// must not load what this package imports.
package broker
