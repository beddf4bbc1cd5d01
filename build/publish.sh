#!/usr/bin/env bash
# The steps of release.yml that leave something behind. Each finds what an earlier try
# has done, so that a run that has failed half way is simply run again, and refuses
# what is another commit's.
#
#   build/publish.sh image VERSION                   pushes and signs the image; prints its digest
#   build/publish.sh commit VERSION DIGEST DIST      pushes the release's commit; prints it
#   build/publish.sh release VERSION COMMIT DIST     publishes, which makes the tag vVERSION
#   build/publish.sh series VERSION COMMIT DIGEST    moves v1, v1.2 and the image's 1, 1.2
#
# GITHUB_SHA is the commit that the release is built from. git, gh, docker and cosign
# have to be logged in.
set -euo pipefail

# What fails in $(…) ends the step, too: a remote that does not answer is not one that
# has no such tag. A bash before 4.4, such as macOS has at /bin/bash, cannot be told so.
if ! shopt -s inherit_errexit 2>/dev/null; then
  echo "build/publish.sh: bash $BASH_VERSION is too old: put one of 4.4 or newer first on the PATH" >&2
  exit 1
fi

image=ghcr.io/kamal-op/kamal-op
step=${1:?usage: build/publish.sh image|commit|release|series VERSION …}
version=${2:?which version?}
built=${GITHUB_SHA:?the commit that is built}

fail() {
  echo "build/publish.sh: $*" >&2
  exit 1
}

# at REF: the commit that a ref of the repository on GitHub has, "" where there is none.
# What this and the functions below print is assigned, and compared on another line:
# in [ ], in an if and before || a failure of theirs would not end the step.
at() { git ls-remote origin "$1" | cut -f 1; }

# begun: the commit of this release, "" where there is none yet.
begun() {
  local commit ref
  ref=refs/tags/v$version
  commit=$(at "$ref")
  if [ -z "$commit" ]; then
    ref=refs/heads/release-$version
    commit=$(at "$ref")
  fi
  [ -n "$commit" ] || return 0
  git fetch --quiet origin "$ref"
  [ "$(git rev-parse "$commit^")" = "$built" ] ||
    fail "$version has been begun from another commit than $built: run that one's release again, or take the next version"
  differs "$commit"
  echo "$commit"
}

# differs COMMIT: a release's commit has two files of its own, and no other.
differs() {
  [ "$(git diff --name-only "$built" "$1" | tr '\n' ' ')" = "action.yml native/release.json " ] ||
    fail "$1 differs from $built by more than action.yml and native/release.json"
}

# names COMMIT: the digest of the image that a release's action.yml pulls.
names() { git show "$1:action.yml" | sed -n "s|^  image: docker://$image@||p"; }

# digest_of TAG: the image that has this tag.
digest_of() { docker buildx imagetools inspect "$image:$1" --format '{{.Manifest.Digest}}'; }

# signed DIGEST: this workflow has made that image of this commit.
signed() {
  cosign verify --certificate-oidc-issuer https://token.actions.githubusercontent.com \
    --certificate-identity "https://github.com/$GITHUB_REPOSITORY/.github/workflows/release.yml@refs/heads/main" \
    --certificate-github-workflow-sha "$built" "$image@$1" >/dev/null
}

push_image() {
  local commit digest
  commit=$(begun)
  if [ -n "$commit" ]; then
    digest=$(names "$commit")
    signed "$digest" || fail "$image@$digest, which the release's commit names, is not signed by this workflow for $built"
    echo "$digest"
    return
  fi
  # One that was pushed and not signed is built again.
  digest=$(digest_of "$version" || true)
  if [ -n "$digest" ] && signed "$digest"; then
    echo "$digest"
    return
  fi
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct "$built") docker buildx build --platform linux/amd64,linux/arm64 --build-arg "VERSION=$version" \
    --label "org.opencontainers.image.source=https://github.com/$GITHUB_REPOSITORY" \
    --label "org.opencontainers.image.revision=$built" \
    --label "org.opencontainers.image.version=$version" \
    --sbom=true --provenance=mode=max --metadata-file metadata.json \
    --output "type=image,name=$image:$version,push=true,rewrite-timestamp=true" . >&2
  digest=$(sed -n -E 's/.*"containerimage.digest": *"(sha256:[0-9a-f]{64})".*/\1/p' metadata.json | head -n 1)
  [ -n "$digest" ] || fail "the build does not tell the digest of the image"
  cosign sign --yes "$image@$digest" >&2
  echo "$digest"
}

