#!/usr/bin/env bash
# rouse with a newer Boost and a newer clang than the distribution's own: headers, library and examples
# compile; one example is linked with that Boost as a static library, and run.
# Usage: boost_and_clang.sh [FOLDER]    FOLDER (build/boost_and_clang) keeps what was downloaded
# Both come from the distribution's archive and are unpacked beside the build, since this Boost cannot
# be installed together with the default one. Nothing is installed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=${1:-$root/build/boost_and_clang}
boost=1.81
clang=16
packages=(
  "clang-$clang" "libclang-cpp$clang" "libllvm$clang" "libclang-common-$clang-dev"
  "libboost$boost-dev" "libboost-thread$boost-dev" "libboost-atomic$boost-dev"
)
warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)

if [[ ! -e $folder/unpacked ]]; then
  rm -rf "$folder"
  mkdir -p "$folder/packages" "$folder/root"
  (
    cd "$folder/packages"
    apt-get download --quiet "${packages[@]}" >log 2>&1 ||
      { apt-get update --quiet >log 2>&1 && apt-get download --quiet "${packages[@]}" >>log 2>&1; } ||
      { cat log >&2 && exit 1; }
    for package in ./*.deb; do dpkg-deb -x "$package" "$folder/root"; done
  )
  rm -rf "$folder/packages"
  touch "$folder/unpacked"
fi

libraries=$(dirname "$(find "$folder/root" -name libboost_thread.a)")
export LD_LIBRARY_PATH="$libraries:$folder/root/usr/lib/llvm-$clang/lib"
cxx=(
  "$folder/root/usr/lib/llvm-$clang/bin/clang++" -std=c++20 "${warnings[@]}"
  -isystem "$folder/root/usr/include" "-I$root/include" "-I$root/src"
  "-I$root/examples/health_checker"
)
"${cxx[@]}" --version | head -1
echo '#include <boost/version.hpp>
BOOST_LIB_VERSION' | "${cxx[@]}" -E -P -x c++ - | tail -1

cd "$root"
objects=$folder/objects
groups=$folder/groups
rm -rf "$objects" "$groups"
mkdir -p "$objects" "$groups"
export objects

# The health-checker several files at a time, as in a unity build: most of a file's time goes into the
# headers that it includes. config.cpp is not made for that.
find "$root/examples/health_checker" -name '*.cpp' ! -name config.cpp | LC_ALL=C sort |
  sed 's/.*/#include "&"/' | split -l 8 --additional-suffix=.cpp - "$groups/"

# The library to objects, the rest for its errors only, two at a time.
compile() {
  local source=$1 object
  shift
  if [[ $source == src/* || $source == examples/stoppable_thread.cpp ]]; then
    object=$objects/${source//\//_}.o
    "$@" -O0 -c "$source" -o "$object"
  else
    "$@" -fsyntax-only "$source"
  fi || {
    echo "boost_and_clang: $source does not compile" >&2
    exit 255
  }
}
export -f compile
{
  echo include/rouse/rouse.hpp
  find src examples -name '*.cpp' ! -path 'examples/health_checker/*'
  echo examples/health_checker/config.cpp
  find "$groups" -name '*.cpp'
} | LC_ALL=C sort |
  xargs -P 2 -I '{}' bash -c 'compile "$@"' - '{}' "${cxx[@]}" -Wno-pragma-once-outside-header

read -ra re2 < <(pkg-config --libs re2)
"${cxx[@]}" "$objects"/*.o "$libraries/libboost_thread.a" "$libraries/libboost_atomic.a" \
  "${re2[@]}" -o "$folder/example"
unset LD_LIBRARY_PATH
if ldd "$folder/example" | grep -q boost; then
  echo "boost_and_clang: the example is not linked with the static Boost" >&2
  exit 1
fi
timeout 60 "$folder/example"
echo "boost_and_clang: all compile, the example runs"
