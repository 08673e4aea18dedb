#!/usr/bin/env bash
# A program that is built with what pkg-config says, and nothing else, from an installed tree that was
# moved after its installation.
# Usage: pkg_config.sh CXX PREFIX FOLDER VERSION [--static]
#   FOLDER is made anew; --static also links the program without any shared library.
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

[[ $(pkg-config --modversion rouse) == "$version" ]] || fail "rouse.pc has another version than $version"
if grep -qF "$prefix" "$pc"; then fail "$pc names the prefix of the installation"; fi

# The words of pkg-config are split as the command line of a build would split them.
# shellcheck disable=SC2046
{
  "$cxx" $(pkg-config --cflags rouse) -std=c++20 -Wall -Wextra -Werror \
    "-DEXPECTED_VERSION=\"$version\"" -c "$here/find_package/main.cpp" -o "$folder/main.o"
  "$cxx" "$folder/main.o" -o "$folder/consumer" $(pkg-config --libs rouse)
  LD_LIBRARY_PATH=$(dirname "$pc")/.. "$folder/consumer" || fail "the program fails"
  if [[ $static == --static ]]; then
    "$cxx" "$folder/main.o" -o "$folder/with_static" $(pkg-config --static --libs rouse)
    "$folder/with_static" || fail "the program that was linked with --static fails"
    "$cxx" -static "$folder/main.o" -o "$folder/all_static" $(pkg-config --static --libs rouse)
    if ldd "$folder/all_static" >/dev/null 2>&1; then fail "the static program has shared libraries"; fi
    "$folder/all_static" || fail "the program without shared libraries fails"
  fi
}
