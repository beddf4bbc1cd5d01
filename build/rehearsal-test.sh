#!/bin/sh
# Runs the tests of internal/rehearsal that need real Kamal, inside the Kamal
# image, against this machine's Docker engine.
#
#   build/rehearsal-test.sh [flags of the test binary]
#
# KAMAL_IMAGE names the image; build/kamal-image.sh makes one.
set -eu

image=${KAMAL_IMAGE:-kamal-op/kamal-base:test}
here=$(cd "$(dirname "$0")/.." && pwd)

# The same path inside and outside: what Kamal mounts "on the server" is mounted
# by the engine out here.
work=$(mktemp -d "${TMPDIR:-/tmp}/kamal-op-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Where there is no registry to pull it from, as on a new machine, Kamal needs it here.
"$here/build/kamal-proxy-image.sh"
(cd "$here" && CGO_ENABLED=0 go test -c -o "$work/rehearsal.test" ./internal/rehearsal)
docker run --rm --network host \
  --volume /var/run/docker.sock:/var/run/docker.sock \
  --volume "$work:$work" --env TMPDIR="$work" --workdir "$here" --volume "$here:$here:ro" \
  --entrypoint "$work/rehearsal.test" "$image" \
  -test.count=1 "${@:--test.v}"
