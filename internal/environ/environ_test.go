package environ_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/environ"
)

// The entry that counts is the one that a process started with the list sees.
func TestList_LastEntryCounts(t *testing.T) {
	env := environ.List{"A=1", "B", "A=2", "C=", "D=x=y"}
	cmd := exec.Command("/usr/bin/env")
	cmd.Env = env
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"A", "C", "D"} {
		if !strings.Contains("\n"+string(out), "\n"+name+"="+env.Get(name)+"\n") {
			t.Errorf("%s is %q here, and a process has %q", name, env.Get(name), out)
		}
	}
	if _, set := env.Lookup("B"); set {
		t.Error("an entry without = is a variable")
	}
	if value, set := env.Lookup("C"); !set || value != "" {
		t.Error("an empty variable is not set")
	}
	if diff := cmp.Diff(map[string]string{"A": "2", "C": "", "D": "x=y"}, env.Map()); diff != "" {
		t.Error(diff)
	}
}

func TestList_SetReplacesWhatCounts(t *testing.T) {
	env := environ.List{"A=1", "B=1", "A=2"}
	other := env.With("A", "3")
	if diff := cmp.Diff(environ.List{"A=1", "B=1", "A=2"}, env); diff != "" {
		t.Errorf("With changed the list it was asked of:\n%s", diff)
	}
	other.SetAll([]string{"C=4", "B=5", "no entry"})
	if diff := cmp.Diff(environ.List{"A=1", "B=5", "A=3", "C=4"}, other); diff != "" {
		t.Error(diff)
	}
}

func TestList_WithoutKeepsTheOrder(t *testing.T) {
	env := environ.List{"A=1", "SECRET=1", "B=2", "SECRET=2"}
	got := env.Without(func(name string) bool { return name == "SECRET" })
	if diff := cmp.Diff(environ.List{"A=1", "B=2"}, got); diff != "" || len(env) != 4 {
		t.Errorf("%v, and the list itself %v", got, env)
	}
}
