// Package plan says what a deploy would change, before anything is: it makes
// differences of what Kamal would run and of what the hosts run.
//
// Kamal is asked, through Ruby that is loaded into its own process: the words of its
// `docker run`, its names of containers, its options of the proxy, and over its own
// connections what the engine of each host has. What differs is found here.
//
// No value of a secret comes here: hosts compute digests of those, and Kamal's process
// compares them. Of a variable that is not a secret any more, but was one when the
// container was started, the name is told alone.
package plan
