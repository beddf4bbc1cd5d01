#!/bin/sh
# Installs the programs that a target of the Makefile needs and this machine
# lacks, from Debian's packages, and starts a Docker engine where none runs.
#
#   build/needs.sh PROGRAM...
set -eu

packages=
PATH=$PATH:/usr/sbin:/sbin
# A mkdocs without its theme cannot read the configuration.
is_here() {
  command -v "$1" >/dev/null 2>&1 &&
    { [ "$1" != mkdocs ] || /usr/bin/python3 -c 'import material, pymdownx' 2>/dev/null; }
}
for program in "$@"; do
  if ! is_here "$program"; then
    case $program in
      go)
        echo "build/needs.sh: Go 1.26 is needed: https://go.dev/dl" >&2
        exit 1
        ;;
      docker) packages="$packages docker.io" ;;
      node) packages="$packages nodejs" ;;
      gcc) packages="$packages gcc libc6-dev" ;;
      ssh | ssh-agent) packages="$packages openssh-client" ;;
      sshd) packages="$packages openssh-server" ;;
      mkdocs) packages="$packages mkdocs mkdocs-material" ;;
      *) packages="$packages $program" ;;
    esac
  fi
done

if [ -n "$packages" ]; then
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "build/needs.sh: install$packages" >&2
    exit 1
  fi
  sudo=
  [ "$(id -u)" = 0 ] || sudo=sudo
  echo "installing$packages" >&2
  # A mirror that is a snapshot has a Release file past its date.
  $sudo apt-get -o Acquire::Check-Valid-Until=false update -qq
  # Programs are wanted, not services: above all no sshd on port 22.
  policy=/usr/sbin/policy-rc.d
  if [ -e "$policy" ]; then
    policy=
  else
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod 755 "$policy"
    trap '$sudo rm -f "$policy"' EXIT
  fi
  # shellcheck disable=SC2086 # the list is words
  $sudo env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $packages >/dev/null </dev/null
  if [ -n "$policy" ]; then
    $sudo rm -f "$policy"
    trap - EXIT
  fi
fi

case " $* " in
  *" docker "*) ;;
  *) exit 0 ;;
esac
if docker info >/dev/null 2>&1; then
  exit 0
fi
if [ "$(id -u)" = 0 ] && command -v dockerd >/dev/null 2>&1; then
  echo "starting a Docker engine" >&2
  mkdir -p .cache
  # A session of its own: it outlives this script and has no terminal.
  setsid dockerd >.cache/dockerd.log 2>&1 </dev/null &
  i=0
  while [ $i -lt 60 ]; do
    if docker info >/dev/null 2>&1; then
      exit 0
    fi
    i=$((i + 1))
    sleep 0.5
  done
  tail -n 20 .cache/dockerd.log >&2
fi
echo "build/needs.sh: no Docker engine answers: start one, and let this user reach it" >&2
exit 1
