#!/usr/bin/env bash
# Each object with a static copy of its own: the second copy that is loaded says so, once, and names
# both. One copy alone says nothing.
# Usage: static.sh BUILD VERSION
set -euo pipefail
cd "$1"
build=$(pwd -P)
version=$2

# says COUNT COMMAND...: succeeds, with COUNT lines on stderr, which go to $said.
said=
says() {
  local count=$1 output
  shift
  if ! output=$(timeout 120 "$@" 2>&1 >/dev/null); then
    printf 'plugins: %s failed:\n%s\n' "$*" "$output" >&2
    exit 1
  fi
  if [[ $(grep -c . <<<"$output") != "$count" ]]; then
    printf 'plugins: %s should say %s line(s), but said:\n%s\n' "$*" "$count" "$output" >&2
    exit 1
  fi
  said=$output
}

# names FIRST SECOND: so does the message.
names() {
  local expected="rouse: two copies of the library in one process: $version in $1, and $version in $2. "
  if [[ $said != *"$expected"* ]]; then
    printf 'plugins: expected: %s\ngot: %s\n' "$expected" "$said" >&2
    exit 1
  fi
}

says 0 ./host ./libplugin_a.so ./libplugin_a.so
says 0 ./host ./libplugin_b.so
says 0 ./host_with_rouse

says 1 ./host ./libplugin_a.so ./libplugin_b.so
names ./libplugin_a.so ./libplugin_b.so
says 1 ./host ./libplugin_b.so ./libplugin_a.so
names ./libplugin_b.so ./libplugin_a.so
says 1 ./host_with_rouse ./libplugin_b.so
names "$build/host_with_rouse" ./libplugin_b.so
says 2 ./host_with_rouse ./libplugin_a.so ./libplugin_b.so
names "$build/host_with_rouse" ./libplugin_a.so
names "$build/host_with_rouse" ./libplugin_b.so

# Loaded with the program.
says 1 env LD_PRELOAD="./libplugin_a.so ./libplugin_b.so" ./host
names ./libplugin_a.so ./libplugin_b.so
