#!/bin/sh
# Runs the end-to-end tests: makes the images that they stand on, then calls go
# test with the given arguments.
#
#   build/e2e.sh BINARY [GO TEST ARGUMENTS]
#
# KAMAL_IMAGE names another image with Kamal, such as the official one.
set -eu

binary=${1:?usage: build/e2e.sh BINARY [GO TEST ARGUMENTS]}
shift
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
cd "$root"

# The servers are Debian's, whatever image Kamal is tested in.
debian="kamal-op/kamal-base:test"
"$here/kamal-image.sh" "$debian"
kamal=${KAMAL_IMAGE:-$debian}

build() {
  if docker buildx version >/dev/null 2>&1; then
    docker buildx build --load --quiet "$@" >/dev/null
  else
    DOCKER_BUILDKIT=0 docker build --quiet "$@" >/dev/null 2>.cache/build.log || {
      cat .cache/build.log >&2
      return 1
    }
  fi
}

mkdir -p .cache
# Another tree on this machine may be tested at the same time: names of our own.
tree=$(printf '%s' "$root" | cksum | cut -d ' ' -f 1)
host="kamal-op/e2e-host:test-$tree"
action="kamal-op/action:test-$tree"
id() { docker image inspect --format '{{.Id}}' "$1" 2>/dev/null || true; }
former_host=$(id "$host")
former_action=$(id "$action")
echo "e2e: the image of the servers" >&2
build --tag "$host" --build-arg "BASE_IMAGE=$debian" e2e/host

proxy=basecamp/kamal-proxy:v0.9.2
if ! docker image inspect "$proxy" >/dev/null 2>&1 && ! timeout 300 docker pull --quiet "$proxy" >/dev/null 2>&1; then
  "$here/kamal-proxy-image.sh" "$proxy"
fi

echo "e2e: the image of the action" >&2
KAMAL_IMAGE=$kamal "$here/image.sh" "$action"

# What was replaced would stay, without a name. An image that has another name, or
# that a container of another run still uses, is left.
replaced() {
  if [ -n "$1" ] && [ "$1" != "$(id "$2")" ] &&
    [ "$(docker image inspect --format '{{len .RepoTags}}' "$1" 2>/dev/null)" = 0 ]; then
    docker image rm "$1" >/dev/null 2>&1 || true
  fi
}
replaced "$former_host" "$host"
replaced "$former_action" "$action"
# Without BuildKit an engine keeps the build stage of the action's image as well:
# the next build's cache, if nothing changes.
stage=$(docker images --quiet --filter dangling=true --filter label=kamal-op.stage=build | head -n 1)
if [ -n "$stage" ]; then
  docker tag "$stage" "kamal-op/action-build:test-$tree"
  # What another tree builds right now has no name yet.
  docker image prune --force --filter label=kamal-op.stage=build --filter until=1h >/dev/null
fi

KAMAL_OP_E2E=1 \
  KAMAL_OP_E2E_BINARY=$(realpath "$binary") \
  KAMAL_OP_E2E_ACT=$(realpath .cache/tools/act) \
  KAMAL_OP_E2E_KAMAL=$kamal \
  KAMAL_OP_E2E_HOST=$host \
  KAMAL_OP_E2E_ACTION=$action \
  exec go test -count=1 -timeout=60m -parallel=2 "$@" ./e2e
