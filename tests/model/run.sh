#!/usr/bin/env bash
# Verifies the Spin models of the wait core, and that each of their mutants is found.
# Usage: run.sh [MODEL...]       for instance: run.sh event fd; without a name: all
#        run.sh --self-check     that this script fails where it must
#
# Each search is exhaustive. What is to be verified stands in the head comment of a model:
#   // case: NAME FLAGS             bounds; it must verify without an error
#   // mutant: NAME @CASE: TEXT     with -DMUTANT_NAME the case must have an error
#   // unreached: PROCTYPE "TEXT": WHY    a statement that no case reaches; there may be no others.
# The cases of a model differ in numbers only, so that their statements can be compared.
# ROUSE_MODEL_DIR is where the models are looked for instead of beside this script.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
models=${ROUSE_MODEL_DIR:-$here}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
status=0
# tcc compiles a verifier in a twentieth of the time that others take, and most searches are short.
compiler=${CC:-$(command -v tcc || command -v cc)}

# problem TEXT [FILE]: FILE is the output that shows it.
problem() {
  printf 'FAILED: %s\n' "$1"
  if (($# > 1)); then sed 's/^/    /' "$2"; fi
  status=1
}

# build MODEL FLAG...: makes the verifier $scratch/pan.
build() {
  local model=$1
  shift
  cd "$scratch"
  rm -f pan pan.*
  # Spin goes on after an error of syntax.
  if ! spin -a "$@" "$models/$model.pml" >spin.log 2>&1 || grep -q Error spin.log; then
    problem "spin -a $* $model.pml" spin.log
    return 1
  fi
  if ! "$compiler" -w -DSAFETY -o pan pan.c >cc.log 2>&1; then
    problem "compiling the verifier of $model $*" cc.log
    return 1
  fi
}

# search: runs the verifier. A depth that does not suffice is an error of its own.
search() { "$scratch/pan" -b -m10000 -w20 >"$scratch/pan.log" 2>&1 || true; }

# Whether nothing was left out of the search, and nothing was found.
verified() {
  grep -q 'Full statespace search for:' "$scratch/pan.log" &&
    grep -q 'errors: 0$' "$scratch/pan.log" &&
    grep -q '^unreached in ' "$scratch/pan.log" &&
    ! grep -qE 'too small|not completed|out of memory|MEMLIM|VECTORSZ|Warning|^error' \
      "$scratch/pan.log"
}

# The statements that were not reached: proctype, state, text.
unreached() {
  awk '/^unreached in / { proctype = $NF }
       /, state [0-9]+, / {
         sub(/^.*, state /, ""); number = $0; sub(/,.*/, "", number); sub(/^[0-9]+, /, "")
         print proctype " " number " " $0
       }' "$scratch/pan.log" | sort -u
}

check_case() {
  local model=$1 case=$2 states depth start=$EPOCHREALTIME
  shift 2
  build "$model" "$@" || return 0
  search
  if ! verified; then
    problem "case $model/$case" "$scratch/pan.log"
    return
  fi
  states=$(awk '/states, stored/ { print $1 }' "$scratch/pan.log")
  depth=$(sed -n 's/.*depth reached \([0-9]*\),.*/\1/p' "$scratch/pan.log")
  printf 'case: %s/%s states=%s depth=%s seconds=%s ok\n' \
    "$model" "$case" "$states" "$depth" "$(since "$start")"
  model_states=$((model_states + states))
  model_depth=$((depth > model_depth ? depth : model_depth))
  unreached >"$scratch/unreached.$case"
}

check_mutant() {
  local model=$1 mutant=$2 found
  shift 2
  build "$model" "$@" "-DMUTANT_$mutant" || return 0
  search
  found=$(sed -nE 's/^pan:1: (assertion violated|invalid end state).*/\1/p' "$scratch/pan.log")
  if [[ -z $found ]]; then
    problem "mutant $model/$mutant is not found" "$scratch/pan.log"
  else
    printf 'mutant: %s/%s found (%s)\n' "$model" "$mutant" "$found"
  fi
}

# Microseconds are counted, since the shell knows integers only.
since() {
  local micros=$((${EPOCHREALTIME/./} - ${1/./}))
  printf '%d.%d' $((micros / 1000000)) $((micros / 100000 % 10))
}

# What no case has reached, but for what the model declares.
check_unreached() {
  local model=$1 cases=$2 proctype number text declared="$scratch/declared" line
  sed -nE 's/^\/\/ unreached: ([a-z_]+ ".*"): .*/\1/p' "$models/$model.pml" | sort >"$declared"
  : >"$declared.met"
  while read -r _ proctype number text; do
    line="$proctype $text"
    if grep -qxF -- "$line" "$declared"; then
      echo "$line" >>"$declared.met"
    else
      problem "$model: no case reaches $line (state $number)"
    fi
  done < <(sort "$scratch"/unreached.* | uniq -c | awk -v n="$cases" '$1 == n')
  while read -r line; do
    problem "$model: declared as unreached, but it is reached: $line"
  done < <(sort -u "$declared.met" | comm -23 "$declared" -)
}

check_model() {
  local model=$1 file="$models/$1.pml" start=$EPOCHREALTIME before=$status line name case flags
  local -A cases=() mutants=()
  local case_names=() mutant_names=() model_states=0 model_depth=0
  if [[ ! -f $file ]]; then
    problem "there is no model $model"
    return
  fi

  while read -r line; do
    if [[ $line =~ ^//\ case:\ ([a-z_]+)\ (-D.*)$ ]]; then
      name=${BASH_REMATCH[1]}
      cases[$name]=${BASH_REMATCH[2]}
      case_names+=("$name")
    elif [[ $line =~ ^//\ mutant:\ ([a-z_]+)\ @([a-z_]+):\ . ]]; then
      name=${BASH_REMATCH[1]}
      mutants[$name]=${BASH_REMATCH[2]}
      mutant_names+=("$name")
    elif [[ $line =~ ^//\ (case|mutant) ]]; then
      problem "$model: cannot read: $line"
    fi
  done <"$file"
  if ((${#case_names[@]} == 0 || ${#mutant_names[@]} == 0)); then
    problem "$model has no case or no mutant"
    return
  fi

  # The names in the comment are the names in the code: a misspelt one would change nothing.
  name=$(comm -3 <(printf '%s\n' "${mutant_names[@]}" | sort) <(
    includes=$(sed -n "s|^#include \"\(.*\)\"$|$models/\1|p" "$file")
    # shellcheck disable=SC2086  # one word for each file
    grep -hE '^#(if|ifdef|ifndef|elif) ' "$file" $includes | grep -oE 'MUTANT_[a-z_]+' |
      sed 's/^MUTANT_//' | sort -u
  ) | tr -d '\t')
  if [[ -n $name ]]; then
    problem "$model: mutants that are not both declared, once, and written: ${name//$'\n'/ }"
  fi

  rm -f "$scratch"/unreached.*
  for case in "${case_names[@]}"; do
    # shellcheck disable=SC2086  # flags are words
    check_case "$model" "$case" ${cases[$case]}
  done
  if ((status == before)); then check_unreached "$model" "${#case_names[@]}"; fi
  for name in "${mutant_names[@]}"; do
    case=${mutants[$name]}
    if [[ ! -v cases[$case] ]]; then
      problem "$model: mutant $name names no case: @$case"
      continue
    fi
    flags=${cases[$case]}
    # shellcheck disable=SC2086
    check_mutant "$model" "$name" $flags
  done
  if ((status == before)); then
    printf 'model: %s states=%s depth=%s mutants=%s seconds=%s ok\n' \
      "$model" "$model_states" "$model_depth" "${#mutant_names[@]}" "$(since "$start")"
  else
    printf 'model: %s FAILED\n' "$model"
  fi
}

# expect RESULT SED_SCRIPT: runs this script on the model below, edited, and expects `ok` or a text
# in the problem it tells.
expect() {
  local result=$1 edit=$2 output made="$scratch/made"
  mkdir -p "$made"
  sed -E "$edit" >"$made/made.pml" <<'MODEL'
// case: all -DLAST=3
// mutant: too_far @all: counts one too many
byte i;
init {
  do
#ifdef MUTANT_too_far
  :: i <= LAST -> i++
#else
  :: i < LAST -> i++
#endif
  :: else -> break
  od;
  assert(i == LAST)
}
MODEL
  if output=$(ROUSE_MODEL_DIR=$made bash "${BASH_SOURCE[0]}" made 2>&1); then
    output+=$'\nFAILED: nothing; ok'
  fi
  if ! grep -qE "^FAILED: .*$result" <<<"$output"; then
    problem "self-check: expected '$result' after: $edit"
    printf '%s\n' "$output"
  fi
}

self_check() {
  expect ok ''
  expect 'mutant made/too_far is not found' 's/i <= LAST/i < LAST/'
  expect 'both declared.*too_far' 's/ifdef MUTANT_too_far/ifdef MUTANT_to_far/'
  expect 'cannot read' 's/@all: .*/@all/'
  expect 'names no case' 's/@all/@none/'
  expect 'has no case or no mutant' '/mutant:/d'
  expect 'case made/all' 's/LAST -> i\+\+/LAST -> i = i + 2/'
  expect 'case made/all' 's/else -> break/false/'
  expect 'case made/all' 's/LAST=3/LAST=20000/; s/byte i/int i/'
  expect 'no case reaches' 's/  od;/  od; if :: i == 200 -> i = 100 :: else fi;/'
  expect 'but it is reached' '1s/$/\n\/\/ unreached: init "i = 3": no/'
  expect 'spin -a' 's/  od;/  od od;/'
}

if [[ ${1:-} == --self-check ]]; then
  self_check
  if ((status == 0)); then echo "self-check: ok"; fi
  exit "$status"
fi
if (($# == 0)); then
  for file in "$models"/*.pml; do set -- "$@" "$(basename "$file" .pml)"; done
fi
if ! command -v spin >/dev/null; then problem "spin is not installed, see cmake/packages.sh"; fi
for model in "$@"; do check_model "$model"; done
exit "$status"
