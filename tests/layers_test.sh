#!/usr/bin/env bash
# Folder is layer, and includes point down only: checks include/rouse and src of the tree ROOT.
# Usage: layers_test.sh [ROOT]    (this repository; a self-check on made-up trees comes first)
set -euo pipefail

# What each layer may include besides itself.
declare -A below=(
  [detail]=""
  [wait]="detail"
  [sync]="detail wait"
  [resource]="detail wait"
  [thread]="detail wait"
  [exec]="detail wait sync resource thread"
  [service]="detail wait sync resource thread exec"
)

# check FILE_IN_ROOT LINE_NUMBER INCLUDED: prints why the include is wrong, or nothing.
check() {
  local file=$1 number=$2 included=$3 public=no inner=${1#src/} layer target
  if [[ $file == include/rouse/* ]]; then
    public=yes
    inner=${file#include/rouse/}
  fi

  if [[ $public == yes && $inner.$included != asio.hpp.?boost/* && $inner.$included != fmt.hpp.?fmt/* &&
    $included =~ ^.(boost|asio|spdlog|fmt)[/.] ]]; then
    echo "$file:$number: a public header may not include $included"
    return
  fi

  case $inner in
    */*) layer=${inner%%/*} ;;
    rouse.hpp | asio.hpp | fmt.hpp | version.hpp) return ;;
    *)
      echo "$file:$number: lies in no layer"
      return
      ;;
  esac
  if [[ ! -v below[$layer] ]]; then
    echo "$file:$number: '$layer' is no layer"
    return
  fi

  target=${included:1}
  case $included in
    *../*)
      echo "$file:$number: $included hides which layer it points to"
      return
      ;;
    [\<\"]rouse/version.hpp) return ;;
    [\<\"]rouse/*/*) target=${target#rouse/} ;;
    [\<\"]rouse/*)
      echo "$file:$number: $included stands above all layers"
      return
      ;;
    \"*/*)
      if [[ $public == yes ]]; then
        echo "$file:$number: a public header may not include the private $included"
        return
      fi
      # Of the library beneath it may use what that exports.
      if [[ $layer == service && $target != service/* ]]; then
        echo "$file:$number: service/ is a library of its own and may not include the private $included"
        return
      fi
      ;;
    *) return ;; # of the system, or a neighbour in the same folder
  esac

  target=${target%%/*}
  if [[ $target != "$layer" && " ${below[$layer]} " != *" $target "* ]]; then
    echo "$file:$number: $layer/ may not include $target/ ($included)"
  fi
}

# check_tree ROOT: prints every fault.
check_tree() (
  cd "$1"
  local line file rest number included pattern='#[[:space:]]*include[[:space:]]*([<"][^>"]*)'
  { grep -rnE --include='*.hpp' --include='*.cpp' '^[[:space:]]*#[[:space:]]*include' \
    include/rouse src || true; } | while IFS= read -r line; do
    file=${line%%:*}
    rest=${line#*:}
    number=${rest%%:*}
    if [[ $rest =~ $pattern ]]; then
      included=${BASH_REMATCH[1]}
      check "$file" "$number" "$included"
    # The one place where another header may take the place of the system.
    elif [[ $file != include/rouse/detail/os.hpp || $rest != *ROUSE_SEAM_HEADER* ]]; then
      echo "$file:$number: cannot read this include"
    fi
  done
)

# A check that never fails is worth nothing: each of these lines must be judged as it says.
self_check() {
  local tree verdict file text found failed=0
  tree=$(mktemp -d)
  # shellcheck disable=SC2064  # the folder of now is the one to remove
  trap "rm -rf '$tree'" RETURN
  while read -r verdict file text; do
    rm -rf "${tree:?}"/*
    mkdir -p "$tree/include/rouse" "$tree/src" "$tree/$(dirname "$file")"
    printf '#pragma once\n%s\n' "$text" >"$tree/$file"
    found=$(check_tree "$tree")
    if [[ $verdict == bad && $found != "$file:2: "* || $verdict == good && -n $found ]]; then
      echo "self-check: $file with '$text' should be $verdict, got: '${found:-nothing}'" >&2
      failed=1
    fi
  done <<'END'
good include/rouse/detail/a.hpp #include <vector>
good include/rouse/wait/a.hpp #include <rouse/detail/b.hpp>
good include/rouse/wait/a.hpp #include "rouse/wait/b.hpp"
good include/rouse/wait/a.hpp #include <rouse/version.hpp>
good include/rouse/exec/a.hpp #include <rouse/sync/b.hpp>
good include/rouse/rouse.hpp #include <rouse/thread/b.hpp>
good include/rouse/asio.hpp #include <boost/asio/post.hpp>
good include/rouse/fmt.hpp #include <fmt/format.h>
good src/thread/a.cpp #include <boost/thread/thread.hpp>
good src/thread/a.cpp #include "wait/b.hpp"
good src/thread/a.cpp #include "b.hpp"
good src/service/a.cpp #include "service/b.hpp"
good src/service/a.cpp #include "rouse/wait/b.hpp"
good src/service/a.cpp #include <re2/re2.h>
bad include/rouse/detail/a.hpp #include <rouse/wait/b.hpp>
bad include/rouse/wait/a.hpp #include <rouse/thread/b.hpp>
bad include/rouse/wait/a.hpp #  include "rouse/sync/b.hpp"
bad include/rouse/sync/a.hpp #include <rouse/resource/b.hpp>
bad include/rouse/thread/a.hpp #include <rouse/exec/b.hpp>
bad include/rouse/exec/a.hpp #include <rouse/service/b.hpp>
bad include/rouse/wait/a.hpp #include <rouse/rouse.hpp>
bad include/rouse/wait/a.hpp #include <rouse/asio.hpp>
bad include/rouse/wait/a.hpp #include "wait/b.hpp"
bad include/rouse/wait/a.hpp #include "../thread/b.hpp"
bad include/rouse/wait/a.hpp #include <boost/thread/thread.hpp>
bad include/rouse/rouse.hpp #include <boost/asio.hpp>
bad include/rouse/fmt.hpp #include <boost/asio.hpp>
bad include/rouse/wait/a.hpp #include <fmt/format.h>
bad include/rouse/exec/a.hpp #include <asio.hpp>
bad include/rouse/service/a.hpp #include <spdlog/spdlog.h>
bad include/rouse/misc/a.hpp #include <vector>
bad include/rouse/stray.hpp #include <vector>
bad src/wait/a.cpp #include "thread/b.hpp"
bad src/service/a.cpp #include "wait/b.hpp"
bad src/service/a.hpp #include "detail/b.hpp"
bad src/exec/a.cpp #include "service/b.hpp"
bad src/exec/a.cpp #include <rouse/service/b.hpp>
bad src/detail/a.cpp #include <rouse/wait/b.hpp>
bad src/wait/a.cpp #include "elsewhere/b.hpp"
good include/rouse/detail/os.hpp #include ROUSE_SEAM_HEADER
bad include/rouse/detail/a.hpp #include ROUSE_SEAM_HEADER
END
  return "$failed"
}

if ! self_check; then
  echo "layers: the check itself is broken" >&2
  exit 2
fi

root=${1:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
faults=$(check_tree "$root")
if [[ -n $faults ]]; then
  printf '%s\n' "$faults"
  echo "layers: $(wc -l <<<"$faults") wrong include(s)" >&2
  exit 1
fi
echo "layers: every include points down"
