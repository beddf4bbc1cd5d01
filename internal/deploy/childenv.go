package deploy

import (
	"strconv"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
)

// A childEnv is the environment of a child, built from the caller's: less the
// credentials and inputs that are ours, plus what the run gives.
type childEnv struct {
	entries []string
	index   map[string]int
}

// newChildEnv begins with the caller's environment less what is ours.
func newChildEnv(caller []string) *childEnv {
	e := &childEnv{index: map[string]int{}}
	for _, entry := range kamal.WithoutCredentials(caller) {
		if name, value, ok := strings.Cut(entry, "="); ok {
			e.set(name, value)
		}
	}
	return e
}

// set gives a variable its value, in place of one that was there.
func (e *childEnv) set(name, value string) {
	entry := name + "=" + value
	if i, ok := e.index[name]; ok {
		e.entries[i] = entry
		return
	}
	e.index[name] = len(e.entries)
	e.entries = append(e.entries, entry)
}

// get is a variable's value, "" where it is not set.
func (e *childEnv) get(name string) string {
	i, ok := e.index[name]
	if !ok {
		return ""
	}
	_, value, _ := strings.Cut(e.entries[i], "=")
	return value
}

// setEntries sets NAME=value entries.
func (e *childEnv) setEntries(entries []string) {
	for _, entry := range entries {
		if name, value, ok := strings.Cut(entry, "="); ok {
			e.set(name, value)
		}
	}
}

// prependPath puts dir before everything else on the PATH.
func (e *childEnv) prependPath(dir string) {
	path := e.get("PATH")
	if path == "" {
		// What execvp(3) falls back to, which a PATH of ours must not hide.
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	e.set("PATH", dir+":"+path)
}

// addGitConfig adds a setting of git's for the child alone, behind those that the
// caller gives the same way (git-config(1), GIT_CONFIG_COUNT).
func (e *childEnv) addGitConfig(key, value string) {
	n, err := strconv.Atoi(e.get("GIT_CONFIG_COUNT"))
	if err != nil || n < 0 {
		n = 0
	}
	e.set("GIT_CONFIG_KEY_"+strconv.Itoa(n), key)
	e.set("GIT_CONFIG_VALUE_"+strconv.Itoa(n), value)
	e.set("GIT_CONFIG_COUNT", strconv.Itoa(n+1))
}
