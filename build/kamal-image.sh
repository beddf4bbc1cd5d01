#!/bin/sh
# Makes the image that kamal-op's own image stands on, where Kamal's official
# one cannot be pulled: Debian testing with ruby-kamal and the tools that the
# official image carries (docker CLI, buildx, git, ssh). It is made once, from
# the mirror that this machine's apt already uses, or Debian's own where that is
# another distribution's, as on GitHub's runners.
#
#   build/kamal-image.sh TAG
#
# Needs root, or sudo, a Docker engine, and debootstrap (installed where apt-get is).
set -eu

tag=${1:?usage: build/kamal-image.sh TAG}
suite=${KAMAL_OP_SUITE:-testing}

if docker image inspect "$tag" >/dev/null 2>&1; then
  exit 0
fi

# A tree with other users' files is made, and packed.
if [ "$(id -u)" != 0 ]; then
  exec sudo KAMAL_OP_SUITE="$suite" TMPDIR="${TMPDIR:-/tmp}" "$0" "$tag"
fi

# Another distribution's debootstrap comes without Debian's keys.
if ! command -v debootstrap >/dev/null 2>&1 || ! [ -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap debian-archive-keyring >/dev/null
fi

# The first Debian mirror of apt, in either of its two notations.
mirror=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
  sed -n -E 's/^URIs: *([^ ]*debian\/?)$/\1/p; s/^deb (\[[^]]*\] )?([^ ]*debian\/?) .*/\2/p' | head -n 1)
mirror=${mirror:-http://deb.debian.org/debian}

# A debootstrap older than the suite has no script of its own for it; all newer
# suites are bootstrapped as sid is.
script=/usr/share/debootstrap/scripts/$suite
[ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid

root=$(mktemp -d "${TMPDIR:-/tmp}/kamal-image.XXXXXX")
trap 'rm -rf "$root"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

log=$root.log
say() { printf '%s\n' "$*" >&2; }
run() {
  if ! "$@" >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    rm -f "$log"
    say "build/kamal-image.sh: $1 failed"
    exit 1
  fi
  rm -f "$log"
}

# A mirror that is a snapshot, or a machine whose clock is ahead of it, has a
# Release file past its date. The signature is still checked.
say "kamal image: debootstrap of Debian $suite (about a minute, once)"
run debootstrap --variant=minbase \
  --include=ca-certificates \
  "$suite" "$root" "$mirror" "$script"

printf 'Acquire::Check-Valid-Until "false";\nAcquire::Check-Date "false";\n' >"$root/etc/apt/apt.conf.d/99valid"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
say "kamal image: ruby-kamal, docker, buildx, git, ssh"
run chroot "$root" apt-get update
run chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
  ruby-kamal openssh-client git docker-cli docker-buildx
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root/usr/sbin/policy-rc.d"

say "kamal image: importing as $tag"
tar -C "$root" --one-file-system -cf - . |
  docker import --change 'ENV LANG=C.UTF-8' \
    --change 'WORKDIR /workdir' \
    --change 'ENTRYPOINT ["kamal"]' - "$tag" >/dev/null
