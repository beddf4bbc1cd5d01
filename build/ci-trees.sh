#!/bin/sh
# Exports what other CI systems take from repositories of its own: the component's
# for GitLab, the plugin's for Buildkite, the orb, each with the image of a release.
#
#   build/ci-trees.sh DIRECTORY VERSION DIGEST
#
# VERSION is 1.2.3, DIGEST the image's, sha256:….
set -eu

usage="usage: build/ci-trees.sh DIRECTORY VERSION DIGEST"
out=${1:?$usage}
version=${2:?$usage}
digest=${3:?$usage}
echo "$version" | grep -Eqx '[0-9]+\.[0-9]+\.[0-9]+' || { echo "ci-trees: $version is no version such as 1.2.3" >&2; exit 2; }
echo "$digest" | grep -Eqx 'sha256:[0-9a-f]{64}' || { echo "ci-trees: $digest is no digest, sha256:…" >&2; exit 2; }
cd "$(dirname "$0")/.."

for system in gitlab buildkite circleci; do
  tree=$out/$system
  [ ! -e "$tree" ] || { echo "ci-trees: $tree is there already" >&2; exit 2; }
  mkdir -p "$tree"
  cp LICENSE "$tree/"
done
cp -R ci/gitlab/README.md ci/gitlab/templates "$out/gitlab/"
cp -R ci/buildkite/README.md ci/buildkite/plugin.yml ci/buildkite/hooks "$out/buildkite/"
cp ci/circleci/orb.yml "$out/circleci/"
image=ghcr.io/kamal-op/kamal-op
grep -rlE "$image:[0-9]" "$out/gitlab" "$out/buildkite" "$out/circleci" | while read -r file; do
  # The modes stay: a hook is executed.
  sed -E "s#$image:[0-9]([0-9.]*[0-9])?(@sha256:[0-9a-f]+)?#$image:$version@$digest#g" "$file" >"$out/file"
  cat "$out/file" >"$file"
  rm "$out/file"
done
