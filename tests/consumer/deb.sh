#!/usr/bin/env bash
# The Debian packages, unpacked below the build directory and built against, by CMake and by pkg-config.
# Usage: deb.sh CXX BUILD FOLDER VERSION    FOLDER is made anew
set -euo pipefail
cxx=$1 build=$2 folder=$3 version=$4
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$folder/root

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
[[ ${#packages[@]} == 2 ]] || fail "two packages expected, not: ${packages[*]}"

# unpack NAME DEPENDENCY...
unpack() {
  local name=$1 package dependency contents
  shift
  package=$(echo "$folder/made/${name}_"*.deb)
  [[ -f $package ]] || fail "$name is not among: ${packages[*]}"

  # What it says of itself.
  field() { dpkg-deb -f "$package" "$1"; }
  [[ $(field Package) == "$name" ]] || fail "the package $name is $(field Package)"
  [[ $(field Version) == "$version" ]] || fail "the version of $name is $(field Version)"
  for dependency in "$@"; do
    [[ $(field Depends) == *"$dependency"* ]] || fail "$name: $dependency is not among: $(field Depends)"
  done
  [[ -n $(field Maintainer) && $(field Description) == ?*$'\n'?* ]] ||
    fail "$name has no maintainer or no description"

  # What is in it: nothing outside of /usr, nothing that only its owner can read, no trace of where it
  # was built or would have been installed.
  contents=$(dpkg-deb -c "$package")
  if grep -vE '^(d|-)r..r-.r-. root/root .* \./usr/(include|lib|share)/' <<<"$contents" | grep -v ' \./usr/$'; then
    fail "these do not belong into $name"
  fi
  dpkg-deb -x "$package" "$root"
  if grep -rIlE "/usr/local|$build|$folder" "$root"; then fail "these name a folder of the build"; fi
}

CMAKE_GENERATOR=$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' "$build/CMakeCache.txt")
export CMAKE_GENERATOR
# configure COMPONENT
configure() {
  cmake -S "$here/find_package" -B "$folder/find_package" -D CMAKE_CXX_COMPILER="$cxx" \
    -D CMAKE_PREFIX_PATH="$root/usr" -D ROUSE_EXPECTED_VERSION="$version" -D CONSUMER_COMPONENT="$1" \
    >"$folder/cmake.log" 2>&1
}

# Core alone has nothing of the service, and needs nothing of it.
unpack librouse-dev libboost-thread-dev tzdata
if dpkg-deb -f "$folder"/made/librouse-dev_*.deb Depends | grep -i re2; then fail "core needs RE2"; fi
if (cd "$root" && find . | grep -i service); then fail "these belong into librouse-service-dev"; fi
configure core || { cat "$folder/cmake.log" && fail "core is not found"; }
grep -q "rouse_DIR:PATH=$root" "$folder/find_package/CMakeCache.txt" || fail "another rouse was found"
if configure service; then fail "the service was found before it was unpacked"; fi
grep -q librouse-service-dev "$folder/cmake.log" || { cat "$folder/cmake.log" && fail "no package is named"; }

unpack librouse-service-dev "librouse-dev (= $version)" libre2-dev
if ! {
  configure service && cmake --build "$folder/find_package" >>"$folder/cmake.log" 2>&1
}; then
  cat "$folder/cmake.log"
  fail "building with find_package"
fi
for program in consumer service_consumer; do
  "$folder/find_package/$program" || fail "$program, built with find_package, fails"
done

bash "$here/pkg_config.sh" "$cxx" "$root/usr" "$folder/pkg_config" "$version"
