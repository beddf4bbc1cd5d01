# Every target installs what it needs on a bare Debian machine (as root) and
# leaves what it makes in .cache/.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

IMAGE ?= kamal-op/kamal-op:dev
TOOLS := .cache/tools
# What cannot be tested under the race detector: the WebAssembly core of
# 1Password's SDK, and those who load it.
NO_RACE := . ./internal/onepassword/...

export CGO_ENABLED := 0

.PHONY: help
help: ## Say what there is
	@sed -n -E 's/^([a-z0-9-]+):.*## (.*)/  make \1|\2/p' Makefile | column -t -s '|'

.PHONY: build
build: ## Build the binary, ./kamal-op
	@build/needs.sh go
	go build -trimpath -o kamal-op .

.PHONY: test
test: unit kamal e2e ## Run all tests: unit tests with the race detector, those against Kamal, e2e/

.PHONY: unit
unit: ## Run the unit tests
	@build/needs.sh go gcc git docker ssh sshd
	@build/kamal-image.sh kamal-op/kamal-base:test
	@# Each process under the race detector sleeps a second at its end: tests start many.
	CGO_ENABLED=1 GORACE=atexit_sleep_ms=0 go test -race -shuffle=on -count=1 $$(CGO_ENABLED=1 go list -race ./... | grep -v '/e2e')
	go test -shuffle=on -count=1 $(NO_RACE)
	@# The masker as it is on processors that it has no instructions for.
	go test -tags purego -shuffle=on -count=1 ./mask
	@# The rehearsal's vault is held to what 1Password's own client expects of Connect.
	cd internal/standin/sdktest && go test -count=1 ./...

.PHONY: kamal
kamal: ## Run the tests of single rooms against real Kamal
	@build/needs.sh go docker
	build/kamal-tests.sh

.PHONY: e2e
e2e: build $(TOOLS)/act ## Run the end-to-end tests: real Kamal, sshd, registry, Docker (RUN=regexp picks some)
	@build/needs.sh go git docker
	@mkdir -p .cache
	build/e2e.sh ./kamal-op -v $(if $(RUN),-run '$(RUN)') </dev/null 2>&1 | tee .cache/e2e.log

.PHONY: lint
lint: $(TOOLS)/golangci-lint $(TOOLS)/actionlint ## Check format, code, workflows, action and scripts
	@build/needs.sh go git shellcheck
	@unformatted=$$($(TOOLS)/gofumpt -l $$(git ls-files '*.go')); \
	  if [ -n "$$unformatted" ]; then printf 'gofumpt would change:\n%s\n' "$$unformatted" >&2; exit 1; fi
	$(TOOLS)/golangci-lint run --allow-parallel-runners ./...
	@# The masker is for everybody's machines.
	for arch in 386 arm64 s390x; do GOARCH=$$arch go vet ./mask; done
	$(TOOLS)/actionlint
	$(TOOLS)/actionlint docs/workflows/*.yml
	shellcheck $$(git ls-files '*.sh' .ci/run e2e/host/server e2e/host/registry)

$(TOOLS)/golangci-lint: build/tools/go.mod
	@build/needs.sh go
	go build -C build/tools -o ../../$(TOOLS)/ tool

$(TOOLS)/actionlint: build/tools/actionlint/go.mod
	@build/needs.sh go
	go build -C build/tools/actionlint -o ../../../$(TOOLS)/ tool

$(TOOLS)/act: build/tools/act/go.mod
	@build/needs.sh go
	go build -C build/tools/act -trimpath -o ../../../$(TOOLS)/ tool

.PHONY: bench
bench: ## Run the benchmarks
	@build/needs.sh go
	go test -run '^$$' -bench . ./...

.PHONY: image
image: ## Build the action's image (IMAGE=name:tag), also without a registry or network
	@build/needs.sh go docker
	build/image.sh $(IMAGE)

.PHONY: rehearse
rehearse: build ## Rehearse the main job on this machine: real Kamal, no account, no server
	@build/needs.sh docker
	build/rehearse.sh

.PHONY: clean
clean: ## Remove what the other targets made
	rm -rf kamal-op dist vendor .cache
