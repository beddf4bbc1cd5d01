package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/goccy/go-yaml"
)

// A calledWorkflow is one of those that projects call.
type calledWorkflow struct {
	On struct {
		Call struct {
			Inputs map[string]struct {
				Default any
			}
			Secrets map[string]any
		} `yaml:"workflow_call"`
	}
	Jobs map[string]struct {
		Environment string
		Steps       []struct {
			Uses string
			With map[string]string
		}
	}
}

// An input of a called workflow is the action's of that name, or the job's; its secrets
// have names that GitHub's can have, or `secrets: inherit` and the secrets of an
// environment would not reach it; and an environment is the job's where one is given.
func TestCalledWorkflows(t *testing.T) {
	secret := regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)
	for name, environment := range map[string]string{"deploy": "${{ inputs.github-environment }}", "review": "", "sweep": ""} {
		text, err := os.ReadFile(filepath.Join("..", "..", ".github", "workflows", name+".yml"))
		if err != nil {
			t.Fatal(err)
		}
		var workflow calledWorkflow
		if err := yaml.Unmarshal(text, &workflow); err != nil || len(workflow.Jobs) != 1 || len(workflow.Jobs[name].Steps) != 2 {
			t.Fatalf("%s: %d jobs, %v", name, len(workflow.Jobs), err)
		}
		job := workflow.Jobs[name]
		with := job.Steps[1].With
		ofTheJob := []string{"runs-on", "timeout-minutes"}
		if name == "deploy" {
			ofTheJob = append(ofTheJob, "ref", "github-environment")
		}
		for input := range workflow.On.Call.Inputs {
			if want := fmt.Sprintf("${{ inputs.%s }}", input); !slices.Contains(ofTheJob, input) && with[input] != want {
				t.Errorf("%s: the action's %s is %q, not %q", name, input, with[input], want)
			}
		}
		for input, want := range map[string]string{"service-account-token": "OP_SERVICE_ACCOUNT_TOKEN", "connect-token": "OP_CONNECT_TOKEN"} {
			if _, declared := workflow.On.Call.Secrets[want]; !declared || with[input] != fmt.Sprintf("${{ secrets.%s }}", want) {
				t.Errorf("%s: the action's %s is %q, not the secret %s (declared: %v)", name, input, with[input], want, declared)
			}
		}
		for _, declared := range slices.Sorted(maps.Keys(workflow.On.Call.Secrets)) {
			if !secret.MatchString(declared) {
				t.Errorf("%s: no secret of GitHub's can be named %s", name, declared)
			}
		}
		if job.Environment != environment {
			t.Errorf("%s: the job's environment is %q, not %q", name, job.Environment, environment)
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "..", ".github", "workflows", "deploy.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var deploy calledWorkflow
	if err := yaml.Unmarshal(text, &deploy); err != nil {
		t.Fatal(err)
	}
	if given := deploy.On.Call.Inputs["github-environment"].Default; given != "" {
		t.Errorf("a job has the environment %q though nobody names one", given)
	}
}
