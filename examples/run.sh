#!/usr/bin/env bash
# Builds the health-checker and runs it on this machine.
# Usage: run.sh [ARGS]    ARGS go to the health-checker: --once, --help, --config FILE, ...
# shellcheck source=../cmake/run-common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../cmake/run-common.sh"

# shellcheck disable=SC2119  # our arguments are for the health-checker
# Its own standard output is the health-checker's, so that it can be piped.
{
  rouse_packages
  rouse_build release health_checker
} >&2

config=(--config "$root/examples/health_checker/health.toml")
for argument in "$@"; do
  case $argument in
    --config | --config=* | --help | --help-all | -h) config=() ;;
  esac
done

say "health_checker $*" >&2
exec "$root/build/release/bin/health_checker" "${config[@]}" "$@"
