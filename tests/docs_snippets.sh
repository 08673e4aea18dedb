#!/usr/bin/env bash
# Cuts the C++ examples out of documentation and writes them as sources to compile.
# Usage: docs_snippets.sh ROOT OUT_DIR FILE...    prints the sources' paths, one per line
#        docs_snippets.sh --self-check
#
# An example is what stands between `/// @code` and `/// @endcode` in a header, or in a ```cpp block of
# a Markdown file unless the line before it that is not blank says <!-- no-compile -->. If it has an
# `int main` it is compiled as it is; else it becomes a function's body after rouse.hpp, its own header
# and the usual standard headers, with its #include lines moved out and std::chrono_literals in use.
# The functions have names of their own, so that sources may be compiled together.
# `@code{.x}` is an example too only if x is cpp.
#
# A source keeps its time when its text has not changed, so only changed examples are compiled again.
set -euo pipefail

# extract FILE NAME OUT: writes OUT/<name>_<line>.cpp per example and prints the paths.
# NAME is the header as it is included, or the Markdown file.
extract() {
  local file=$1 header="" stem=${2//[^A-Za-z0-9]/_} out=$3 markdown=0
  if [[ $file == *.md ]]; then markdown=1; else header=$2; fi
  awk -v file="$file" -v stem="$stem" -v out="$out" -v header="$header" \
    -v markdown="$markdown" '
    function begin() { inside = 1; count = 0; whole = 0; first = FNR + 1 }
    function finish(   name, i, n, prelude, headers) {
      inside = 0
      if (count == 0) return
      name = out "/" stem "_" first ".cpp"
      if (whole) {
        printf "#line %d \"%s\"\n", first, file > name
        for (i = 1; i <= count; i++) print text[i] > name
      } else {
        # Its own header too: not every one is part of rouse.hpp.
        if (header != "") printf "#include <%s>\n", header > name
        print "#include <rouse/rouse.hpp>" > name
        prelude = "array atomic chrono cstddef cstdint cstdio deque exception functional iostream list map memory " \
                  "mutex optional shared_mutex span stdexcept stop_token string string_view system_error thread " \
                  "utility vector unistd.h csignal"
        n = split(prelude, headers, " ")
        for (i = 1; i <= n; i++) printf "#include <%s>\n", headers[i] > name
        for (i = 1; i <= count; i++)
          if (is_include(text[i])) printf "#line %d \"%s\"\n%s\n", first + i - 1, file, text[i] > name
        # Declared first, so that no compiler misses a declaration of a function that is not static.
        printf "void %s_%d();\nvoid %s_%d() {\n", stem, first, stem, first > name
        print "using namespace std::chrono_literals;" > name
        printf "#line %d \"%s\"\n", first, file > name
        for (i = 1; i <= count; i++) print (is_include(text[i]) ? "" : text[i]) > name
        print "}" > name
      }
      close(name)
      print name
    }
    function is_include(line) { return line ~ /^[ \t]*#[ \t]*include/ }
    function add(line) {
      text[++count] = line
      if (line ~ /(^|[^A-Za-z0-9_])int[ \t]+main[ \t]*\(/) whole = 1
    }
    function fail(what) {
      printf "%s:%d: %s\n", file, FNR, what > "/dev/stderr"
      failed = 1
      exit 1
    }

    markdown && inside && /^[ \t]*```[ \t]*$/ { finish(); next }
    markdown && inside { add($0); next }
    # A block in another language may show a ```cpp line of its own.
    markdown && other { if ($0 ~ /^[ \t]*```[ \t]*$/) other = 0; next }
    markdown && /^[ \t]*```/ {
      if ($0 ~ /^[ \t]*```cpp[ \t]*$/ && before !~ /<!-- *no-compile *-->/) begin(); else other = 1
      before = ""
      next
    }
    markdown { if ($0 !~ /^[ \t]*$/) before = $0; next }

    inside && /^[ \t]*\/\/\/[ \t]*@endcode/ { finish(); next }
    inside && !/^[ \t]*\/\/\// { fail("@code without @endcode") }
    inside { sub(/^[ \t]*\/\/\/ ?/, ""); add($0); next }
    /^[ \t]*\/\/\/[ \t]*@code([{][.]cpp[}])?[ \t]*$/ { begin() }

    END { if (!failed && inside) fail("example without an end") }
  ' "$file"
}

run() {
  local root=$1 out=$2 fresh file source name
  shift 2
  mkdir -p "$out"
  out=$(cd "$out" && pwd)
  fresh=$(mktemp -d)
  # shellcheck disable=SC2064  # the folder of now is the one to remove
  trap "rm -rf '$fresh'" EXIT

  for file in "$@"; do
    name=${file#"$root"/}
    name=${name#include/}
    extract "$file" "$name" "$fresh" >/dev/null
  done

  for source in "$out"/*.cpp; do
    if [[ -e $source && ! -e $fresh/${source##*/} ]]; then rm "$source"; fi
  done
  for source in "$fresh"/*.cpp; do
    [[ -e $source ]] || continue
    name=${source##*/}
    cmp -s "$source" "$out/$name" || cp "$source" "$out/$name"
    printf '%s\n' "$out/$name"
  done
}

self_check() {
  local dir got want
  dir=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$dir'" EXIT
  mkdir -p "$dir/root/include/rouse/wait" "$dir/root/docs"
  cat >"$dir/root/include/rouse/wait/a.hpp" <<'END'
#pragma once
/// @code
/// #include <regex>
/// one();
/// @endcode
class A {
  /// @code{.cpp}
  /// int main() {
  ///   two();
  /// }
  /// @endcode
  /// @code{.txt}
  /// three
  /// @endcode
};
END
  cat >"$dir/root/docs/b.md" <<'END'
```cpp
four();
```
<!-- no-compile -->

```cpp
five
```
```sh
six
```
END
  run "$dir/root" "$dir/out" "$dir/root/include/rouse/wait/a.hpp" "$dir/root/docs/b.md" >"$dir/list"
  got=$(sed "s|$dir/out/||" "$dir/list" | sort | tr '\n' ' ')
  want="docs_b_md_2.cpp rouse_wait_a_hpp_3.cpp rouse_wait_a_hpp_8.cpp "
  if [[ $got != "$want" ]]; then
    echo "self-check: wrote '$got' instead of '$want'" >&2
    return 1
  fi
  if ! grep -qx "#line 3 \"$dir/root/include/rouse/wait/a.hpp\"" "$dir/out/rouse_wait_a_hpp_3.cpp" ||
    [[ $(grep -n 'include <regex>' "$dir/out/rouse_wait_a_hpp_3.cpp" | cut -d: -f1) -ge \
      $(grep -n '^void rouse_wait_a_hpp_3() {' "$dir/out/rouse_wait_a_hpp_3.cpp" | cut -d: -f1) ]]; then
    echo "self-check: a body is not wrapped as it should be" >&2
    return 1
  fi
  if grep -q rouse_wait_a_hpp_8 "$dir/out/rouse_wait_a_hpp_8.cpp"; then
    echo "self-check: a whole program was wrapped" >&2
    return 1
  fi
  printf '/// @code\n/// x\nint y;\n' >"$dir/root/c.hpp"
  if extract "$dir/root/c.hpp" c.hpp "$dir" >/dev/null 2>&1; then
    echo "self-check: an example without an end went unnoticed" >&2
    return 1
  fi
  echo "docs_snippets: the examples are cut out as they should be"
}

if [[ ${1:-} == --self-check ]]; then
  self_check
else
  run "$@"
fi
