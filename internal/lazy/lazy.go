// Package lazy has patterns that are compiled when they are first used. This
// program is also the op command, of which Kamal starts three for every line that
// fetches: what is set up before main is paid each time.
package lazy

import (
	"regexp"
	"sync"
)

// Regexp is a pattern in regexp's syntax. A wrong one panics at its first use.
func Regexp(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
