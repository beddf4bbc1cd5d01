#!/bin/bash
# Builds and tests this tree against the newest version of a module that more of ours
# hangs on than its API, and says in words what that breaks: in the log, and in the
# summary of the job. It changes go.mod and go.sum.
#
#   build/next.sh MODULE
set -euo pipefail

module=${1:?usage: build/next.sh MODULE}
cd "$(dirname "$0")/.."
version() { go list -m -f '{{.Version}}' "$module"; }
summary=${GITHUB_STEP_SUMMARY:-/dev/null}
say() { printf '%s\n' "$*" | tee -a "$summary"; }
former=$(version)
if ! go get "$module@latest" || ! go mod tidy; then
  say "- ✗ The newest $module cannot be taken in the place of $former: the lines above say why."
  exit 1
fi
next=$(version)

if [ "$next" = "$former" ]; then
  say "There is no newer $module than $former."
  exit 0
fi
say "### $module $next in the place of $former"
broken=0
# holds WORDS BROKEN COMMAND...: says the first where the command succeeds, else the second.
holds() {
  local well=$1 wrong=$2
  shift 2
  if "$@"; then
    say "- ✓ $well"
  else
    broken=1
    say "- ✗ $wrong"
    return 1
  fi
}

mkdir -p .cache
holds "It builds." "It does not build: an API has changed, or a name that internal/onepassword/coresource.go takes by go:linkname. The lines above say which." \
  go build -trimpath -o .cache/next . || exit 1
holds "go vet finds nothing." "go vet finds something, or the tests do not build: the lines above say what." \
  go vet ./internal/onepassword/... . || exit 1
holds "The core is kept compiled, as before." \
  "The core is not kept compiled: internal/onepassword/corecache.go was written for another wazero. Each run compiles it then, in two to three seconds of CPU time, and the image cannot be built (\`cache warm\`). Look at wazero's config.go and cache.go, and change wazeroVersion there." \
  go test -count=1 -run '^TestCacheGuard' ./internal/onepassword || true
holds "What the SDK answers is what it was." "1Password's SDK answers otherwise than it did: the lines above say what." \
  go test -count=1 -skip '^TestCacheGuard$' ./internal/onepassword/... || true
holds "The program itself reads secrets with a service account, also where it cannot keep the core." "The program itself does not read secrets with a service account: this version must not be taken." \
  env KAMAL_OP_LONG_TESTS=1 go test -count=1 -run '^TestServiceAccount_' ./internal/program || true
exit "$broken"
