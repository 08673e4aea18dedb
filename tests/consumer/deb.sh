#!/usr/bin/env bash
# The Debian package, unpacked below the build directory and built against, by CMake and by pkg-config.
# Usage: deb.sh CXX BUILD FOLDER VERSION    FOLDER is made anew
set -euo pipefail
cxx=$1 build=$2 folder=$3 version=$4
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
  echo "deb: $*" >&2
  exit 1
}

rm -rf "$folder"
mkdir -p "$folder"
if ! cpack --config "$build/CPackConfig.cmake" -G DEB -B "$folder/made" >"$folder/cpack.log" 2>&1; then
  cat "$folder/cpack.log"
  fail "cpack"
fi
packages=("$folder"/made/*.deb)
[[ ${#packages[@]} == 1 ]] || fail "one package expected, not: ${packages[*]}"
package=${packages[0]}

# What it says of itself.
field() { dpkg-deb -f "$package" "$1"; }
[[ $(field Package) == librouse-dev ]] || fail "the package is $(field Package)"
[[ $(field Version) == "$version" ]] || fail "the package's version is $(field Version)"
[[ $(field Depends) == *libboost-thread-dev* ]] || fail "Boost.Thread is not among: $(field Depends)"
[[ $(field Depends) == *tzdata* ]] || fail "the zones are not among: $(field Depends)"
[[ -n $(field Maintainer) && $(field Description) == ?*$'\n'?* ]] || fail "no maintainer or no description"

# What is in it: nothing outside of /usr, nothing that only its owner can read, no trace of where it
# was built or would have been installed.
contents=$(dpkg-deb -c "$package")
if grep -vE '^(d|-)r..r-.r-. root/root .* \./usr/(include|lib|share)/' <<<"$contents" | grep -v ' \./usr/$'; then
  fail "these do not belong into a package"
fi
root="$folder/root"
dpkg-deb -x "$package" "$root"
if grep -rIlE "/usr/local|$build|$folder" "$root"; then fail "these name a folder of the build"; fi

CMAKE_GENERATOR=$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' "$build/CMakeCache.txt")
export CMAKE_GENERATOR
if ! {
  cmake -S "$here/find_package" -B "$folder/find_package" -D CMAKE_CXX_COMPILER="$cxx" \
    -D CMAKE_PREFIX_PATH="$root/usr" -D ROUSE_EXPECTED_VERSION="$version" &&
    cmake --build "$folder/find_package"
} >"$folder/cmake.log" 2>&1; then
  cat "$folder/cmake.log"
  fail "building with find_package"
fi
grep -q "rouse_DIR:PATH=$root" "$folder/find_package/CMakeCache.txt" || fail "another rouse was found"
"$folder/find_package/consumer" || fail "the program that was built with find_package fails"

bash "$here/pkg_config.sh" "$cxx" "$root/usr" "$folder/pkg_config" "$version"
