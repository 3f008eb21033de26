#!/usr/bin/env bash
# Install dicomnode as a service, upgrade it, or remove it. Run as root; running it twice changes nothing.
#
#   install.sh                install, or upgrade to the version this file came with; data and config are kept
#   install.sh --uninstall    remove program and units; /etc/dicomnode, /var/lib/dicomnode and backups stay
#   install.sh --purge        remove those too: every received study, result and label on this machine
#
# Without a network: PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER install.sh, with the wheels of
# `pip download -c deploy/constraints.txt '.[validate,adapters]'` in that folder. TORCH_INDEX, PYTHON: as in the Makefile.
set -euo pipefail

source=$(cd "$(dirname "$0")/.." && pwd)
root=/opt/dicomnode
config=/etc/dicomnode/config.toml
state=/var/lib/dicomnode
backups=/var/backups/dicomnode
units=(dicomnode.target dicomnode-receive@.service dicomnode-engine.service dicomnode-gpu@.service
  dicomnode-gpu-stat.service dicomnode-train.service dicomnode-hl7.service
  dicomnode-web.service)

say() { printf '%s\n' "$*"; }
die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }
under_systemd() { [ -d /run/systemd/system ]; }
reload_units() { if under_systemd; then systemctl daemon-reload; fi; }
is_running() { under_systemd && systemctl is-active --quiet dicomnode.target; }
stop_node() {
  under_systemd || return 0
  systemctl stop dicomnode.target 'dicomnode-*' 2>/dev/null || true
}

uninstall() {
  stop_node
  systemctl disable --quiet dicomnode.target 2>/dev/null || true
  for unit in "${units[@]}"; do rm -f "/etc/systemd/system/$unit"; done
  rm -rf /etc/systemd/system/dicomnode.target.wants "$root"
  rm -f /usr/lib/sysusers.d/dicomnode.conf /usr/lib/tmpfiles.d/dicomnode.conf /usr/local/bin/dicomnode
  reload_units
  say "dicomnode is removed. Kept: $config, $state, $backups (install.sh --purge removes them)."
}

purge() {
  uninstall
  rm -rf /etc/dicomnode "$state" "$backups" /var/cache/dicomnode
  say "Every study, result and label on this machine is removed too."
}

extras() { # a node that learns needs what the recipe `adapter` does
  if [ -e "$config" ] && "${PYTHON:-python3}" -c \
    'import sys, tomllib; sys.exit(not tomllib.load(open(sys.argv[1], "rb")).get("learn", {}).get("enabled"))' "$config"; then
    echo validate,adapters
  else
    echo validate
  fi
}

build() { # a release of its own: the one in use is not touched
  local copy=$1/source
  mkdir -p "$copy/deploy" "$1/doc"
  cp -r "$source/dicomnode" "$source/pyproject.toml" "$source/README.md" "$source/LICENSE" "$copy/"
  cp "$source/deploy/constraints.txt" "$source/deploy/environment.sh" "$copy/deploy/"
  cp "$source"/deploy/docs/*.md "$1/doc/"
  "$copy/deploy/environment.sh" "$1" "$(extras)"
  rm -rf "$copy"
}

set_up_account() {
  install -D -m 644 "$source/deploy/systemd/sysusers.conf" /usr/lib/sysusers.d/dicomnode.conf
  install -D -m 644 "$source/deploy/systemd/tmpfiles.conf" /usr/lib/tmpfiles.d/dicomnode.conf
  systemd-sysusers /usr/lib/sysusers.d/dicomnode.conf
  systemd-tmpfiles --create /usr/lib/tmpfiles.d/dicomnode.conf
}

set_up_config() {
  if [ -e "$config" ]; then return; fi
  sed -e "s|^state = \"state\" |state = \"$state\" |" -e "s|^folder = \"models\" |folder = \"$root/models\" |" \
    "$source/config.toml" >"$config"
  chown root:dicomnode "$config"
  chmod 640 "$config"
  say "Settings: $config (listens on loopback until you change [receive].host)."
}

set_up_models() { # a model in use never changes by itself
  mkdir -p "$root/models"
  for bundle in "$source"/models/*/; do
    local name here
    name=$(basename "$bundle")
    here=$root/models/$name
    if [ ! -e "$here" ]; then
      cp -r "$bundle" "$here"
    elif ! diff -rq -x __pycache__ "$bundle" "$here" >/dev/null; then
      say "Model $name differs from the one in $here, which stays in use. To change over: replace the folder, then"
      say "  dicomnode models approve $name"
    fi
  done
}

