package kamal

import (
	"regexp"
	"sync"
)

// lazy is a pattern that is compiled when it is first used. This program is also
// the op command, of which Kamal starts three for every line that fetches: what is
// set up before main is paid each time.
func lazy(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
