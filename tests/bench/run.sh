#!/usr/bin/env bash
# Measures rouse against its peers: builds the preset release and prints a line per row.
# Usage: run.sh [--json FILE] [--publish] [AREA[/CASE]...]    for instance: run.sh event/stop
#        run.sh --compare OLD.json NEW.json
# Every run is kept in build/release/bench/ as <date>-<commit>.json, the last one as latest.json
# too. --json FILE writes one more copy, --publish puts the figures into docs/benchmarks.*.
# The exit status tells whether all rows could be measured, not how fast they were.
# shellcheck source=../../cmake/run-common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../cmake/run-common.sh"

bench="$root/tests/bench"
report() { python3 "$bench/report.py" "$@"; }

cases=()
json=
publish=no
while (($# > 0)); do
  case $1 in
    --compare)
      (($# == 3)) || fail "usage: run.sh --compare OLD.json NEW.json"
      report compare "$2" "$3"
      exit
      ;;
    --json)
      (($# >= 2)) || fail "--json needs the name of a file"
      json=$2
      shift
      ;;
    --publish) publish=yes ;;
    -*) fail "unknown option $1 (see the head of tests/bench/run.sh)" ;;
    *) cases+=("$1") ;;
  esac
  shift
done

# The cases of an area, one per line; all of it is wanted if nothing was named.
cases_of() {
  local case
  for case in "${cases[@]}"; do
    if [[ ${case%%/*} == "$1" ]]; then echo "$case"; fi
  done
}

areas=()
for source in "$bench"/*_bench.cpp; do
  area=$(basename "$source" _bench.cpp)
  if ((${#cases[@]} == 0)) || [[ -n $(cases_of "$area") ]]; then areas+=("$area"); fi
done
for case in "${cases[@]}"; do
  [[ -e $bench/${case%%/*}_bench.cpp ]] || fail "there is no area '${case%%/*}'"
done

rouse_packages bench
rouse_configure=(-D ROUSE_BUILD_BENCHMARKS=ON)
rouse_build release "${areas[@]/#/bench_}"

results="$root/build/release/bench"
parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT
mkdir -p "$results"
commit=$(git -C "$root" describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
date=$(date -u +%Y-%m-%dT%H:%M:%SZ)

load=$(cut -d' ' -f1 /proc/loadavg)
say "load average $load: above 0.7 somebody else is measured too"
status=0
files=()
for area in "${areas[@]}"; do
  mapfile -t wanted < <(cases_of "$area")
  "$root/build/release/tests/bench/bench_$area" --json "$parts/$area.json" "${wanted[@]}" \
    </dev/null || status=1
  files+=("$parts/$area.json")
done

kept="$results/${date//:/}-$commit.json"
report collect --commit "$commit" --date "$date" --load "$load" "$kept" "${files[@]}"
cp "$kept" "$results/latest.json"
if [[ -n $json ]]; then cp "$kept" "$json"; fi
if [[ $publish == yes ]]; then report publish "$kept" "$root/docs"; fi
say "as JSON: ${kept#"$root/"}"
exit "$status"
