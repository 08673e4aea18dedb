#!/usr/bin/env bash
# The one list of system packages that rouse needs, and their installation with apt.
# Usage: packages.sh [tests] [ci] [bench]           installs what is missing to build everything;
#                                                   `tests` adds what the tests run, `ci` and `bench`
#                                                   what only the checks and the benchmarks need
#        packages.sh --list [tests] [ci] [bench]    prints the names
# ROUSE_SKIP_PACKAGES=1 makes it believe that everything is there.
set -euo pipefail

# Group, package, the commands any one of which makes it unnecessary (- for none), why it is there.
packages='
build  g++                 g++           compiles; 12 or newer, see below
build  cmake               cmake         configures; 3.22 or newer
build  ninja-build         ninja         the generator of the presets
build  ccache              ccache        makes the second build quick
build  git                 git           names the files that the format check reads
build  pkg-config          pkg-config    finds c-ares and RE2, which ship no CMake files everywhere
build  spin                spin          verifies the models of the wait core
build  tcc                 tcc           compiles its verifiers at once
libs   libboost-dev        -             Asio and Beast, for the health-checker
libs   libboost-thread-dev -             under the thread classes: stack size, timed join, interruption
libs   tzdata              -             the zones of cron expressions
libs   libspdlog-dev       -             the log of services and examples
libs   libfmt-dev          -             beneath it; a test of rouse/fmt.hpp
libs   libgtest-dev        -             the tests
libs   libgmock-dev        -             matchers in the tests
libs   libhowardhinnant-date-dev -       a second opinion on time zones, for the tests
libs   libcli11-dev        -             the command line of the examples
libs   libtomlplusplus-dev -             the configuration of the health-checker
libs   libc-ares-dev       -             name look-ups that can be stopped
libs   libre2-dev          -             autowait and the health-checker: expressions that cannot run away
libs   libssl-dev          -             TLS of the health-checker; certificates for the tests
libs   nlohmann-json3-dev  -             the health-checker reads JSON
tests  nginx-light         nginx         the web server that the health-checker is tested on
tests  prometheus          prometheus    reads what the health-checker tells it
tests  chromium            chromium      looks at the page of the health-checker ...
tests  chromium-driver     chromedriver  ... and clicks there
tests  openssh-server      sshd          a server that the health-checker is tested on
tests  monitoring-plugins-basic -        commands that it is tested with
ci     clang               clang++       the second compiler
ci     clang-format        clang-format  the format check
ci     clang-tidy          clang-tidy    the tidy preset
bench  libabsl-dev         -             a peer
bench  libtbb-dev          -             a peer
bench  libconcurrentqueue-dev -          a peer
bench  libuv1-dev          -             a peer
bench  libevent-dev        -             a peer
bench  libjemalloc-dev     -             a peer
bench  libmimalloc-dev     -             a peer
bench  uuid-dev            -             a peer
bench  binutils            objdump       reads what is_set() was compiled to
bench  python3             python3       compares and shows the figures
bench  termtosvg           termtosvg     records a terminal for the README
'
gcc_minimum=12

say() { printf '==> %s\n' "$*"; }
fail() {
  printf 'packages.sh: %s\n' "$*" >&2
  exit 1
}

have_command() {
  # A user's PATH often lacks the folders of system programs.
  PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" command -v "$1" >/dev/null
}

is_installed() {
  [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

wanted() {
  local group package command _
  while read -r group package command _; do
    if [[ -n $group && " $groups " == *" $group "* ]]; then echo "$package $command"; fi
  done <<<"$packages"
}

missing() {
  local package command
  while read -r package command; do
    if [[ $command != - ]] && have_command "$command"; then continue; fi
    if is_installed "$package"; then continue; fi
    echo "$package"
  done < <(wanted)
}

# Ubuntu 22.04's g++ is 11; a 12 beside it is enough, the run scripts look for it.
missing_gcc() {
  local version
  version=$(g++ -dumpversion 2>/dev/null) || return 0
  if ((${version%%.*} < gcc_minimum)) && [[ -z ${CXX:-} ]] &&
    ! have_command "g++-$gcc_minimum"; then
    echo "g++-$gcc_minimum"
  fi
}

as_root() {
  if ((EUID == 0)); then
    "$@" </dev/null
  else
    sudo "$@" </dev/null
  fi
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --quiet --no-install-recommends "$@"
}

updated=no
install_packages() {
  say "installing: $*"
  if ((EUID != 0)) && ! command -v sudo >/dev/null; then
    fail "needs root or sudo; as root: apt-get install $*"
  fi
  if [[ $updated == no ]]; then
    # A broken third-party source must not keep a package of the distribution from being installed.
    as_root apt-get update --quiet || say "apt-get update failed; trying with the lists that are there"
    updated=yes
  fi

  # The tests run these servers themselves on ports of their own. As services they would answer to
  # others on somebody's machine, now and after every boot, so they are kept from starting.
  local pair service services=() status=0
  for pair in nginx-light=nginx openssh-server=ssh prometheus=prometheus; do
    if [[ " $* " == *" ${pair%=*} "* ]]; then services+=("${pair#*=}"); fi
  done
  if ((${#services[@]} == 0)); then
    apt_install "$@"
    return
  fi
  if [[ -d /run/systemd/system ]]; then
    as_root systemctl mask --runtime --quiet "${services[@]/%/.service}" || true
    apt_install "$@" || status=$?
    as_root systemctl unmask --runtime --quiet "${services[@]/%/.service}" || true
    as_root systemctl disable --quiet "${services[@]/%/.service}" >/dev/null 2>&1 || true
  else
    apt_install "$@" || status=$?
    for service in "${services[@]}"; do
      if [[ -x /etc/init.d/$service ]]; then
        as_root "/etc/init.d/$service" stop >/dev/null 2>&1 || true
        as_root update-rc.d "$service" disable >/dev/null 2>&1 || true
      fi
    done
  fi
  return "$status"
}

list=no
groups="build libs"
for argument in "$@"; do
  case $argument in
    --list) list=yes ;;
    tests | ci | bench) groups+=" $argument" ;;
    *) fail "unknown argument '$argument' (usage: packages.sh [--list] [tests] [ci] [bench])" ;;
  esac
done

if [[ $list == yes ]]; then
  wanted | cut -d' ' -f1
  exit
fi

if [[ ${ROUSE_SKIP_PACKAGES:-} == 1 ]]; then
  exit
fi

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  {
    echo "packages.sh: there is no apt here. Install what corresponds to these packages of Debian,"
    echo "then run this again with ROUSE_SKIP_PACKAGES=1 in the environment:"
    wanted | cut -d' ' -f1 | tr '\n' ' '
    echo
  } >&2
  exit 1
fi

mapfile -t names < <(missing)
if ((${#names[@]} > 0)); then install_packages "${names[@]}"; fi
mapfile -t names < <(missing_gcc)
if ((${#names[@]} > 0)); then install_packages "${names[@]}"; fi
