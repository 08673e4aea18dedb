#!/usr/bin/env bash
# Lets libFuzzer look for inputs that break a promise, with AddressSanitizer and
# UndefinedBehaviorSanitizer.
# Usage: run.sh [cron|line|expectation|config] [SECONDS] [ARGUMENTS OF LIBFUZZER]    all, each for 60 seconds
# What it finds lies in build/fuzz; build/fuzz/cron_fuzz FILE tries it again.
# shellcheck source=../../cmake/run-common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../cmake/run-common.sh"
targets=(cron line expectation config)
if [[ ${1:-} =~ ^[a-z] ]]; then
  targets=("$1")
  shift
fi
seconds=${1:-60}
shift || true
rouse_packages ci

folder=$root/build/fuzz

# Each line at some time in some zone.
cron_corpus() {
  local number=0 expression
  while IFS= read -r expression; do
    number=$((number + 1))
    printf "\\0\\0\\0\\0\\0\\0\\0\\x$(printf %02x $((number % 32)))\\x$(printf %02x $number)%s" \
      "$expression" >"$1/$number"
  done <"$root/tests/fuzz/cron_corpus.txt"
}

# Each line with its escapes replaced.
line_corpus() {
  local number=0 input
  while IFS= read -r input; do
    number=$((number + 1))
    printf %b "$input" >"$1/$number"
  done <"$root/tests/fuzz/line_corpus.txt"
}

# Each line, asked of some JSON.
expectation_corpus() {
  local number=0 condition
  while IFS= read -r condition; do
    number=$((number + 1))
    printf '%s\n{"ready": true, "n": 3, "list": ["a", 1, null], "deep": {"er": "x-y"}}' \
      "$condition" >"$1/$number"
  done <"$root/tests/fuzz/expectation_corpus.txt"
}

config_corpus() { cp "$root/examples/health_checker/health.toml" "$1/"; }

for target in "${targets[@]}"; do
  say "build/fuzz/${target}_fuzz"
  mkdir -p "$folder/${target}_corpus"
  needs=(-I"$root/include" -I"$root/src")
  case $target in
    cron)
      sources=(src/exec/{cron,cron_fields,time_zone}.cpp src/detail/thread_name.cpp)
      ;;
    line) sources=(src/service/line_follower.cpp) ;;
    expectation)
      needs=(-I"$root/examples/health_checker" -lre2)
      sources=(examples/health_checker/{expectation,expectation_parser,json_document,settings,suggest}.cpp
        examples/health_checker/{display,units,checkers/text}.cpp)
      ;;
    config)
      # Every kind of check is in it, and so all of the library: some minutes to compile.
      needs+=(-I"$root/examples/health_checker" -lboost_thread -lcares -lcrypto -lfmt -lre2 -lssl -ltomlplusplus)
      sources=(examples/health_checker/{base_checker,config,config_file,expectation,expectation_parser}.cpp
        examples/health_checker/{display,json_document,registry,settings,suggest,units}.cpp)
      sources+=($(cd "$root" && ls examples/health_checker/checkers/*.cpp src/*/*.cpp))
      ;;
    *) fail "no target is called $target" ;;
  esac
  "${CLANGXX:-clang++}" -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined \
    -fno-sanitize-recover=undefined \
    "$root/tests/fuzz/${target}_fuzz.cpp" "${sources[@]/#/$root/}" "${needs[@]}" -o "$folder/${target}_fuzz"
  "${target}_corpus" "$folder/${target}_corpus"
done

for target in "${targets[@]}"; do
  say "$target: $seconds seconds"
  longest=1100
  if [[ $target == config ]]; then longest=8000; fi
  (cd "$folder" && "./${target}_fuzz" -max_total_time="$seconds" -max_len="$longest" -print_final_stats=1 \
    "$@" "${target}_corpus")
done
