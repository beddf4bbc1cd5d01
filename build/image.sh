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
mkdir -p .cache
# Two builds at a time would share one context.
exec 9>.cache/image.lock
if command -v flock >/dev/null 2>&1; then
  flock 9
fi

# Whatever is here already, or can be had, is taken.
have() { docker image inspect "$1" >/dev/null 2>&1 || timeout 300 docker pull --quiet "$1" >/dev/null 2>&1; }

# build TAG CONTEXT [ARGUMENTS]: builds without network, and is silent unless it
# fails. A CLI without buildx has the builder of the engine.
build() {
  name=$1
  directory=$2
  shift 2
  if docker buildx version >/dev/null 2>&1; then
    docker buildx build --load --progress plain --network none --tag "$name" "$@" "$directory" >.cache/image.log 2>&1
  else
    DOCKER_BUILDKIT=0 docker build --network none --tag "$name" "$@" "$directory" >.cache/image.log 2>&1
  fi || {
    cat .cache/image.log >&2
    return 1
  }
}

# base NAME: the image that the Dockerfile pins for this argument.
base() { sed -n "s/^ARG $1=//p" Dockerfile; }

kamal=${KAMAL_IMAGE:-$(base KAMAL_IMAGE)}
if ! have "$kamal"; then
  kamal="kamal-op/kamal-base:test"
  "$here/kamal-image.sh" "$kamal"
fi

# The context is put together beside the tree: a vendor/ folder in it would
# change how everything else there is built.
context=.cache/context
rm -rf "$context"
mkdir -p "$context"
tar -cf - --exclude=testdata --exclude='*_test.go' \
  ./*.go go.mod go.sum Dockerfile .dockerignore LICENSE build/release internal mask sshagent | tar -C "$context" -xf -
go mod vendor -o "$context/vendor"

go=${GO_IMAGE:-$(base GO_IMAGE)}
if ! have "$go"; then
  toolchain=kamal-op/go:$(go env GOVERSION)
  if ! docker image inspect "$toolchain" >/dev/null 2>&1; then
    echo "image: importing the Go toolchain as $toolchain" >&2
    # Its programs are static: they need nothing else in their image.
    tar -C "$(go env GOROOT)" --dereference --exclude=./test --exclude=./doc --exclude=./api \
      --transform='s,^\.,usr/local/go,' -cf - . |
      docker import --change 'ENV PATH=/usr/local/go/bin' - "$toolchain" >/dev/null
  fi
  # The dependencies are compiled once for each set of them, into an image that
  # the build stage starts from: they are nine tenths of the work.
  packages=$(CGO_ENABLED=0 go list -deps -f '{{if not .Standard}}{{.ImportPath}}{{end}}' . |
    grep -v -E '^github.com/kamal-op/|/internal/|/internal$' | LC_ALL=C sort)
  go=$toolchain-$( (echo "$packages" && cat go.sum) | sha256sum | cut -c 1-12)
  if ! docker image inspect "$go" >/dev/null 2>&1; then
    echo "image: compiling the dependencies" >&2
    warm=.cache/warm
    rm -rf "$warm"
    mkdir -p "$warm"
    cp -r go.mod go.sum "$context/vendor" "$warm"
    {
      printf 'package main\n\nimport (\n'
      echo "$packages" | sed 's/.*/\t_ "&"/'
      printf ')\n\nfunc main() {}\n'
    } >"$warm/main.go"
    cat >"$warm/Dockerfile" <<DOCKERFILE
FROM $toolchain
ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOCACHE=/go/cache GOTMPDIR=/warm GOFLAGS="-buildvcs=false -trimpath"
WORKDIR /warm
COPY . .
RUN ["go", "build", "-o", "/dev/null", "."]
DOCKERFILE
    build "$go" "$warm"
    rm -rf "$warm"
  fi
fi

echo "image: building $tag" >&2
build "$tag" "$context" \
  --build-arg "KAMAL_IMAGE=$kamal" --build-arg "GO_IMAGE=$go" --build-arg "VERSION=${VERSION:-}"
