#!/usr/bin/env bash
# All with the shared library: one copy, which works across the plug-ins, and nobody complains.
# Usage: shared.sh BUILD
set -euo pipefail
cd "$1"

# quiet COMMAND...: succeeds, and says nothing.
quiet() {
  local said
  if ! said=$(timeout 120 "$@" 2>&1) || [[ -n $said ]]; then
    printf 'plugins: %s failed, or said something: %s\n' "$*" "$said" >&2
    exit 1
  fi
}

quiet ./host ./libplugin_a.so ./libplugin_b.so ./libplugin_a.so
quiet ./host_with_rouse ./libplugin_a.so
quiet ./meeting ./libwakes.so
