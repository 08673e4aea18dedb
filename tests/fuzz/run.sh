#!/usr/bin/env bash
# Lets libFuzzer look for cron expressions that break a promise, with AddressSanitizer and
# UndefinedBehaviorSanitizer.
# Usage: run.sh [SECONDS] [ARGUMENTS OF LIBFUZZER]    60 seconds if nothing is said
# What it finds lies in build/fuzz; build/fuzz/cron_fuzz FILE tries it again.
# shellcheck source=../../cmake/run-common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../cmake/run-common.sh"
seconds=${1:-60}
shift || true
rouse_packages ci

folder=$root/build/fuzz
mkdir -p "$folder/corpus"
say "build/fuzz/cron_fuzz"
"${CLANGXX:-clang++}" -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined \
  -fno-sanitize-recover=undefined -I"$root/include" -I"$root/src" \
  "$root/tests/fuzz/cron_fuzz.cpp" "$root"/src/exec/{cron,cron_fields,time_zone}.cpp \
  "$root/src/detail/thread_name.cpp" -o "$folder/cron_fuzz"

# Each line of the corpus at some time in some zone.
number=0
while IFS= read -r expression; do
  number=$((number + 1))
  printf "\\0\\0\\0\\0\\0\\0\\0\\x$(printf %02x $((number % 32)))\\x$(printf %02x $number)%s" \
    "$expression" >"$folder/corpus/$number"
done <"$root/tests/fuzz/cron_corpus.txt"

say "$seconds seconds"
cd "$folder"
./cron_fuzz -max_total_time="$seconds" -max_len=1100 -print_final_stats=1 "$@" corpus
