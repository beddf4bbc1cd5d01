#!/bin/sh
# Builds the action's image from the Dockerfile, as GitHub does, also where no
# image can be pulled and a build has no network: the modules are vendored into
# the context, the Go toolchain of this machine becomes the build stage's image,
# and Kamal's image is the one that build/kamal-image.sh makes.
#
#   build/image.sh TAG
#
# KAMAL_IMAGE and GO_IMAGE name other base images, VERSION the release.
set -eu

tag=${1:?usage: build/image.sh TAG}
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
cd "$root"

# Whatever is here already, or can be had, is taken; $2 makes the rest.
have() { docker image inspect "$1" >/dev/null 2>&1 || timeout 300 docker pull --quiet "$1" >/dev/null 2>&1; }

kamal=${KAMAL_IMAGE:-ghcr.io/basecamp/kamal:v2.12.0}
if ! have "$kamal"; then
  kamal="kamal-op/kamal-base:test"
  "$here/kamal-image.sh" "$kamal"
fi

go=${GO_IMAGE:-golang:1.26-alpine}
if ! have "$go"; then
  # The toolchain's own programs are static: an image needs nothing else.
  go=kamal-op/go:$(go env GOVERSION)
  if ! docker image inspect "$go" >/dev/null 2>&1; then
    echo "image: importing the Go toolchain as $go" >&2
    tar -C "$(go env GOROOT)" --dereference --exclude=./test --exclude=./doc --exclude=./api \
      --transform='s,^\.,usr/local/go,' -cf - . |
      docker import --change 'ENV PATH=/usr/local/go/bin' - "$go" >/dev/null
  fi
fi

# The context is put together beside the tree: a vendor/ folder in it would
# change how everything else there is built.
context=$root/.cache/context
rm -rf "$context"
mkdir -p "$context"
tar -cf - --exclude=testdata --exclude='*_test.go' \
  ./*.go go.mod go.sum Dockerfile .dockerignore internal mask sshagent | tar -C "$context" -xf -
go mod vendor -o "$context/vendor"

set -- --quiet --tag "$tag" --file "$context/Dockerfile" \
  --build-arg "KAMAL_IMAGE=$kamal" --build-arg "GO_IMAGE=$go" --build-arg "VERSION=${VERSION:-}"
if docker buildx version >/dev/null 2>&1; then
  docker buildx build --load --network none "$@" "$context" >/dev/null
else
  DOCKER_BUILDKIT=0 docker build --network none "$@" "$context" >/dev/null 2>&1 ||
    DOCKER_BUILDKIT=0 docker build --network none "$@" "$context" >&2
fi
echo "image: $tag" >&2
