#!/usr/bin/env bash
# The shared library exports what the reviewed list says, no more and no less; and that is all that
# programs ask for, whose object files are given, but for what the tests have themselves.
# Usage: exported_symbols.sh NM LIBRARY LIST OBJECT...
set -euo pipefail
export LC_ALL=C
nm=$1 library=$2 list=$3
shift 3
objects=()
for object in "$@"; do
  # A precompiled header counts as an object of its target.
  if [[ $object != *.gch ]]; then objects+=("$object"); fi
done
exported=$(mktemp)
trap 'rm -f "$exported"' EXIT

"$nm" -D --defined-only --extern-only -C --format=posix "$library" |
  sed -E 's/ [[:alpha:]] [0-9a-f]+( [0-9a-f]+)?$//' | sort -u >"$exported"

status=0
if ! diff "$list" "$exported"; then
  echo "exported_symbols: < only in $list, > only exported" >&2
  echo "A new export belongs into the list if a public header means it to be one." >&2
  status=1
fi

missing=$("$nm" -C -u --format=posix "${objects[@]}" | sed -nE 's/ +U *$//p' |
  grep -E '^([a-z ]+ for )?rouse::' | grep -v '^rouse::test::' | sort -u | comm -23 - "$exported")
if [[ -n $missing ]]; then
  echo "$missing"
  echo "exported_symbols: programs need these, and their headers do not make them visible:" >&2
  echo "mark the class or function [[gnu::visibility(\"default\")]]" >&2
  status=1
fi
exit "$status"
