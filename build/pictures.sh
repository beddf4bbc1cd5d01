#!/bin/sh
# Makes the pictures in docs/pictures from what real runs show: the summary and the end of
# a deploy of the end-to-end tests, the comment of a preview's tests, drawn by Debian's
# Chromium in both themes, wide and narrow.
#
#   build/pictures.sh [DIRECTORY with summary.md, terminal.txt, comment.md]
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
from=${1:-}
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
if [ -z "$from" ]; then
  from=$made
  KAMAL_OP_E2E_PICTURES=$from make e2e RUN='^TestDeployInATerminal$'
  KAMAL_OP_E2E_PICTURES=$from go test -count=1 -run '^TestDeploy_FirstAndAgain$' ./internal/review
fi
browser=$(command -v chromium) || {
  echo "chromium is not found: apt-get install chromium" >&2
  exit 3
}
mkdir -p docs/pictures
shot() { # NAME THEME WIDTH HEIGHT TO
  go run ./build/pictures page "$2" <"$from/$1.md" >"$made/page.html"
  "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size="$3,$4" \
    --screenshot="$made/shot.png" "file://$made/page.html" 2>/dev/null
  mv "$made/shot.png" "$5"
}
for theme in light dark; do
  shot summary "$theme" 960 1330 "docs/pictures/summary-$theme.png"
  shot comment "$theme" 620 200 "docs/pictures/comment-$theme.png"
  # To be looked at, as on a telephone; not kept.
  shot summary "$theme" 500 1400 ".cache/summary-$theme-narrow.png"
  shot comment "$theme" 500 300 ".cache/comment-$theme-narrow.png"
done
go run ./build/pictures terminal <"$from/terminal.txt" >docs/pictures/terminal.svg
for picture in docs/pictures/*; do
  if [ "$(wc -c <"$picture")" -gt 150000 ]; then
    echo "$picture is larger than 150 kB" >&2
    exit 1
  fi
done