set_up_units() {
  for unit in "${units[@]}"; do
    install -D -m 644 "$source/deploy/systemd/$unit" "/etc/systemd/system/$unit"
  done
  install -d /usr/local/bin
  cat >/usr/local/bin/dicomnode <<'COMMAND'
#!/bin/sh
# The command line as the service's own account, so that files keep their owner.
export DICOMNODE_CONFIG="${DICOMNODE_CONFIG:-/etc/dicomnode/config.toml}"
program=/opt/dicomnode/current/bin/dicomnode
[ "$(id -u)" -eq 0 ] || exec "$program" "$@"
case " $* " in
  *" backup "*) exec "$program" "$@" ;; # it writes where root may
  *" restore "*) # it reads what root may
    status=0
    "$program" "$@" || status=$?
    chown -R dicomnode:dicomnode /var/lib/dicomnode
    exit $status
    ;;
esac
exec setpriv --reuid=dicomnode --regid=dicomnode --init-groups env HOME=/var/lib/dicomnode SUDO_USER="${SUDO_USER:-root}" "$program" "$@"
COMMAND
  chmod 755 /usr/local/bin/dicomnode
  reload_units
}

enable_units() {
  local wanted=(dicomnode.target) receivers gpus stat learn reports
  read -r receivers gpus stat learn reports < <("$root/current/bin/python" - "$config" <<'PYTHON'
import sys
from pathlib import Path
from dicomnode.config.load import load
config = load(Path(sys.argv[1]))
learn = config.learn
print(config.receive.processes, config.infer.processes, *map(int, (config.infer.stat_process, learn.enabled, learn.hl7.enabled)))
PYTHON
  )
  for ((n = 1; n < receivers; n++)); do wanted+=("dicomnode-receive@$n.service"); done
  for ((n = 1; n < gpus; n++)); do wanted+=("dicomnode-gpu@$n.service"); done
  if [ "$stat" = 1 ]; then wanted+=(dicomnode-gpu-stat.service); fi
  if [ "$learn" = 1 ]; then wanted+=(dicomnode-train.service); fi
  if [ "$reports" = 1 ]; then wanted+=(dicomnode-hl7.service); fi
  systemctl enable --quiet "${wanted[@]}" || say "enable by hand: systemctl enable ${wanted[*]}"
}

back_up_first() { # with the program that wrote the state
  if [ ! -e "$state/index.sqlite" ]; then return; fi
  local file
  file=$backups/before-$(date -u +%Y%m%dT%H%M%SZ).tar
  DICOMNODE_CONFIG=$config "$root/current/bin/dicomnode" backup "$file" >/dev/null
  say "Backup of before: $file"
}

install_node() {
  command -v systemd-sysusers >/dev/null || die "systemd is needed (use 'dicomnode serve' for a trial without it)"
  local stamp release old was_running=no
  stamp=$(date -u +%Y%m%dT%H%M%SZ)
  release=$root/releases/$stamp
  old=$(readlink "$root/current" 2>/dev/null || true)
  say "Building the new release; the node goes on meanwhile."
  mkdir -p "$release"
  trap "rm -rf '$release'" EXIT
  build "$release"
  set_up_account
  set_up_config
  set_up_models
  "$release/bin/python" -m dicomnode.backup.upgrade "$config" || die "nothing was changed"
  if is_running; then was_running=yes; fi
  if [ -n "$old" ]; then back_up_first; fi
  if [ $was_running = yes ]; then
    say "Stopping the node: senders are told to come back, what was acknowledged is on disk."
    stop_node
  fi
  ln -sfn "$release" "$root/current.new"
  mv -T "$root/current.new" "$root/current"
  trap - EXIT
  set_up_units
  enable_units
  find "$root/releases" -mindepth 1 -maxdepth 1 -type d ! -path "$release" ! -path "${old:-$release}" -exec rm -rf {} +
  if [ $was_running = yes ]; then
    systemctl start dicomnode.target
    say "The node runs again."
  else
    say "Next: edit $config, then: dicomnode check; dicomnode models approve NAME; systemctl start dicomnode.target"
  fi
}

[ "$(id -u)" -eq 0 ] || die "run as root"
case ${1:-} in
  "") install_node ;;
  --uninstall) uninstall ;;
  --purge) purge ;;
  *) die "unknown option $1 (there are --uninstall and --purge)" ;;
esac
