#!/bin/sh
# Fetches the maskers that ours is measured beside from the Go module proxy. They
# are internal packages of large programs and cannot be imported, so the one file
# of each is laid beside the benchmark, which then is built with -tags peers.
# Nothing of them is committed.
set -eu
cd "$(dirname "$0")"
: "${GITLAB:=v1.11.1-0.20260903214710-fc1f1862bd91}" "${BUILDKITE:=v3.138.3}"

fetch() { # module, version, file in it, directory here
	zip=$(GOTOOLCHAIN=local go mod download -json "$1@$2" | sed -n 's/.*"Zip": "\(.*\)".*/\1/p') || true
	[ -n "$zip" ] || { echo "peers.sh: $1@$2 is not to be had" >&2; exit 1; }
	mkdir -p "peers/$4"
	unzip -p "$zip" "$1@$2/$3" >"peers/$4/$4.go"
}
fetch gitlab.com/gitlab-org/gitlab-runner "$GITLAB" common/buildlogger/internal/masker/masker.go gitlab
fetch github.com/buildkite/agent/v3 "$BUILDKITE" internal/replacer/replacer.go buildkite
echo "gitlab-runner $GITLAB, buildkite-agent $BUILDKITE"
