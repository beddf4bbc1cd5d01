#!/bin/bash
# Runs every fuzz test for a while, to find what none of its corpus has. An input
# that fails is written into the package's testdata/fuzz.
#
#   build/fuzz.sh [TIME OF EACH, as 10m]
set -euo pipefail

time=${1:-2m}
cd "$(dirname "$0")/.."
status=0
while IFS=: read -r file name; do
  package=./$(dirname "$file")
  echo "$package $name, $time" >&2
  # Go would spend up to a minute on making each new input smaller, and look for
  # nothing in that time.
  go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 10x "$package" </dev/null || status=1
done < <(git grep -o -E '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed 's/:func /:/')
exit $status
