#!/usr/bin/env bash
# What including all of rouse costs a translation unit, against the four headers of the standard that
# a program with threads has anyway. Fails above the limit.
# Usage: compile_time.sh CXX INCLUDE
set -euo pipefail
export LC_ALL=C
cxx=$1 include=$2
limit=1.65
rounds=5

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '#include <%s>\n' rouse/rouse.hpp >"$folder/ours.cpp"
printf '#include <%s>\n' thread stop_token chrono functional >"$folder/base.cpp"

# seconds FILE: of the processor, so that a busy machine counts little.
TIMEFORMAT='%U %S'
seconds() {
  { time "$cxx" -std=c++20 "-I$include" -fsyntax-only "$1" 2>&3; } 3>&2 2>&1 | awk '{ print $1 + $2 }'
}

# Each once in every round, and the quickest of each counts: noise only ever adds.
for ((round = 0; round < rounds; ++round)); do
  for name in base ours; do seconds "$folder/$name.cpp" >>"$folder/$name"; done
done
base=$(sort -n "$folder/base" | head -1)
ours=$(sort -n "$folder/ours" | head -1)

awk -v ours="$ours" -v base="$base" -v limit="$limit" 'BEGIN {
  ratio = ours / base
  printf "figure: compile_time rouse.hpp ours=%.3fs base=%.3fs ratio=%.2f limit=%.2f\n", ours, base, ratio, limit
  exit ratio > limit
}'
