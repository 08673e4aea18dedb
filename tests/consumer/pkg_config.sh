#!/usr/bin/env bash
# Programs that are built with what pkg-config says, and nothing else, from an installed tree that was
# moved after its installation.
# Usage: pkg_config.sh CXX PREFIX FOLDER VERSION [--static]
#   FOLDER is made anew; --static also links the programs without any shared library.
set -euo pipefail
cxx=$1 prefix=$2 folder=$3 version=$4 static=${5:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
  echo "pkg_config: $*" >&2
  exit 1
}

rm -rf "$folder"
mkdir -p "$folder"
cp -R "$prefix" "$folder/moved"
pc=$(find "$folder/moved" -name rouse.pc)
[[ -f $pc ]] || fail "no rouse.pc below $prefix"
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
if grep -F "$prefix" "$PKG_CONFIG_PATH"/*.pc; then fail "these name the prefix of the installation"; fi

# use NAME SOURCE: the program with what is called NAME. The words of pkg-config are split as the command
# line of a build would split them.
# shellcheck disable=SC2046
use() {
  local name=$1 source=$2 program=$folder/$1
  [[ $(pkg-config --modversion "$name") == "$version" ]] || fail "$name.pc has another version than $version"
  "$cxx" $(pkg-config --cflags "$name") -std=c++20 -Wall -Wextra -Werror \
    "-DEXPECTED_VERSION=\"$version\"" -c "$source" -o "$program.o"
  "$cxx" "$program.o" -o "$program" $(pkg-config --libs "$name")
  LD_LIBRARY_PATH=$(dirname "$pc")/.. "$program" || fail "the program with $name fails"
  if [[ $static == --static ]]; then
    "$cxx" "$program.o" -o "${program}_with_static" $(pkg-config --static --libs "$name")
    "${program}_with_static" || fail "the program with $name that was linked with --static fails"
    "$cxx" -static "$program.o" -o "${program}_all_static" $(pkg-config --static --libs "$name")
    if ldd "${program}_all_static" >/dev/null 2>&1; then fail "the static program has shared libraries"; fi
    "${program}_all_static" || fail "the program with $name and without shared libraries fails"
  fi
}
use rouse "$here/find_package/main.cpp"
use rouse-service "$here/find_package/service.cpp"
