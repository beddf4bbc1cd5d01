package review

import "github.com/kamal-op/kamal-op/internal/comment"

// line makes foreign text into one line without control characters, at most limit
// characters long.
func line(s string, limit int) string { return comment.Line(s, limit) }

// short is a line that fits into a message.
func short(s string) string { return line(s, 80) }
