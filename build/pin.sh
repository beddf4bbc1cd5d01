#!/bin/bash
# Names our own action and image by what a release has, its commit and its digest: in the
# README, the documentation, the examples and what init and migrate write, with the tests
# that hold that. It may be run again, and for the next release.
#
#   build/pin.sh VERSION COMMIT DIGEST
set -euo pipefail

usage="usage: build/pin.sh VERSION COMMIT DIGEST"
version=${1:?$usage}
commit=${2:?$usage}
digest=${3:?$usage}
is() { grep -Eqx "$2" <<<"$1" || { echo "build/pin.sh: \"$1\" is no $3" >&2; exit 2; }; }
is "$version" '[0-9]+\.[0-9]+\.[0-9]+' "version such as 1.2.3"
is "$commit" '[0-9a-f]{40}' "commit, 40 hexadecimal digits"
is "$digest" 'sha256:[0-9a-f]{64}' "digest, sha256:…"
cd "$(dirname "$0")/.."

# The workflows that projects call are not among them: see TestWhatIsUsedIsPinned.
where=(README.md docs ci internal/edit internal/program/testdata)
# change PATTERN SED
change() { git grep -l -z -E "$1" -- "${where[@]}" | xargs -0 -r sed -i -E "$2"; }
change 'uses: (https://github.com/)?kamal-op/kamal-op[@/]' \
  "s|(uses: (https://github.com/)?kamal-op/kamal-op(/[^@ ]+)?@)[0-9a-zA-Z.]+( # v[0-9.]*[0-9])?|\\1$commit # v$version|g"
image=ghcr.io/kamal-op/kamal-op
change "$image:[0-9]" "s|$image:[0-9]([0-9.]*[0-9])?(@sha256:[0-9a-f]+)?|$image:$version@$digest|g"
