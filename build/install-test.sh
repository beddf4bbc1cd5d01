#!/bin/bash
# Installs each form of a release in a container that has Kamal and Docker's client
# and nothing of ours, and deploys the sample app with what was installed: the
# rehearsal, on this machine's Docker engine.
#
#   build/install-test.sh DIST [FORM...]
#
# DIST is what `make release-snapshot` has made. The forms are tar, deb, rpm, go and
# image; without one it is all of them. KAMAL_IMAGE names another image with Kamal.
# The rpm is installed by Debian's rpm. There is no apk here to install the apk with:
# what is in it is looked at.
set -euo pipefail

dist=$(realpath "${1:?usage: build/install-test.sh DIST [FORM...]}")
shift
here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here"
platform=linux_$(go env GOARCH)
archive=$(ls "$dist"/kamal-op_*_"$platform".tar.gz)
version=$(basename "$archive" "_$platform.tar.gz")
version=${version#kamal-op_}
kamal=${KAMAL_IMAGE:-kamal-op/kamal-base:test}

(cd "$dist" && sha256sum --check --strict --quiet checksums.txt)
build/kamal-image.sh kamal-op/kamal-base:test
build/kamal-proxy-image.sh
# The same path inside and outside: the engine mounts out here what Kamal mounts "on
# the server".
work=$(mktemp -d "${TMPDIR:-/tmp}/kamal-op-install.XXXXXX")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# There is one kamal-proxy on an engine: another tree's rehearsals come after ours.
if command -v flock >/dev/null 2>&1; then
  exec 9>"${TMPDIR:-/tmp}/kamal-op-rehearsal.$(id -u).lock"
  flock 9
fi

# deploys FORM VERSION IMAGE COMMAND: what the command has installed tells this
# version, and deploys.
deploys() {
  echo "install: $1" >&2
  docker run --rm --network host --volume /var/run/docker.sock:/var/run/docker.sock \
    --volume "$work:$work" --volume "$dist:$dist:ro" --env TMPDIR="$work" --workdir "$work" \
    --entrypoint sh "$3" -euc "! command -v kamal-op >/dev/null || [ $1 = image ]
      $4
      [ \"\$(kamal-op version)\" = 'kamal-op $2' ] || { kamal-op version; exit 1; }
      kamal-op rehearse"
}

# manuals ZSH: the paths of what a package brings for shells and man.
manuals() {
  printf '/usr/share/%s\n' bash-completion/completions/kamal-op fish/vendor_completions.d/kamal-op.fish "zsh/$1/_kamal-op" man/man1/kamal-op.1.gz
}

manuals vendor-completions | LC_ALL=C sort >"$work/deb.files"
manuals site-functions | LC_ALL=C sort >"$work/rpm.files"
# has FILE: a command that fails where a line of the file is not among what it reads.
# shellcheck disable=SC2016 # it is expanded where it is run
has() { printf '[ -z "$(LC_ALL=C sort -u | LC_ALL=C comm -13 - '"'%s'"')" ]' "$1"; }
tar --warning=none -tzf "${archive%.tar.gz}.apk" | sed 's,^/*,/,' | sh -c "$(has "$work/rpm.files")" || {
  echo "install: the apk lacks one of" >&2
  cat "$work/rpm.files" >&2
  exit 1
}

[ $# -gt 0 ] || set -- tar deb rpm go image
for form in "$@"; do
  case $form in
    tar) deploys tar "$version" "$kamal" "tar -xzf '$archive' && install '$(basename "$archive" .tar.gz)/kamal-op' /usr/local/bin/ && [ -s '$(basename "$archive" .tar.gz)/THIRD-PARTY-LICENSES' ] && bash -n '$(basename "$archive" .tar.gz)/completions/kamal-op.bash' && [ -s '$(basename "$archive" .tar.gz)/man/kamal-op.1' ]" ;;
    deb) deploys deb "$version" "$kamal" "dpkg -i '${archive%.tar.gz}.deb' && [ -s /usr/share/doc/kamal-op/THIRD-PARTY-LICENSES ] && dpkg -L kamal-op | $(has "$work/deb.files")" ;;
    rpm)
      deploys rpm "$version" "$kamal" "apt-get -o Acquire::Check-Valid-Until=false update -qq && apt-get install -y -qq --no-install-recommends rpm >/dev/null && rpm --install '${archive%.tar.gz}.rpm' && rpm --verify kamal-op && rpm --query --list kamal-op | $(has "$work/rpm.files")"
      ;;
    go)
      # From a module proxy that has this commit as a version, as a tag would be.
      asked=v0.0.1-installed
      store=$work/proxy/github.com/kamal-op/kamal-op/@v
      mkdir -p "$store"
      echo "$asked" >"$store/list"
      git show HEAD:go.mod >"$store/$asked.mod"
      printf '{"Version": "%s", "Time": "%s"}' "$asked" "$(TZ=UTC git log -1 --date=iso-strict-local --format=%cd | sed 's/+00:00$/Z/')" >"$store/$asked.info"
      # Modules of their own are not part of ours.
      mapfile -t others < <(git ls-files '*/go.mod' | sed 's,\(.*\)/go.mod,:(exclude)\1,')
      git archive --format=zip --prefix="github.com/kamal-op/kamal-op@$asked/" --output="$store/$asked.zip" HEAD -- . "${others[@]}"
      # A cache of modules is a proxy, too: nothing is downloaded twice.
      GOPROXY="file://$work/proxy,file://$(go env GOMODCACHE)/cache/download" GOSUMDB=off \
        GOMODCACHE="$work/modules" GOBIN="$work" GOFLAGS="" CGO_ENABLED=0 go install "github.com/kamal-op/kamal-op@$asked"
      deploys go "$asked" "$kamal" "install kamal-op /usr/local/bin/"
      ;;
    image)
      image=kamal-op/install-test:$(printf '%s' "$here" | cksum | cut -d ' ' -f 1)
      VERSION=$version KAMAL_IMAGE=$kamal build/image.sh "$image"
      build/image-size.sh "$image" "$kamal"
      deploys image "$version" "$image" '[ -s /usr/share/doc/kamal-op/THIRD-PARTY-LICENSES ] && [ -s /usr/share/doc/kamal-op/LICENSE ]'
      docker image rm "$image" >/dev/null
      ;;
    *)
      echo "build/install-test.sh: there is no form $form" >&2
      exit 2
      ;;
  esac
done
echo "install: each form deploys" >&2
