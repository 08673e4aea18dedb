#!/usr/bin/env bash
# The headers that are installed are the headers of the tree. (What they may include is checked by
# layers_test.sh, and that each compiles alone by the target rouse_header_alone.)
# Usage: installed_headers.sh SOURCE PREFIX
set -euo pipefail

headers() (cd "$1/include" && find . -type f | LC_ALL=C sort)
if ! diff <(headers "$1") <(headers "$2"); then
  echo "installed_headers: < only in the tree, > only installed" >&2
  exit 1
fi
