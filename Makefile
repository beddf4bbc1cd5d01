# Every target installs what it needs on a bare Debian machine (as root) and
# leaves what it makes in .cache/.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

IMAGE ?= kamal-op/kamal-op:dev
TOOLS := .cache/tools
# Reads what `go test -json` says: shows it, and keeps what each test took.
TESTSUM = go run ./build/testsum
# The end-to-end tests that make test runs: a deploy of each kind.
SMOKE := ^(TestDeploy|TestAction|TestDeployOfAnAppThatIsIll|TestReviewApp)$$|^TestCancelled$$/^in_a_hook$$
# Nothing in these runs beside anything else, or they load the WebAssembly core of
# 1Password's SDK, which the race detector makes twenty times slower.
NO_RACE := ./bench/... ./build/... ./e2e/... ./internal/onepassword/coretest ./internal/problem
# What is passed over under the race detector, in a package that is tested under it.
NOT_UNDER_RACE := ^TestStreams_FlatMemory$$|^TestScripts$$/^cache$$
# How long each fuzz test of make test-long looks for something new.
FUZZTIME ?= 2m

export CGO_ENABLED := 0

.PHONY: help
help: ## Say what there is
	@sed -n -E 's/^([a-z0-9-]+):.*## (.*)/  make \1|\2/p' Makefile | column -t -s '|'

.PHONY: build
build: ## Build the binary, ./kamal-op
	@build/needs.sh go
	go build -trimpath -o kamal-op .

# The targets run one after the other: some of the tests measure.
.NOTPARALLEL:

.PHONY: test
test: forget unit kamal smoke slowest ## Run what a change needs: every room, real Kamal, a deploy of each kind

.PHONY: test-all
test-all: forget race kamal e2e slowest ## Run all that guards a pull request: also the race detector and all of e2e/

.PHONY: test-long
test-long: ## Run what is random or long in its full length (an hour and more; FUZZTIME=2m)
	KAMAL_OP_LONG_TESTS=1 $(MAKE) test-all
	build/fuzz.sh $(FUZZTIME)

.PHONY: unit
unit: for-unit sdk ## Run the tests of every room
	go test -json -shuffle=on -count=1 -timeout=30m ./... | $(TESTSUM) unit

.PHONY: race
race: for-unit sdk ## Run the tests of every room, under the race detector where there is concurrency
	@# Each process under the race detector sleeps a second at its end: tests start many.
	CGO_ENABLED=1 GORACE=atexit_sleep_ms=0 go test -json -race -shuffle=on -count=1 -timeout=30m \
	  $$(go list ./... | grep -v -x -F "$$(go list $(NO_RACE))") | $(TESTSUM) race
	go test -json -shuffle=on -count=1 -timeout=30m $(NO_RACE) | $(TESTSUM) no-race
	go test -json -shuffle=on -count=1 -timeout=30m -run '$(NOT_UNDER_RACE)' ./internal/program | $(TESTSUM) not-under-race

.PHONY: for-unit
for-unit: $(TOOLS)/actionlint
	@build/needs.sh go gcc git docker node ssh sshd
	@build/kamal-image.sh kamal-op/kamal-base:test

.PHONY: sdk
sdk:
	@# The stand-in of Connect is held to what 1Password's own client expects of Connect.
	go test -C internal/standin/sdktest -json -count=1 ./... | $(TESTSUM) sdk

.PHONY: kamal
kamal: $(TOOLS)/actionlint ## Run the tests of single rooms against real Kamal
	@build/needs.sh go docker
	build/kamal-tests.sh | $(TESTSUM) -v -no-skips -least 20 kamal

.PHONY: e2e
e2e: build $(TOOLS)/act ## Run the end-to-end tests: real Kamal, sshd, registry, Docker (RUN=regexp picks some)
	@build/needs.sh go git docker
	@mkdir -p .cache
	build/e2e.sh ./kamal-op -json $(if $(RUN),-run '$(RUN)') </dev/null | $(TESTSUM) -v -no-skips -least $(if $(RUN),1,5) e2e 2>&1 | tee .cache/e2e.log

.PHONY: smoke
smoke: RUN = $(SMOKE)
smoke: e2e ## Run one end-to-end deploy of each kind: native, image, failure, cancel, review

.PHONY: forget
forget:
	@rm -rf .cache/tests

.PHONY: slowest
slowest: ## List the ten tests that took longest
	@$(TESTSUM) -slowest 10

.PHONY: generate
generate: ## Write what is made of the options' declarations: the inputs of both action.yml, docs/reference.md
	@build/needs.sh go
	go run ./build/generate

# What make mutate changes, and how much of each.
MUTATE ?= ./mask ./sshagent $(addprefix ./internal/,broker hosts review github onepassword kamal supervise)
SAMPLE ?= 150

