# shellcheck shell=bash
# What the run scripts share; they source it. It sets `root` and the compiler.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '==> %s\n' "$*"; }

fail() {
  printf '==> FAILED: %s\n' "$*" >&2
  exit 1
}

# Installs what is missing, and chooses the compiler if the caller has not.
rouse_packages() {
  bash "$root/cmake/packages.sh" "$@" </dev/null || fail "the system packages (cmake/packages.sh)"

  local version
  if [[ -z ${CXX:-} ]] && version=$(g++ -dumpversion 2>/dev/null) &&
    ((${version%%.*} < 12)) && command -v g++-12 >/dev/null; then
    export CXX=g++-12
  fi
}

# What a script wants to tell CMake besides the preset.
rouse_configure=()

# rouse_build PRESET [TARGET...]: prints little when there is nothing to do.
# Standard input is left to the program that is run afterwards.
rouse_build() {
  local preset=$1 target log werror=OFF targets=()
  shift
  for target in "$@"; do targets+=(--target "$target"); done

  # A visitor's compiler may be newer than ours and warn about more; that must not stop the visitor.
  if [[ ${CI:-} == true ]]; then werror=ON; fi

  say "build/$preset"
  mkdir -p "$root/build"
  log="$root/build/$preset-configure.log"
  if ! (cd "$root" &&
    cmake --preset "$preset" -D ROUSE_WERROR=$werror "${rouse_configure[@]}") >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    fail "configuring preset $preset"
  fi
  cmake --build "$root/build/$preset" "${targets[@]}" </dev/null |
    { grep -v -e 'ninja: no work to do' -e 'Re-checking globbed directories' || true; } ||
    fail "building preset $preset"
}
