// Package comment is what is said on a pull request: the command that somebody writes
// there, whether it may be carried out, and the text of the one comment that answers.
//
// A command is the first line of a new comment, and nothing else of it counts. Who may
// give it is asked of GitHub, and not read from the event; a fork's code is never run.
//
// It imports github, lazy and problem.
package comment
