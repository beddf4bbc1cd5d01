package deploy

import (
	"strconv"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/kamal"
)

// A childEnv is the environment of a child, built from the caller's: less the
// credentials and inputs that are ours, plus what the run gives.
type childEnv struct{ environ.List }

// newChildEnv begins with the caller's environment less what is ours.
func newChildEnv(caller []string) *childEnv {
	e := &childEnv{}
	e.SetAll(kamal.WithoutCredentials(caller))
	return e
}

// prependPath puts dir before everything else on the PATH.
func (e *childEnv) prependPath(dir string) {
	e.Set("PATH", dir+":"+e.Path())
}

// addGitConfig adds a setting of git's for the child alone, behind those that the
// caller gives the same way (git-config(1), GIT_CONFIG_COUNT).
func (e *childEnv) addGitConfig(key, value string) {
	n, err := strconv.Atoi(e.Get("GIT_CONFIG_COUNT"))
	if err != nil || n < 0 {
		n = 0
	}
	e.Set("GIT_CONFIG_KEY_"+strconv.Itoa(n), key)
	e.Set("GIT_CONFIG_VALUE_"+strconv.Itoa(n), value)
	e.Set("GIT_CONFIG_COUNT", strconv.Itoa(n+1))
}