.PHONY: mutate
mutate: $(TOOLS)/gremlins ## Change the code in small ways, and count how often the tests notice (MUTATE=packages, SAMPLE=150)
	@build/needs.sh go git ssh sshd
	go run ./build/mutate -gremlins $(TOOLS)/gremlins -sample $(SAMPLE) $(MUTATE)

# What deadcode does not see in use: helpers of tests, what package fmt calls, and an
# option of a public package that bench/mask, a module of its own, takes.
NOT_DEAD := ^internal/(github/githubtest|testkit)/|: Options\.Format$$|: Encodings$$

.PHONY: lint
lint: $(TOOLS)/golangci-lint $(TOOLS)/actionlint ## Check format, code, workflows, action and scripts
	@build/needs.sh go git shellcheck
	@unformatted=$$($(TOOLS)/gofumpt -l $$(git ls-files '*.go')); \
	  if [ -n "$$unformatted" ]; then printf 'gofumpt would change:\n%s\n' "$$unformatted" >&2; exit 1; fi
	$(TOOLS)/golangci-lint run --allow-parallel-runners ./...
	@dead=$$($(TOOLS)/deadcode ./... | grep -v -E '$(NOT_DEAD)' || true); \
	  if [ -n "$$dead" ]; then printf 'nothing calls:\n%s\n' "$$dead" >&2; exit 1; fi
	go run ./build/exported
	$(TOOLS)/actionlint
	$(TOOLS)/actionlint docs/workflows/*.yml
	shellcheck $$(git ls-files '*.sh' .ci/run e2e/host/server e2e/host/registry e2e/host/database)

$(TOOLS)/golangci-lint: build/tools/go.mod
	@build/needs.sh go
	go build -C build/tools -o ../../$(TOOLS)/ tool

$(TOOLS)/actionlint: build/tools/actionlint/go.mod
	@build/needs.sh go
	go build -C build/tools/actionlint -o ../../../$(TOOLS)/ tool

$(TOOLS)/act: build/tools/act/go.mod
	@build/needs.sh go
	go build -C build/tools/act -trimpath -o ../../../$(TOOLS)/ tool

$(TOOLS)/gremlins: build/tools/gremlins/go.mod
	@build/needs.sh go
	go build -C build/tools/gremlins -trimpath -o ../../../$(TOOLS)/ tool

$(TOOLS)/nfpm: build/tools/release/go.mod
	@build/needs.sh go
	go build -C build/tools/release -trimpath -o ../../../$(TOOLS)/ tool

.PHONY: bench
bench: ## Run the benchmarks; the masker's, beside its peers, fails below three times Buildkite's
	@build/needs.sh go unzip ssh-agent
	go test -run '^$$' -bench . ./...
	go run ./bench/sshagent -rounds 1 -time 1s
	cd bench/mask && ./peers.sh && go run -tags peers . -size 16 -rounds 4 -budget 20ms

.PHONY: bench-deploy
bench-deploy: ## Deploy with real Kamal, by it alone and by kamal-op in turn, and print the ratios (ROUNDS=10)
	@build/needs.sh go git docker
	build/bench-deploy.sh $(or $(ROUNDS),10)

.PHONY: image
image: ## Build the action's image (IMAGE=name:tag), also without a registry or network
	@build/needs.sh go docker
	build/image.sh $(IMAGE)

.PHONY: rehearse
rehearse: build ## Rehearse the main job on this machine: real Kamal, no account, no server
	@build/needs.sh docker
	build/rehearse.sh

.PHONY: site
site: ## Make the documentation into a site that can be searched, in .cache/site/html
	@build/needs.sh go mkdocs
	@rm -rf .cache/site
	go run ./build/site .cache/site/tree
	/usr/bin/mkdocs build --quiet -f build/site/mkdocs.yml
	go run ./build/site -check .cache/site/html

.PHONY: release-snapshot
release-snapshot: $(TOOLS)/nfpm ## Build what a release holds, into dist/ (VERSION=1.2.3, of a commit)
	@build/needs.sh go git
	go run ./build/release -nfpm $(TOOLS)/nfpm -version "$${VERSION:-}" dist

.PHONY: reproducible
reproducible: $(TOOLS)/nfpm ## Build the commit's release twice, in two places, and compare the bytes (PLATFORM=linux_amd64)
	@build/needs.sh go git
	build/reproducible.sh $(TOOLS)/nfpm $(PLATFORM)

.PHONY: install-test
install-test: release-snapshot ## Install each form of a release in an empty container, and deploy with it (FORMS="tar deb rpm go image")
	@build/needs.sh go git docker
	build/install-test.sh dist $(FORMS)

.PHONY: clean
clean: ## Remove what the other targets made
	rm -rf kamal-op dist vendor .cache
