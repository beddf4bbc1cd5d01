package reference

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// The head and the end of native/action.yml; between them stand the inputs and
// outputs of the docker form.
const (
	nativeHead = `# Between "inputs:" and "runs:" this is the action.yml of the docker form, but for what
# a container makes different: make generate writes it.
name: Kamal with 1Password, native
description: Deploy with Kamal, with the secrets and the SSH key out of 1Password, on the runner itself and without Docker for the action.
author: kamal-op

branding:
  icon: anchor
  color: blue

`
	nativeRuns = `runs:
  using: node24
  main: launch.js
  # After a hard kill: ends what is left of the step, and releases its deploy lock.
  post: post.js
`
)

// nativeDescriptions are those of the inputs that are another thing on the runner
// itself than in a container.
func nativeDescriptions() map[string]string {
	return map[string]string{
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
}

// nativeInputs are the inputs that the native form has beside those of the docker form.
const nativeInputs = `  kamal-version:
    description: >-
      Version of Kamal to install into the tool cache, with the runner's Ruby, where neither the bundle of the project's
      bin/kamal is installed nor a kamal is on the PATH.
    default: %s
  mirror:
    description: >-
      Address that has the release's files, in place of github.com, for a runner that cannot reach it. What comes from
      there must have the hashes of the release.
`

// nativeAction is the action.yml of the native form, made from that of the docker form.
func nativeAction(g Grammar, docker string) (string, error) {
	_, rest, ok := strings.Cut(docker, "\ninputs:\n")
	body, _, ok2 := strings.Cut(rest, "\nruns:\n")
	inputs, outputs, ok3 := strings.Cut(body, "\noutputs:\n")
	if !ok || !ok2 || !ok3 {
		return "", errors.New("action.yml has no inputs, outputs and runs in this order")
	}
	for name, text := range nativeDescriptions() {
		block := regexp.MustCompile(`(?m)^  ` + name + `:\n    description:.*\n(      .*\n)*`)
		if !block.MatchString(inputs) {
			return "", fmt.Errorf("action.yml has no input %s", name)
		}
		inputs = block.ReplaceAllLiteralString(inputs, "  "+name+":\n    description: >-"+text+"\n")
	}
	kamal := regexp.MustCompile(`(?m)^  kamal:\n(    .*\n)+`)
	inputs = kamal.ReplaceAllStringFunc(inputs, func(block string) string { return block + fmt.Sprintf(nativeInputs, g.TestedKamal) })
	return nativeHead + "inputs:\n" + inputs + "\noutputs:\n" + outputs + "\n" + nativeRuns, nil
}
