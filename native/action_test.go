// Package native has no code in Go: these are the tests of the launcher, which is
// JavaScript, under the Node that is there.
package native

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/kamal"
)

// The native form takes what the docker form takes, and says nothing of a container.
// That native/action.yml is what make generate writes is tested with the other files
// that it writes.
func TestAction_hasTheInputsOfTheDockerForm(t *testing.T) {
	names := map[string][]string{}
	for _, file := range []string{"../action.yml", "action.yml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		inputs, _, _ := strings.Cut(string(text), "\nruns:\n")
		for _, m := range regexp.MustCompile(`(?m)^  ([a-z-]+):$`).FindAllStringSubmatch(inputs, -1) {
			names[file] = append(names[file], m[1])
		}
	}
	docker, own := names["../action.yml"], names["action.yml"]
	own = slices.DeleteFunc(own, func(name string) bool { return name == "kamal-version" || name == "mirror" })
	if len(docker) < 40 || !slices.Equal(docker, own) {
		t.Errorf("%q, not %q", own, docker)
	}
	text, err := os.ReadFile("action.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"container that the", "this image", "published image"} {
		if strings.Contains(string(text), word) {
			t.Errorf("native/action.yml speaks of a container: %q", word)
		}
	}
	for _, want := range []string{"using: node24\n  main: launch.js\n", "post: post.js\n", "default: " + kamal.TestedVersion + "\n  mirror:"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("native/action.yml has no %q", want)
		}
	}
}
