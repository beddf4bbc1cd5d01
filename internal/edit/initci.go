package edit

import (
	"fmt"
	"path"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// A CI is a system whose file init can write.
type CI string

// The systems. Each has a page in docs/ci.
const (
	GitHub   CI = "github"
	GitLab   CI = "gitlab"
	CircleCI CI = "circleci"
)

const (
	gitlabFile = ".gitlab-ci.yml"
	circleFile = ".circleci/config.yml"
)

// file is what init writes, at the root of the repository.
func (c CI) file() string {
	switch c {
	case GitLab:
		return gitlabFile
	case CircleCI:
		return circleFile
	}
	return path.Join(workflowDir, workflowFile)
}

// manyFiles tells whether the system reads more than one file.
func (c CI) manyFiles() bool { return c != GitLab && c != CircleCI }

// page is the documentation's.
func (c CI) page() string { return "docs/ci/" + string(c) + ".md" }

// tokenPlace says where the token is set.
func (c CI) tokenPlace() string {
	switch c {
	case GitLab:
		return "set the project's CI/CD variable, masked and protected,"
	case CircleCI:
		return "set, in the context production that the job names,"
	}
	return "set the repository's secret"
}

// setToken is to give the CI system the token.
func setToken(ci CI, vaults ...string) Todo {
	which := "the vaults of the project"
	switch len(vaults) {
	case 0:
	case 1:
		which = "the vault " + vaults[0]
	default:
		which = "the vaults " + strings.Join(vaults, ", ")
	}
	return Todo{Do: "set-token", Text: ci.tokenPlace() + " " + tokenVariable + ": the token of a service account that may read " + which + " and nothing else"}
}

// deployingCI is the system whose file deploys already, else the one that was asked for.
func (e *editor) deployingCI(asked CI) CI {
	already, _ := e.tree.deploysAlready(e.o.ConfigFile)
	for _, ci := range []CI{GitLab, CircleCI} {
		if already != "" && pageOf(already) == ci.page() {
			return ci
		}
	}
	if strings.Contains(already, workflowDir) {
		return GitHub
	}
	return asked
}

// A deployJob is the job that deploys.
type deployJob struct {
	branch, group, key, destination, config, within string
	secrets                                         []string // NAME=op://… each
}

// text is the file with the one job.
func (c CI) text(j deployJob, inputs []string) string {
	switch c {
	case GitLab:
		return j.gitlab()
	case CircleCI:
		return j.circleci()
	}
	return workflowText(j.branch, j.group, j.key, j.destination, inputs, j.secrets)
}

// variables are the options as the environment has them, at an indentation.
func (j deployJob) variables(in string) string {
	var b strings.Builder
	put := func(name, value string) {
		if value != "" {
			b.WriteString(in + "KAMAL_OP_" + name + ": " + yamlWord(value) + "\n")
		}
	}
	put("SSH_KEY", j.key)
	put("DESTINATION", j.destination)
	put("CONFIG_FILE", j.config)
	put("WORKING_DIRECTORY", j.within)
	if len(j.secrets) > 0 {
		b.WriteString(in + "KAMAL_OP_SECRETS: |\n")
		for _, line := range j.secrets {
			b.WriteString(in + "  " + line + "\n")
		}
	}
	return b.String()
}

// gitlab is a .gitlab-ci.yml.
func (j deployJob) gitlab() string {
	environment := orElse(j.destination, "production")
	return fmt.Sprintf(`deploy:
  stage: deploy
  image: ghcr.io/kamal-op/kamal-op:1
  services:
    - name: docker:28.5.2-dind@sha256:2a232a42256f70d78e3cc5d2b5d6b3276710a0de0596c145f627ecfae90282ac
      alias: docker
  variables:
    DOCKER_HOST: tcp://docker:2376
    DOCKER_TLS_VERIFY: "1"
    DOCKER_TLS_CERTDIR: /certs
    DOCKER_CERT_PATH: /certs/client
%s  script:
    - kamal-op deploy
  environment: %s
  resource_group: %s
  interruptible: false
  rules:
    - if: $CI_COMMIT_BRANCH == "%s"
`, j.variables("    "), yamlWord(environment), yamlWord(j.group), strings.ReplaceAll(j.branch, `"`, ""))
}

// circleci is a .circleci/config.yml, with nothing that an owner has to allow first.
func (j deployJob) circleci() string {
	environment := j.variables("      ")
	if environment != "" { // a key without a value is null to YAML
		environment = "    environment:\n" + environment
	}
	return fmt.Sprintf(`version: 2.1
jobs:
  deploy:
    docker:
      - image: ghcr.io/kamal-op/kamal-op:1
%s    steps:
      - checkout
      - setup_remote_docker
      - run:
          name: kamal-op deploy
          shell: /bin/sh -e
          no_output_timeout: 30m
          command: kamal-op deploy
workflows:
  deploy:
    jobs:
      - deploy:
          context: production
          serial-group: "<< pipeline.project.slug >>/%s"
          filters:
            branches:
              only: %s
`, environment, strings.ReplaceAll(j.group, `"`, ""), yamlWord(j.branch))
}

// pageOf is the documentation's page for the CI system that reads a file; "" for
// GitHub's, and for Gitea's and Forgejo's, whose workflows are the same.
func pageOf(name string) string {
	base, dir := path.Base(name), path.Base(path.Dir(name))
	switch {
	case base == gitlabFile:
		return GitLab.page()
	case dir == ".circleci":
		return CircleCI.page()
	case dir == ".buildkite":
		return "docs/ci/buildkite.md"
	case dir == ".woodpecker" || base == ".woodpecker.yml" || base == ".woodpecker.yaml" || base == ".drone.yml":
		return "docs/ci/woodpecker.md"
	case base == "azure-pipelines.yml":
		return "docs/ci/azure.md"
	case base == "Jenkinsfile" || base == "bitbucket-pipelines.yml" || dir == ".semaphore":
		return "docs/ci/shell.md"
	}
	return ""
}

// migratedCI tells whether migrate changes the files of the system that a page is of.
func migratedCI(page string) bool { return page == GitLab.page() || page == CircleCI.page() }

// notMigrated says what to do with another CI system's file.
func notMigrated(name, page string) error {
	return problem.Usagef(page+" has the job that takes the place of what installs op, Ruby and Kamal and starts an agent; then kamal-op check says whether anything is missing",
		"%s is not migrated: only a workflow of GitHub's, .gitlab-ci.yml and CircleCI's configuration are", name)
}
