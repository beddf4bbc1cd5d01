// Package native has no code in Go: these are the tests of the launcher, which is
// JavaScript, under the Node that is there.
package native

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/kamal"
)

var update = flag.Bool("update", false, "write native/action.yml anew")

// The head and the end of native/action.yml; between them stand the inputs and
// outputs of the docker form.
const (
	head = `# Between "inputs:" and "runs:" this is the action.yml of the docker form, but for what
# a container makes different: go test ./native -update writes it.
name: Kamal with 1Password, native
description: Deploy with Kamal, with the secrets and the SSH key out of 1Password, on the runner itself and without Docker for the action.
author: kamal-op

branding:
  icon: anchor
  color: blue

`
	runs = `runs:
  using: node24
  main: launch.js
  # After a hard kill: ends what is left of the step, and releases its deploy lock.
  post: post.js
`
)

// descriptions are those of the inputs that are another thing on the runner itself.
var descriptions = map[string]string{
	"connect-host": `
      Address of a 1Password Connect server with its scheme, such as http://connect:8080, as it is reached from the
      runner. Where both kinds of credentials are given, Connect is used.`,
	"connect-token-file": `
      File that holds the Connect token, in place of connect-token, readable by its owner alone.`,
	"core-cache": `
      Directory that kamal-op cache warm has made, for a service account on self-hosted runners.`,
	"kamal": `
      Kamal to run, as a path in the project. If not given, bin/kamal where it works, else kamal on the PATH, else the
      one that the input kamal-version names.`,
}

const ownInputs = `  kamal-version:
    description: >-
      Version of Kamal to install into the tool cache, with the runner's Ruby, where neither the bundle of the project's
      bin/kamal is installed nor a kamal is on the PATH.
    default: ` + kamal.TestedVersion + `
  mirror:
    description: >-
      Address that has the release's files, in place of github.com, for a runner that cannot reach it. What comes from
      there must have the hashes of the release.
`

// native is the action.yml of the native form, made from that of the docker form.
func nativeAction(t *testing.T, docker string) string {
	t.Helper()
	_, rest, ok := strings.Cut(docker, "\ninputs:\n")
	body, _, ok2 := strings.Cut(rest, "\nruns:\n")
	inputs, outputs, ok3 := strings.Cut(body, "\noutputs:\n")
	if !ok || !ok2 || !ok3 {
		t.Fatal("action.yml has no inputs, outputs and runs in this order")
	}
	for name, text := range descriptions {
		block := regexp.MustCompile(`(?m)^  ` + name + `:\n    description:.*\n(      .*\n)*`)
		if !block.MatchString(inputs) {
			t.Fatalf("action.yml has no input %s", name)
		}
		inputs = block.ReplaceAllLiteralString(inputs, "  "+name+":\n    description: >-"+text+"\n")
	}
	kamal := regexp.MustCompile(`(?m)^  kamal:\n(    .*\n)+`)
	if !kamal.MatchString(inputs) {
		t.Fatal("action.yml has no input kamal")
	}
	inputs = kamal.ReplaceAllStringFunc(inputs, func(block string) string { return block + ownInputs })
	return head + "inputs:\n" + inputs + "\noutputs:\n" + outputs + "\n" + runs
}

// The native form takes what the docker form takes.
func TestAction_hasTheInputsOfTheDockerForm(t *testing.T) {
	docker, err := os.ReadFile("../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	want := nativeAction(t, string(docker))
	if *update {
		if err := os.WriteFile("action.yml", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("action.yml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(have)); diff != "" {
		t.Errorf("native/action.yml (-wanted +there; go test ./native -update writes it):\n%s", diff)
	}
	for _, word := range []string{"container that the", "this image", "published image"} {
		if strings.Contains(string(have), word) {
			t.Errorf("native/action.yml speaks of a container: %q", word)
		}
	}
}
