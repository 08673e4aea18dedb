#!/usr/bin/env bash
# What including rouse costs a translation unit, all of core and autowait, against the four headers of
# the standard that a program with threads has anyway. Fails above a limit.
# Usage: compile_time.sh CXX INCLUDE
set -euo pipefail
export LC_ALL=C
cxx=$1 include=$2
declare -A limits=([rouse.hpp]=1.65 [service/autowait.hpp]=1.35)
rounds=5 batches=4

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/service"
printf '#include <%s>\n' thread stop_token chrono functional >"$folder/base.cpp"
for header in "${!limits[@]}"; do
  printf '#include <rouse/%s>\n' "$header" >"$folder/$header.cpp"
done

# seconds FILE: of the processor, so that a busy machine counts little.
TIMEFORMAT='%U %S'
seconds() {
  { time "$cxx" -std=c++20 "-I$include" -fsyntax-only "$1" 2>&3; } 3>&2 2>&1 | awk '{ print $1 + $2 }'
}

# Each once in every round, and the quickest of each counts: noise only ever adds. Where that still seems too
# much, more rounds tell.
quickest() { sort -n "$folder/$1" | head -1; }
for ((batch = 0; batch < batches; ++batch)); do
  for ((round = 0; round < rounds; ++round)); do
    for name in base "${!limits[@]}"; do seconds "$folder/$name.cpp" >>"$folder/$name"; done
  done
  status=0
  for header in "${!limits[@]}"; do
    awk -v header="$header" -v ours="$(quickest "$header")" -v base="$(quickest base)" \
      -v limit="${limits[$header]}" 'BEGIN {
      ratio = ours / base
      printf "figure: compile_time %s ours=%.3fs base=%.3fs ratio=%.2f limit=%.2f\n",
        header, ours, base, ratio, limit
      exit ratio > limit
    }' || status=1
  done
  if ((status == 0)); then break; fi
done
exit "$status"