push_commit() {
  local digest=$1 dist=$2 commit
  commit=$(begun)
  if [ -z "$commit" ]; then
    git switch --quiet --detach "$built"
    go run ./build/release -mark "$digest" "$dist"
    git -c user.name="github-actions[bot]" -c user.email="41898282+github-actions[bot]@users.noreply.github.com" \
      commit --quiet --message "Release $version" action.yml native/release.json
    commit=$(git rev-parse HEAD)
    differs "$commit"
    git push --quiet origin "$commit:refs/heads/release-$version"
  fi
  [ "$(names "$commit")" = "$digest" ] || fail "the commit $commit names another image than $digest"
  git show "$commit:native/release.json" | cmp -s - "$dist/release.json" || fail "the commit $commit has the hashes of other files"
  echo "$commit"
}

# drafts: false where the release is published, true for each draft of it.
drafts() { gh release list --limit 1000 --json tagName,isDraft --jq ".[] | select(.tagName == \"v$version\") | .isDraft"; }

publish() {
  local commit=$1 dist=$2 state tag newest flags=()
  state=$(drafts)
  # Of a draft and a published release with one tag, gh would delete the published one.
  while [[ $state == *true* && $state != *false* ]]; do
    gh release delete "v$version" --yes # a draft has been seen by nobody, and may lack files
    state=$(drafts)
  done
  if [ -z "$state" ]; then
    case $version in
      *-*) flags=(--prerelease --latest=false) ;;
      *)
        newest=$(newest '')
        [ "$newest" = "$version" ] || flags=(--latest=false)
        ;;
    esac
    gh release create "v$version" --draft --target "$commit" --title "v$version" --notes "See CHANGELOG.md." "${flags[@]}" \
      "$dist"/*.tar.gz "$dist"/*.deb "$dist"/*.rpm "$dist"/*.apk "$dist"/*.cdx.json "$dist"/*.spdx.json "$dist/kamal-op.rb" \
      "$dist/release.json" "$dist/checksums.txt" "$dist/checksums.txt.sigstore.json"
    gh release edit "v$version" --draft=false
  fi
  tag=$(at "refs/tags/v$version")
  [ "$tag" = "$commit" ] || fail "the tag v$version is not $commit"
}

# newest PREFIX: the newest version that has a tag, or is this one, and begins so.
newest() {
  local tags
  tags=$(git ls-remote --tags origin)
  {
    sed -n -E 's|.*refs/tags/v([0-9]+\.[0-9]+\.[0-9]+)$|\1|p' <<<"$tags"
    echo "$version"
  } | awk -v prefix="$1" 'index($0, prefix) == 1' | sort --version-sort | tail -n 1
}

# A series follows its newest version: a patch of an older one leaves it.
move_series() {
  local commit=$1 digest=$2 series tag begun newest
  tag=$(at "refs/tags/v$version")
  [ "$tag" = "$commit" ] || fail "v$version is not published, or is not $commit"
  begun=$(begun)
  [ "$begun" = "$commit" ] || fail "v$version is not this release's"
  case $version in *-*) return ;; esac
  for series in "${version%.*}" "${version%%.*}"; do
    newest=$(newest "$series.")
    if [ "$newest" = "$version" ]; then
      docker buildx imagetools create --tag "$image:$series" "$image@$digest"
      [ "$(digest_of "$series")" = "$digest" ] || fail "$image:$series is not $digest"
      git push --quiet --force origin "$commit:refs/tags/v$series"
    else
      echo "v$series stays: it has a newer version than $version" >&2
    fi
  done
}

case $step in
  image) push_image ;;
  commit) push_commit "${3:?which digest?}" "${4:?which directory?}" ;;
  release) publish "${3:?which commit?}" "${4:?which directory?}" ;;
  series) move_series "${3:?which commit?}" "${4:?which digest?}" ;;
  *) fail "there is no step $step" ;;
esac
