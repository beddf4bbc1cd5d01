#!/bin/bash
# Measures whole deploys with real Kamal, by it alone and by kamal-op in turn, on the
# rehearsal's parts and this machine's Docker engine, inside the Kamal image.
#
#   build/bench-deploy.sh [ROUNDS] [FLAGS OF bench/pairs, as -lines or -backend service-account]
#
# KAMAL_IMAGE names another image with Kamal.
set -euo pipefail

rounds=${1:-10}
image=${KAMAL_IMAGE:-kamal-op/kamal-base:test}
here=$(cd "$(dirname "$0")/.." && pwd)
if ! docker image inspect "$image" >/dev/null 2>&1; then
  "$here/build/kamal-image.sh" "$image"
fi

# Each image has it at a place of its own.
kamal=$(docker run --rm --entrypoint sh "$image" -c 'command -v kamal')

# The same path inside and outside: what Kamal mounts "on the server" is mounted by
# the engine out here.
work=$(mktemp -d "${TMPDIR:-/tmp}/kamal-op-bench.XXXXXX")
trap 'docker rm --force "$(basename "$work")" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

CGO_ENABLED=0 go build -C "$here" -trimpath -ldflags="-s -w" -o "$work/kamal-op" .
CGO_ENABLED=0 go build -C "$here" -trimpath -o "$work/pairs" ./bench/pairs

# There is one kamal-proxy on an engine: rehearsals of other trees come after ours.
if command -v flock >/dev/null 2>&1; then
  exec 9>"${TMPDIR:-/tmp}/kamal-op-rehearsal.$(id -u).lock"
  flock 9
fi
"$here/build/kamal-proxy-image.sh"
docker run --rm --init --name "$(basename "$work")" --network host \
  --volume /var/run/docker.sock:/var/run/docker.sock \
  --volume "$work:$work" --env TMPDIR="$work" --workdir "$work" \
  --entrypoint ssh-agent "$image" \
  "$work/pairs" -program "$work/kamal-op" -kamal "$kamal" -rounds "$rounds" "${@:2}"
