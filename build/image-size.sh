#!/bin/bash
# Measures what our image adds to Kamal's, unpacked and as it is pulled, and fails
# where that is more than docs/install.md says.
#
#   build/image-size.sh IMAGE KAMAL_IMAGE
set -euo pipefail

image=${1:?usage: build/image-size.sh IMAGE KAMAL_IMAGE}
kamal=${2:?usage: build/image-size.sh IMAGE KAMAL_IMAGE}
cd "$(dirname "$0")/.."
work=$(mktemp -d "${TMPDIR:-/tmp}/kamal-op-size.XXXXXX")
trap 'rm -rf "$work"' EXIT

# limit WORD: the number of megabytes that the documentation has before this word.
limit() { sed -n -E "s/.*image ours adds .*[^0-9.]([0-9]+) MB $1.*/\1/p" docs/install.md; }

layers() { docker image inspect --format '{{len .RootFS.Layers}}' "$1"; }

docker save "$image" | tar -xf - -C "$work"
# The layers above Kamal's, as they are and as a registry has them.
unpacked=0
pulled=0
for layer in $(sed -E 's/.*"Layers":\[([^]]*)\].*/\1/; s/[",]/ /g' "$work/manifest.json" | xargs -n 1 | tail -n "+$(($(layers "$kamal") + 1))"); do
  gzip -dcf "$work/$layer" >"$work/layer.tar"
  unpacked=$((unpacked + $(wc -c <"$work/layer.tar")))
  pulled=$((pulled + $(gzip -6 <"$work/layer.tar" | wc -c)))
done

status=0
# hold WORD BYTES
hold() {
  local most
  most=$(limit "$1")
  printf 'image: it adds %d.%d MB %s, of %s MB\n' $(($2 / 1000000)) $(($2 / 100000 % 10)) "$1" "${most:-?}" >&2
  if [ -z "$most" ] || [ "$2" -gt $((most * 1000000)) ] || [ "$2" -lt 1000000 ]; then
    echo "build/image-size.sh: what the image adds $1 is not what docs/install.md says" >&2
    status=1
  fi
}
hold unpacked "$unpacked"
hold pulled "$pulled"
exit "$status"
