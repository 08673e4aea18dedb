#!/usr/bin/env bash
# Where there is no RE2: who asks for rouse::service is told what to do, who does without gets core.
# Usage: without_re2.sh CXX GENERATOR PREFIX FOLDER VERSION
#   PREFIX is one with the static libraries; FOLDER is made anew
set -euo pipefail
cxx=$1 generator=$2 prefix=$3 folder=$4 version=$5
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PKG_CONFIG_LIBDIR=$folder/nonesuch PKG_CONFIG_PATH=

fail() {
  echo "without_re2: $*" >&2
  exit 1
}

# configure SOURCE BUILD OPTION...
configure() {
  local source=$1 build=$folder/$2
  shift 2
  cmake -S "$source" -B "$build" -G "$generator" -D CMAKE_CXX_COMPILER="$cxx" "$@" \
    >"$build.log" 2>&1
}

# told BUILD WORD...: the words are in what CMake said, whose lines are broken anywhere.
told() {
  local said word
  said=$(tr -s ' \n' ' ' <"$folder/$1.log")
  shift
  for word in "$@"; do
    [[ $said == *"$word"* ]] || fail "'$word' is not in: $said"
  done
}

rm -rf "$folder"
mkdir -p "$folder"

if configure "$here/../.." tree -D ROUSE_BUILD_EXAMPLES=OFF; then fail "the tree needs no RE2"; fi
told tree "rouse::service needs RE2" "libre2-dev" "-D ROUSE_BUILD_SERVICE=OFF"
configure "$here/../.." tree -D ROUSE_BUILD_EXAMPLES=OFF -D ROUSE_BUILD_SERVICE=OFF ||
  { cat "$folder/tree.log" >&2 && fail "the tree without the service"; }
if cmake --build "$folder/tree" --target help | grep '^[^/]*service'; then
  fail "these are built without the service"
fi

find_it=(-D CMAKE_PREFIX_PATH="$prefix" -D ROUSE_EXPECTED_VERSION="$version")
configure "$here/find_package" user "${find_it[@]}" ||
  { cat "$folder/user.log" >&2 && fail "core is not found"; }
if configure "$here/find_package" user "${find_it[@]}" -D CONSUMER_COMPONENT=service; then
  fail "the service is found"
fi
told user "rouse::service needs RE2" "libre2-dev"
