// Package owner says who could change a file, or put another in its place: what a run
// follows or runs must be root's or this user's, and so must all that leads to it.
package owner
