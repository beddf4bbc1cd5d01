#!/bin/bash
# Runs the tests of internal/rehearsal that need real Kamal, inside the Kamal
# image, against this machine's Docker engine. What it writes is what
# `go test -json` does.
#
#   build/rehearsal-test.sh [TEST FLAGS, as -test.run=TestRun_]
#
# KAMAL_IMAGE names the image; build/kamal-image.sh makes one.
set -euo pipefail

image=${KAMAL_IMAGE:-kamal-op/kamal-base:test}
here=$(cd "$(dirname "$0")/.." && pwd)

# The same path inside and outside: what Kamal mounts "on the server" is mounted
# by the engine out here.
work=$(mktemp -d "${TMPDIR:-/tmp}/kamal-op-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# There is one kamal-proxy on an engine: another tree's rehearsals come after ours.
if command -v flock >/dev/null 2>&1; then
  exec 9>"${TMPDIR:-/tmp}/kamal-op-rehearsal.$(id -u).lock"
  flock 9
fi
# Where there is no registry to pull it from, as on a new machine, Kamal needs it here.
"$here/build/kamal-proxy-image.sh"
CGO_ENABLED=0 go test -C "$here" -c -o "$work/rehearsal.test" ./internal/rehearsal
# The tests that ask for Kamal; the others have run outside.
cd "$here/internal/rehearsal"
tests=$(grep -l -w -E 'needsKamal|newDeployer' ./*_test.go | xargs sed -n -E 's/^func (Test[A-Za-z0-9_]+).*/\1/p' | paste -s -d '|')
echo "internal/rehearsal, in $image" >&2
docker run --rm --network host \
  --volume /var/run/docker.sock:/var/run/docker.sock \
  --volume "$work:$work" --env TMPDIR="$work" --workdir "$here" --volume "$here:$here:ro" \
  --entrypoint "$work/rehearsal.test" "$image" \
  -test.count=1 -test.v=test2json "-test.run=^($tests)\$" "$@" 2>&1 |
  go tool test2json -t -p internal/rehearsal
