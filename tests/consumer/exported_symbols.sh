#!/usr/bin/env bash
# Each shared library exports what its reviewed list says, no more and no less; and that is all that
# programs ask for, whose object files are given, but for what the tests have themselves. The libraries
# themselves ask each other for no more either.
# Usage: exported_symbols.sh NM LIBRARY LIST [LIBRARY LIST]... -- OBJECT...
set -euo pipefail
export LC_ALL=C
nm=$1
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

status=0
users=()
while [[ $1 != -- ]]; do
  library=$1 list=$2
  shift 2
  users+=("$library")
  "$nm" -D --defined-only --extern-only -C --format=posix "$library" |
    sed -E 's/ [[:alpha:]] [0-9a-f]+( [0-9a-f]+)?$//' | sort -u >"$folder/exported"
  if ! diff "$list" "$folder/exported"; then
    echo "exported_symbols: < only in $list, > only exported" >&2
    echo "A new export belongs into the list if a public header means it to be one." >&2
    status=1
  fi
  cat "$folder/exported" >>"$folder/all"
done
shift
sort -u -o "$folder/all" "$folder/all"

for object in "$@"; do
  # A precompiled header counts as an object of its target.
  if [[ $object != *.gch ]]; then users+=("$object"); fi
done
missing=$("$nm" -C -u --format=posix "${users[@]}" | sed -nE 's/ +U *$//p' |
  grep -E '^([a-z ]+ for )?rouse::' | grep -v '^rouse::test::' | sort -u | comm -23 - "$folder/all")
if [[ -n $missing ]]; then
  echo "$missing"
  echo "exported_symbols: programs or libraries need these, and their headers do not make them visible:" >&2
  echo "mark the class or function [[gnu::visibility(\"default\")]]" >&2
  status=1
fi
exit "$status"
