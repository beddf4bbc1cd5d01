package ci

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The events of --json keep their keys and their kinds within v1: programs read them.
func TestCompatibility_Events(t *testing.T) {
	var keys []string
	for i := range reflect.TypeFor[event]().NumField() {
		key, _, _ := strings.Cut(reflect.TypeFor[event]().Field(i).Tag.Get("json"), ",")
		keys = append(keys, key)
	}
	for _, promised := range []string{
		"time", "event", "title", "text", "more", "message", "details", "hint", "file", "line", "column", "name", "value",
		"host", "user", "process", "status",
	} {
		if !slices.Contains(keys, promised) {
			t.Errorf("an event has no key %q any more", promised)
		}
	}
}
