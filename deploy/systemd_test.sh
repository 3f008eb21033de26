#!/usr/bin/env bash
# Boot a real systemd in a container, install dicomnode in it as a site would, and exercise its units.
#   systemd_test.sh [FOLDER]    as root; FOLDER (default build/systemd) keeps root file system and wheels, 3 GB
# Works where pid 1 is no systemd: the container is not registered, and has a network of its own (loopback alone).
set -euo pipefail

source=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$source/build/systemd}
python=${PYTHON:-$source/.venv/bin/python}
node=dicomnode-receive@0
passed=0
failed=0

say() { printf '== %s\n' "$*"; }
check() { # what, got, wanted
  if [ "$2" = "$3" ]; then
    printf 'ok    %s (%s)\n' "$1" "$2"
    passed=$((passed + 1))
  else
    printf 'FAIL  %s: got "%s", wanted "%s"\n' "$1" "$2" "$3"
    failed=$((failed + 1))
  fi
}

[ "$(id -u)" -eq 0 ] || { echo "run as root" >&2; exit 1; }
if ! command -v systemd-nspawn >/dev/null || ! command -v mmdebstrap >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends systemd-container mmdebstrap >/dev/null
fi
mkdir -p "$folder"
rootfs=$(realpath "$folder")/rootfs
wheels=$(realpath "$folder")/wheels

if [ ! -d "$rootfs/usr/lib/systemd" ]; then
  say "a root file system (minutes)"
  mmdebstrap --quiet --variant=minbase --include=systemd,systemd-sysv,dbus,python3-venv,iproute2,procps,dcmtk \
    --aptopt='Acquire::Languages "none"' --dpkgopt='path-exclude=/usr/share/doc/*' \
    bookworm "$rootfs" /etc/apt/sources.list.d/debian.sources
fi
if [ ! -d "$wheels" ]; then
  say "wheels of everything pinned (minutes)"
  "$python" -m pip download -q -c "$source/deploy/constraints.txt" -d "$wheels.part" "$source[validate,adapters]" 'setuptools>=77' wheel
  mv "$wheels.part" "$wheels"
fi

say "a copy of the repository, and install.sh without a network"
rm -rf "$rootfs/src"
mkdir -p "$rootfs/src"
for part in dicomnode deploy models pyproject.toml README.md LICENSE config.toml; do cp -r "$source/$part" "$rootfs/src/"; done
installer() {
  systemd-nspawn -q -D "$rootfs" --register=no --keep-unit --private-network --resolv-conf=off --pipe \
    --bind-ro="$wheels:/wheels" --setenv=PIP_NO_INDEX=1 --setenv=PIP_FIND_LINKS=/wheels \
    --setenv=PIP_ROOT_USER_ACTION=ignore --setenv=PIP_NO_CACHE_DIR=1 /src/deploy/install.sh "$@" </dev/null
}
installer --purge >/dev/null 2>&1 || true
installer

# Port 104, no reserve (this disk may be small), a PACS that cannot commit, a watchdog that need not be waited for.
sed -i -e 's/^port = 11112 /port = 104 /' -e 's/^reserve_bytes = [0-9]*/reserve_bytes = 0/' -e 's/^quiet_s = 60.0/quiet_s = 2.0/' \
  -e 's/^commitment = true/commitment = false/' -e '/^\[learn\]$/,/^enabled/s/^enabled = false/enabled = true/' \
  -e '/^\[learn.hl7\]$/,/^enabled/s/^enabled = false/enabled = true/' "$rootfs/etc/dicomnode/config.toml"
