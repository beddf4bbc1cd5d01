#!/bin/bash
# Runs the unit tests that need real Kamal, Ruby's dotenv or the engine behind
# them: inside Kamal's image, each package as a test binary of its own. What it
# writes is what `go test -json` does.
#
#   build/kamal-tests.sh [TEST FLAGS, as -test.short]
#
# KAMAL_IMAGE names another image with Kamal.
set -euo pipefail

image=${KAMAL_IMAGE:-kamal-op/kamal-base:test}
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
cd "$root"
if ! docker image inspect "$image" >/dev/null 2>&1; then
  "$here/kamal-image.sh" "$image"
fi

# Each image has it at a place of its own: Debian's in /usr/bin, the official one with
# Ruby's gems.
kamal=$(docker run --rm --entrypoint sh "$image" -c 'command -v kamal')

# What the tests hold workflows against; .cache may be a link, which leads nowhere in
# the image.
actionlint=$(readlink -f .cache/tools/actionlint || true)
if [ ! -x "$actionlint" ]; then
  echo "build/kamal-tests.sh: actionlint is not there: make .cache/tools/actionlint brings it" >&2
  exit 1
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/kamal-op-test.XXXXXX")
# A job in the background does not hear of an interrupt.
trap 'docker rm --force "$(basename "$work")" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# in_kamal PACKAGE [TEST FLAGS]: runs the tests of a package that ask for Kamal;
# its others have run outside.
in_kamal() {
  package=$1
  shift
  binary=$work/$(basename "$package").test
  CGO_ENABLED=0 go test -c -o "$binary" "./$package"
  tests=$(grep -l -w -E 'needKamal|realKamal' "$package"/*_test.go | xargs sed -n -E 's/^func (Test[A-Za-z0-9_]+).*/\1/p' | paste -s -d '|')
  echo "$package, in $image" >&2
  docker run --rm --name "$(basename "$work")" --network host --tmpfs /tmp:exec --env KAMAL_OP_LONG_TESTS \
    --volume "$work:$work:ro" --volume "$root:$root:ro" --volume "$actionlint:/usr/local/bin/actionlint:ro" --workdir "$root/$package" \
    --entrypoint "$binary" "$image" -test.count=1 -test.timeout=20m -test.v=test2json "-test.run=^($tests)\$" -kamal "$kamal" "$@" 2>&1 |
    go tool test2json -t -p "$package"
}

# rooms [TEST FLAGS]: the same for each package that has such tests.
rooms() {
  local failed=0
  for room in $(grep -l -w -E 'needKamal|realKamal' internal/*/*_test.go internal/*/*/*_test.go | xargs -n 1 dirname | sort -u); do
    in_kamal "$room" "$@" || failed=1
  done
  return $failed
}

# The rehearsals wait for Docker, the others compute: they run side by side.
status=0
rooms "$@" >"$work/rooms.json" 2>"$work/rooms.log" &
others=$!
KAMAL_IMAGE=$image build/rehearsal-test.sh "$@" || status=1
wait $others || status=1
cat "$work/rooms.log" >&2
cat "$work/rooms.json"
exit $status
