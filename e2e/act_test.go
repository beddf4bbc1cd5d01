package e2e

import (
	"os"
	"strings"
	"testing"
)

// A runner that takes GitHub's workflows (act, whose relatives run Gitea's and
// Forgejo's) runs one whose local composite action calls the binary: masks, groups,
// outputs and the summary arrive. A later step prints a value that is masked for
// the job, and only its masks keep it out of the log.
func TestAct(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	var action strings.Builder
	action.WriteString(`name: Deploy
inputs:
  connect-host: {required: true}
  connect-token: {required: true}
outputs:
  version: {value: "${{ steps.kamal-op.outputs.version }}"}
  hosts: {value: "${{ steps.kamal-op.outputs.hosts }}"}
runs:
  using: composite
  steps:
    - id: kamal-op
      shell: bash
      run: kamal-op deploy
      env:
        OP_CONNECT_HOST: ${{ inputs.connect-host }}
        OP_CONNECT_TOKEN: ${{ inputs.connect-token }}
        KAMAL_OP_SSH_KEY: op://MyApp/Server
        KAMAL_OP_SECRETS: |
`)
	for _, line := range c.declared() {
		action.WriteString("          " + line + "\n")
	}
	action.WriteString(`    - shell: bash
      run: kamal-op run --secret=A=op://MyApp/Production/RAILS_MASTER_KEY -- sh -c 'printf %s "$A" >/tmp/value'
      env:
        OP_CONNECT_HOST: ${{ inputs.connect-host }}
        OP_CONNECT_TOKEN: ${{ inputs.connect-token }}
`)
	c.project.write(".github/actions/deploy/action.yml", action.String())
	c.project.write(".github/workflows/deploy.yml", `on: push
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - id: deploy
        uses: ./.github/actions/deploy
        with:
          connect-host: ${{ secrets.CONNECT_HOST }}
          connect-token: ${{ secrets.CONNECT_TOKEN }}
      - run: echo "deployed ${{ steps.deploy.outputs.version }} to ${{ steps.deploy.outputs.hosts }}"
      - run: echo "the value is $(cat /tmp/value)"
`)
	version := c.project.commit()
	m := c.rig.machine(t, c.project)
	mustDocker(t, "cp", os.Getenv(envAct), m.id+":/usr/local/bin/act")
	// The token goes by a file, as it would be the runner's own store of secrets.
	if res := m.start(nil, "CONNECT_HOST="+c.vault.URL()+"\nCONNECT_TOKEN="+c.vault.Token()+"\n", "sh", "-c", "umask 077; cat >/tmp/secrets").wait(); res.Status != 0 {
		t.Fatal(res.Log)
	}
	res := m.run(nil, "act", "push", "--platform", "ubuntu-latest=-self-hosted", "--pull=false", "--secret-file", "/tmp/secrets")
	c.succeeded(res)
	c.deployed()
	c.unlocked()
	for _, want := range []string{
		"::group::build and push", "::group::boot", "::endgroup::", // act shows groups as commands that it knows
		"✓ boot, ", "deployed " + version + " to " + c.servers[0].Address, "the value is ***",
		"Summary - ## ✓ deploy of " + c.project.Service + " succeeded",
		"Job succeeded",
	} {
		if !strings.Contains(res.Log, want) {
			t.Errorf("%q is not in the log", want)
		}
	}
	if t.Failed() {
		t.Log(res.Log)
	}
}
