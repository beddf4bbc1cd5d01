#!/bin/sh
# Rehearses on this machine with real Kamal, which needs no Ruby here: kamal-op
# runs inside Kamal's image, against this machine's Docker engine. What cannot be
# pulled is built, once.
#
#   build/rehearse.sh [BINARY] [ARGUMENTS OF kamal-op rehearse]
#
# BINARY is ./kamal-op where it is left away, and is built where it is missing.
# The working directory is there inside too, read-only, for --project.
# KAMAL_IMAGE names another image with Kamal.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
say() { printf '%s\n' "$*" >&2; }

binary=$root/kamal-op
case ${1:-} in
  '' | -*) ;;
  *)
    binary=$(realpath "$1")
    shift
    ;;
esac
if [ ! -x "$binary" ]; then
  say "building kamal-op"
  (cd "$root" && CGO_ENABLED=0 go build -trimpath -o "$binary" .)
fi

if ! command -v docker >/dev/null 2>&1; then
  say "docker is not found: install Docker, https://docs.docker.com/engine/install/"
  exit 3
fi
if ! said=$(docker version --format '{{.Server.Version}}' 2>&1); then
  say "the Docker engine does not answer: $said"
  exit 3
fi
# The rehearsal looks for its engine itself; this is where to find it from inside.
engine=$(docker context inspect --format '{{.Endpoints.docker.Host}}')
case $engine in
  unix://*) socket=${engine#unix://} ;;
  *)
    say "the Docker engine in use is not on this machine: $engine"
    say "choose a local one with \`docker context use default\`, or unset DOCKER_HOST"
    exit 3
    ;;
esac

have() { docker image inspect "$1" >/dev/null 2>&1 || timeout 300 docker pull --quiet "$1" >/dev/null 2>&1; }

kamal=${KAMAL_IMAGE:-$(sed -n "s/^ARG KAMAL_IMAGE=//p" "$root/Dockerfile")}
if ! have "$kamal"; then
  kamal="kamal-op/kamal-base:test"
  "$here/kamal-image.sh" "$kamal"
fi
proxy=basecamp/kamal-proxy:$(sed -n 's|^.*github.com/basecamp/kamal-proxy \(v[^ ]*\).*|\1|p' "$here/kamal-proxy/go.mod")
if ! have "$proxy"; then
  "$here/kamal-proxy-image.sh" "$proxy"
fi

# The same path inside and outside, since the engine mounts out here what Kamal
# mounts "on the server".
work=$(mktemp -d "${TMPDIR:-/tmp}/kamal-op.XXXXXX")
trap 'rm -rf "$work"' EXIT
# docker run passes signals on; its end is this script's.
trap : INT TERM

cp "$binary" "$work/kamal-op"
status=0
docker run --rm --network host \
  --volume "$socket:/var/run/docker.sock" \
  --volume "$work:$work" --env TMPDIR="$work" \
  --volume "$PWD:$PWD:ro" --workdir "$PWD" \
  --env GIT_CONFIG_COUNT=1 --env GIT_CONFIG_KEY_0=safe.directory --env "GIT_CONFIG_VALUE_0=*" \
  --entrypoint "$work/kamal-op" "$kamal" rehearse "$@" || status=$?
exit $status
