#!/bin/sh
# Makes the image of kamal-proxy where basecamp's cannot be pulled: the same
# program, from its Go module at an exact version (build/kamal-proxy/go.mod),
# in an image with what the official one gives it: its user, the folder of its
# state, CA certificates and ports.
#
#   build/kamal-proxy-image.sh [TAG]
#
# Needs Go and a Docker engine. The binary is built here and not in a container,
# where there may be no module proxy.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's|^.*github.com/basecamp/kamal-proxy \(v[^ ]*\).*|\1|p' "$here/kamal-proxy/go.mod")
tag=${1:-basecamp/kamal-proxy:$version}

if docker image inspect "$tag" >/dev/null 2>&1; then
  exit 0
fi

root=$(mktemp -d "${TMPDIR:-/tmp}/kamal-proxy-image.XXXXXX")
tarball=$root.tar
trap 'rm -rf "$root" "$tarball"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

printf 'kamal-proxy image: building %s from its Go module (about a minute, once)\n' "$version" >&2
mkdir -p "$root/usr/local/bin" "$root/etc/ssl/certs" "$root/home/kamal-proxy/.config/kamal-proxy" "$root/tmp"
arch=$(docker version --format '{{.Server.Arch}}')
(cd "$here/kamal-proxy" &&
  CGO_ENABLED=0 GOOS=linux GOARCH="$arch" go build -trimpath -ldflags '-s -w' \
    -o "$root/usr/local/bin/kamal-proxy" github.com/basecamp/kamal-proxy/cmd/kamal-proxy)
for certificates in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
  if [ -e "$certificates" ]; then
    cp -L "$certificates" "$root/etc/ssl/certs/ca-certificates.crt"
    break
  fi
done

# The user has the id that useradd gives in the official image. Owners are
# written by tar, so that no root is needed here.
uid=1001
printf 'root:x:0:0:root:/root:/sbin/nologin\nkamal-proxy:x:%s:%s::/home/kamal-proxy:/sbin/nologin\n' $uid $uid >"$root/etc/passwd"
printf 'root:x:0:\nkamal-proxy:x:%s:\n' $uid >"$root/etc/group"
chmod 1777 "$root/tmp"
tar -C "$root" --owner=0 --group=0 --numeric-owner -cf "$tarball" ./usr ./etc ./tmp
tar -C "$root" --owner=$uid --group=$uid --numeric-owner -rf "$tarball" ./home/kamal-proxy

docker import \
  --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  --change 'USER kamal-proxy:kamal-proxy' \
  --change 'EXPOSE 80 443' \
  --change 'CMD ["kamal-proxy", "run"]' \
  --change 'LABEL org.opencontainers.image.title=kamal-proxy' \
  --change "LABEL org.opencontainers.image.version=$version" \
  "$tarball" "$tag" >/dev/null
