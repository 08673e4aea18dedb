#!/usr/bin/env bash
# Builds everything and runs the tests.
# Usage: run.sh [CTEST ARGS]    for instance: run.sh -R Event, run.sh -L race, run.sh -LE consumer
# ROUSE_PRESET chooses another preset than dev: ci, release, asan, tsan, clang.
# ROUSE_RACE_SECONDS=600 runs the race tests only, again and again, for 600 seconds in all.
# shellcheck source=../cmake/run-common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../cmake/run-common.sh"

preset=${ROUSE_PRESET:-dev}

rouse_packages tests
rouse_build "$preset"

say "tests of build/$preset"
# Two at a time and output on failure are in the preset, as are the sanitizers' options.
launcher=()
if [[ $preset == tsan && $(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0) -gt 28 ]] &&
  setarch "$(uname -m)" -R true 2>/dev/null; then
  # ThreadSanitizer of gcc 12 cannot place its memory where the kernel randomizes more than this.
  launcher=(setarch "$(uname -m)" -R)
fi
run_ctest() { (cd "$root" && "${launcher[@]}" ctest --preset "$preset" "$@" </dev/null); }

if [[ -n ${ROUSE_RACE_SECONDS:-} ]]; then
  set -- "$@" -L race
  count=$(run_ctest "$@" -N | sed -n 's/^Total Tests: //p')
  export ROUSE_TEST_SECONDS=$((ROUSE_RACE_SECONDS / count))
  # The watchdog ends a test that hangs; this is for a watchdog that does not bark.
  set -- "$@" --timeout $((ROUSE_TEST_SECONDS + 300))
fi
run_ctest "$@" || fail "tests of preset $preset"

# Figures that tests measure and print.
grep -h '^figure: ' "$root/build/$preset/Testing/Temporary/LastTest.log" || true
