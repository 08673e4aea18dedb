#!/usr/bin/env bash
# The promise of the README, on a machine that has nothing: makes a minimal Debian in a folder, and runs
# examples/run.sh --once and tests/run.sh there. By hand, as root: it takes long.
# Usage: fresh_root.sh [--work-tree] [--suite NAME] [--mirror URL] [--keyring FILE] [--folder FOLDER]
#                      [COMMAND...]
#   --work-tree  what lies in the folder now, and not what is committed
#   --suite      bookworm, or another release that debootstrap and the mirror know
#   --mirror     where packages come from; otherwise where apt of this machine gets those of the suite
#   --keyring    whose signatures count; debootstrap's own choice if it is not given
#   --folder     build/fresh_root; made anew, and left there
#   COMMAND      runs this there instead, at the root of the sources
set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
suite=bookworm
mirror=
folder=$source/build/fresh_root
work_tree=no
components=main
keyring=()

say() { printf '==> fresh root: %s\n' "$*"; }
fail() {
  printf 'fresh_root: %s\n' "$*" >&2
  exit 1
}

while (($# > 0)); do
  case $1 in
    --work-tree) work_tree=yes ;;
    --suite) suite=$2 && shift ;;
    --mirror) mirror=$2 && shift ;;
    --keyring) keyring=(--keyring "$2") && shift ;;
    --folder) folder=$2 && shift ;;
    -*) fail "unknown option $1" ;;
    *) break ;;
  esac
  shift
done

((EUID == 0)) || fail "must be root"
for command in debootstrap unshare apt-get git; do
  command -v "$command" >/dev/null || fail "needs $command"
done
if [[ -z $mirror ]]; then
  # shellcheck disable=SC2016  # apt-get expands it
  mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
    awk -v suite="$suite" '$1 == suite { print $2; exit }')
  [[ -n $mirror ]] || fail "apt of this machine has no mirror for $suite: name one with --mirror"
fi
# Ubuntu keeps half of what the tests need elsewhere.
if [[ ! -e /usr/share/debootstrap/scripts/$suite ]]; then fail "debootstrap does not know $suite"; fi
if [[ $(readlink -f "/usr/share/debootstrap/scripts/$suite") == *gutsy ]]; then components=main,universe; fi

say "$suite from $mirror in $folder"
rm -rf "$folder"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
root=$folder/root
debootstrap --variant=minbase --components="$components" "${keyring[@]}" "$suite" "$root" "$mirror" \
  >"$folder/debootstrap.log" 2>&1 || { tail -20 "$folder/debootstrap.log" >&2 && fail "debootstrap"; }

# The way to the network is this machine's: proxies, certificates, names.
apt-config dump | grep -E '^Acquire::(https?|Check|ForceIPv)' >"$root/etc/apt/apt.conf.d/99host" || true
if compgen -G '/etc/apt/auth.conf.d/*' >/dev/null; then cp /etc/apt/auth.conf.d/* "$root/etc/apt/auth.conf.d/"; fi
for file in /etc/apt/auth.conf /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
  if [[ -e $file ]]; then
    mkdir -p "$root$(dirname "$file")"
    cp -L "$file" "$root$file"
  fi
done

mkdir "$root/rouse"
if [[ $work_tree == yes ]]; then
  # Without what was deleted and is not committed yet.
  (cd "$source" && git ls-files -z --cached --others --exclude-standard |
    while IFS= read -r -d '' file; do if [[ -e $file ]]; then printf '%s\0' "$file"; fi; done |
    tar --create --null --files-from=-) | tar --extract --directory="$root/rouse"
else
  git -C "$source" archive HEAD | tar --extract --directory="$root/rouse"
fi

# inside COMMAND...: in namespaces of its own, so that mounts and processes end with it.
# shellcheck disable=SC2016  # expanded inside
inside() {
  unshare --mount --pid --fork --kill-child --propagation private bash -c '
    root=$1
    shift
    mount --bind "$root" "$root" # so that there is a mount point at its /
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    exec chroot "$root" env HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      LANG=C.UTF-8 bash -c "cd /rouse && exec \"\$@\"" - "$@"' - "$root" "$@" </dev/null
}

if (($# > 0)); then
  inside "$@"
  exit
fi

say "examples/run.sh --once"
status=0
inside bash examples/run.sh --once >"$folder/once.log" 2>&1 || status=$?
tail -25 "$folder/once.log"
# 0 to 3 are the answers of a check; with a failed build there is no program that could have answered.
if ((status > 3)) || grep -q '^==> FAILED' "$folder/once.log" ||
  [[ ! -x $root/rouse/build/release/bin/health_checker ]]; then
  fail "examples/run.sh --once ended with $status; $folder/once.log"
fi

say "tests/run.sh"
inside bash tests/run.sh >"$folder/tests.log" 2>&1 ||
  { tail -60 "$folder/tests.log" >&2 && fail "tests/run.sh; $folder/tests.log"; }
tail -25 "$folder/tests.log"
say "all done"
