#!/usr/bin/env bash
# Ends every blocking call in every way that it promises, and measures how long a stop takes.
# Usage: run.sh [--publish]
# Without it the calls are only tested. --publish builds the preset release and puts the promises and
# the figures into docs/stopping.md and README.md; ROUSE_TEST_SCALE=5 takes five times as many samples.
# shellcheck source=../../cmake/run-common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../cmake/run-common.sh"

publish=no
case ${1:-} in
  --publish) publish=yes ;;
  "") ;;
  *) fail "unknown option $1 (see the head of tests/stopping/run.sh)" ;;
esac

targets=()
for source in "$root"/tests/stopping/*_test.cpp; do
  targets+=("stopping_$(basename "$source" .cpp)")
done

rouse_packages tests
if [[ $publish == no ]]; then
  rouse_build dev "${targets[@]}"
  for target in "${targets[@]}"; do "$root/build/dev/tests/bin/$target" --gtest_brief; done
  exit
fi

# Before the build, which ends when the measurement begins.
load=$(cut -d' ' -f1 /proc/loadavg)
say "load average $load: above 0.7 somebody else is measured too"
rouse_build release "${targets[@]}"
commit=$(git -C "$root" describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
page="$root/docs/stopping.md"
for target in "${targets[@]}"; do
  ROUSE_STOPPING_PAGE=$page "$root/build/release/tests/bin/$target" --gtest_brief
done
compiler=$(sed -n 's/^CMAKE_CXX_COMPILER:[^=]*=//p' "$root/build/release/CMakeCache.txt")
measured="Measured $(date -u +%Y-%m-%d) at $commit, $(nproc) CPUs, $("$compiler" --version | head -n 1), load average $load."
if awk -v load="$load" 'BEGIN { exit !(load > 0.7) }'; then
  measured+=" **Others used the CPUs too: the idle figures are not those of an idle machine.**"
fi
sed -i "/^<!-- measured -->\$/,/^<!-- end -->\$/c\\<!-- measured -->\n${measured//\//\\/}\n<!-- end -->" "$page"
# Those that the README shows.
readme=$(awk -F'|' 'NR == FNR { rows[$2] = $0; next }
  /^\| `/ && $2 in rows { $0 = rows[$2] }
  { print }' "$page" "$root/README.md")
printf '%s\n' "$readme" >"$root/README.md"
say "written: docs/stopping.md, and its rows in README.md"
