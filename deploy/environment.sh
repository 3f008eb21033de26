#!/usr/bin/env bash
# Make or update a virtual environment with this package and the pinned versions of all it needs.
#   environment.sh FOLDER [EXTRA]     PYTHON: interpreter; TORCH_INDEX: index with CPU builds of torch
# EXTRA is the group of optional dependencies to add: dev (the default, editable), or validate for a site (validate,adapters where it learns).
set -euo pipefail
folder=${1:?which folder}
extra=${2:-dev}
source=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}

say() { printf '%s\n' "$*" >&2; }

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
  say "dicomnode needs Python 3.11 or newer; '$python' is older or missing. Name another: make PYTHON=python3.12 ..."
  exit 1
}
"$python" -c 'import ensurepip, venv' 2>/dev/null || {
  say "This Python cannot make a virtual environment. On Debian or Ubuntu: apt-get install python3-venv"
  exit 1
}

[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
pip() { "$folder/bin/python" -m pip --disable-pip-version-check "$@"; }

# torch first: its build depends on the machine, everything else does not.
torch=$(grep -E '^torch==' "$source/deploy/constraints.txt")
if [ -n "${TORCH_INDEX:-}" ] && [ ! -e /proc/driver/nvidia/version ]; then
  say "No NVIDIA device: $torch from TORCH_INDEX"
  pip install -q -c "$source/deploy/constraints.txt" --index-url "$TORCH_INDEX" "$torch"
fi
say "Installing dicomnode and the pinned versions of what it needs into $folder (minutes, the first time)"
editable=()
[ "$extra" != dev ] || editable=(--editable)
pip install -q --use-pep517 -c "$source/deploy/constraints.txt" "${editable[@]}" "$source[$extra]"
