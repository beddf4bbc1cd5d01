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
host="kamal-op/e2e-host:test"
echo "e2e: the image of the servers" >&2
build --tag "$host" --build-arg "BASE_IMAGE=$debian" e2e/host

proxy=basecamp/kamal-proxy:v0.9.2
if ! docker image inspect "$proxy" >/dev/null 2>&1 && ! timeout 300 docker pull --quiet "$proxy" >/dev/null 2>&1; then
  "$here/kamal-proxy-image.sh" "$proxy"
fi

action="kamal-op/action:test"
echo "e2e: the image of the action" >&2
KAMAL_IMAGE=$kamal "$here/image.sh" "$action"

KAMAL_OP_E2E=1 \
  KAMAL_OP_E2E_BINARY=$(realpath "$binary") \
  KAMAL_OP_E2E_ACT=$(realpath .cache/tools/act) \
  KAMAL_OP_E2E_KAMAL=$kamal \
  KAMAL_OP_E2E_HOST=$host \
  KAMAL_OP_E2E_ACTION=$action \
  exec go test -count=1 -timeout=40m "$@" ./e2e
