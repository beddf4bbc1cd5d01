#!/bin/sh
# Builds the release of the commit twice, as two people would: in two directories,
# with other umasks, time zones and settings of Go, the second without the cache of
# the first. Every file must have the same bytes.
#
#   build/reproducible.sh NFPM [PLATFORM]
#
# PLATFORM, such as linux_amd64, is all that is built: a quarter of the time.
set -eu

nfpm=$(realpath "${1:?usage: build/reproducible.sh NFPM [PLATFORM]}")
platform=${2:-}
root=$(git rev-parse --show-toplevel)
commit=$(git rev-parse HEAD)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# copy DIRECTORY: the commit, without what is changed or ignored in the tree.
copy() {
  git clone --quiet --no-checkout "$root" "$1"
  git -C "$1" checkout --quiet --detach "$commit"
}

copy "$work/one"
copy "$work/another/place"
(
  umask 022
  cd "$work/one"
  TZ=UTC go run ./build/release -nfpm "$nfpm" -only "$platform" dist
)
(
  umask 077
  cd "$work/another/place"
  GOCACHE=$work/cache GOAMD64=v3 GOFLAGS=-buildvcs=auto TZ=Asia/Tokyo \
    go run ./build/release -nfpm "$nfpm" -only "$platform" dist
)
diff -r "$work/one/dist" "$work/another/place/dist"
cat "$work/one/dist/checksums.txt"
echo "reproducible: two builds of $commit have the same bytes" >&2