rm -rf "$rootfs/study"
(cd "$source" && "$python" -c "
import pathlib, sys
from tests.acceptance.studies_made import crop_files
crop_files(pathlib.Path(sys.argv[1]))" "$rootfs/study")
for unit in receive@ engine web gpu@; do
  mkdir -p "$rootfs/etc/systemd/system/dicomnode-$unit.service.d"
  printf '[Service]\nWatchdogSec=15s\nRestartSec=1s\n' >"$rootfs/etc/systemd/system/dicomnode-$unit.service.d/test.conf"
done

say "boot"
log=$(mktemp)
setsid script -qec "systemd-nspawn -q -D $rootfs --boot --register=no --keep-unit --private-network --resolv-conf=off" \
  /dev/null </dev/null >"$log" 2>&1 &
outer=$!
leader=
for _ in $(seq 100); do # pid 1 of the container is the child of systemd-nspawn
  inner=$(pgrep -P "$outer" -f systemd-nspawn 2>/dev/null | head -1 || true)
  if [ -n "$inner" ]; then leader=$(pgrep -P "$inner" | head -1 || true); fi
  if [ -n "$leader" ] && [ "$(readlink "/proc/$leader/exe" 2>/dev/null)" = /usr/lib/systemd/systemd ]; then break; fi
  sleep 0.1
done
box() { nsenter -t "$leader" -m -u -i -n -p -- /usr/bin/env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"; }
off() {
  box systemctl poweroff >/dev/null 2>&1 || true
  for _ in $(seq 900); do # 90 s: a slow machine stops slowly
    kill -0 "$outer" 2>/dev/null || break
    sleep 0.1
  done
  if kill -0 "$outer" 2>/dev/null; then
    kill -9 "$leader" || true
    kill "$outer" || true
    sleep 3
  fi
  rm -f "$log"
}
trap off EXIT
until_is() { # wanted, seconds, command...
  local wanted=$1 seconds=$2 got=
  shift 2
  for _ in $(seq $((seconds * 2))); do
    got=$("$@" 2>/dev/null || true)
    if [ "$got" = "$wanted" ]; then break; fi
    sleep 0.5
  done
  printf '%s' "$got"
}
booted() { box systemctl is-system-running 2>/dev/null | sed 's/degraded/running/'; }
state_of() { box systemctl show -P ActiveState "$1"; }
pid_of() { box systemctl show -P MainPID "$1"; }
journal() { box journalctl -b --no-pager -o cat -u "$1"; }
until_is running 60 booted >/dev/null

box systemctl enable --now dicomnode-train dicomnode-hl7 2>/dev/null || true
services=("$node" dicomnode-engine dicomnode-gpu@0 dicomnode-web dicomnode-train dicomnode-hl7)
for service in "${services[@]}"; do
  check "$service is active after boot" "$(until_is active 120 state_of "$service")" active
  check "$service runs as" "$(box ps -o user= -p "$(pid_of "$service")" | tr -d ' ')" dicomnode
done
if [ "$failed" -gt 0 ]; then for service in "${services[@]}"; do journal "$service" | tail -15; done; fi

say "receiving"
check "listens on 104 without root" "$(box ss -ltnH 'sport = 104' | wc -l)" 1
check "answers C-ECHO" "$(box echoscu -aec DICOMNODE 127.0.0.1 104 >/dev/null 2>&1 && echo yes)" yes
check "is ready" "$(until_is 200 30 box /opt/dicomnode/current/bin/python -c "
import http.client; c = http.client.HTTPConnection('127.0.0.1', 9464); c.request('GET', '/readyz'); print(c.getresponse().status)")" 200

say "a study goes through the hardened units"
box mkdir -p /tmp/pacs
box storescp -aet ORTHANC -od /tmp/pacs 4242 >/dev/null 2>&1 &
pacs=$!
sleep 1
check "a model is approved" "$(box dicomnode models approve hippocampus_mr | grep -c 'may run')" 1
check "its study is taken" "$(box storescu -aec DICOMNODE +sd 127.0.0.1 104 /study >/dev/null 2>&1 && echo yes)" yes
arrived() { box find /tmp/pacs -type f | wc -l; }
check "SEG and SR come back" "$(until_is 2 240 arrived)" 2
check "the audit trail is the account's" "$(box stat -c %U /var/lib/dicomnode/audit)" dicomnode
if [ "$(arrived)" != 2 ]; then
  box dicomnode runs || true
  for service in "${services[@]}"; do journal "$service" | tail -15; done
fi
kill "$pacs" 2>/dev/null || true

say "learning"
acknowledged() {
  box /opt/dicomnode/current/bin/python -c "
import socket
lines = ('MSH|^~\\\\&|RIS|HOSPITAL|NODE|AI|20260102||ORU^R01^ORU_R01|7|P|2.5', 'PID|||1', 'OBR|1||A1|CT', 'OBX|1|TX|1||Clear.||||||F')
with socket.create_connection(('127.0.0.1', 2575), 10) as peer:
    peer.sendall(b'\x0b' + '\r'.join(lines).encode() + b'\r\x1c\r')
    print(peer.recv(4096).split(b'MSA|')[1][:2].decode())"
}
check "a report by HL7 is kept and answered" "$(acknowledged)" AA
box dicomnode learn now hippocampus_mr || true
ended() { box dicomnode learn list --json 2>/dev/null | grep -cE '"state": "(done|parked)"'; }
check "without labels a learning ends with a word" "$(until_is 1 120 ended)" 1
box dicomnode learn list

say "crashes and hangs"
receiver=$(pid_of "$node")
gpu=$(pid_of dicomnode-gpu@0)
box kill -9 "$gpu"
restarted() { [ "$(pid_of "$1")" != "$2" ] && [ "$(pid_of "$1")" != 0 ] && state_of "$1"; }
check "the gpu process comes back after kill -9" "$(until_is active 90 restarted dicomnode-gpu@0 "$gpu")" active
check "the receiver did not notice" "$(pid_of "$node")" "$receiver"
web=$(pid_of dicomnode-web)
box kill -STOP "$web"
check "the watchdog restarts a process that hangs" "$(until_is active 60 restarted dicomnode-web "$web")" active
check "and says so" "$(journal dicomnode-web | grep -c 'Watchdog timeout')" 1

say "what it may see"
probe() { # with the engine's view of files, as its account
  box nsenter -t "$(pid_of dicomnode-engine)" -m -- setpriv --reuid=dicomnode --regid=dicomnode --clear-groups test "$@" && echo yes || echo no
}
check "the engine cannot write the program" "$(probe -w /opt/dicomnode/current/bin/dicomnode)" no
check "nor its settings" "$(probe -w /etc/dicomnode/config.toml)" no
check "nor anything in /etc, were it root" "$(box nsenter -t "$(pid_of dicomnode-engine)" -m -- test -w /etc/hostname && echo yes || echo no)" no
check "but its state" "$(probe -w /var/lib/dicomnode/index.sqlite)" yes
check "nor read homes" "$(probe -e /root/.bashrc)" no
check "state is the account's alone" "$(box stat -c '%a %U' /var/lib/dicomnode)" "700 dicomnode"
for service in "${services[@]}"; do box systemd-analyze security --no-pager "$service" | tail -1; done

say "stop, upgrade, uninstall"
box systemctl stop dicomnode.target
check "stops cleanly" "$(box systemctl show -P Result "$node")" success
stamp=$(box sha256sum /etc/dicomnode/config.toml | cut -c1-12)
off
trap - EXIT
installer
check "an upgrade keeps the settings" "$(sha256sum "$rootfs/etc/dicomnode/config.toml" | cut -c1-12)" "$stamp"
check "and the state" "$([ -s "$rootfs/var/lib/dicomnode/index.sqlite" ] && echo yes)" yes
check "and backs it up first" "$(find "$rootfs/var/backups/dicomnode" -name 'before-*.tar' | wc -l)" 1
installer --uninstall
check "removal leaves the state" "$([ -s "$rootfs/var/lib/dicomnode/index.sqlite" ] && echo yes)" yes
check "and no program" "$([ -e "$rootfs/opt/dicomnode" ] || echo gone)" gone

echo "$passed passed, $failed failed"
exit $((failed > 0))
