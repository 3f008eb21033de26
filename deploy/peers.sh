#!/usr/bin/env bash
# Install what the tests talk to: Orthanc, DCMTK and the validators that Debian and Ubuntu package.
# (dciodvfy and the dcmqi readers come with `make test`, from pip.) Tests start their own Orthanc;
# the service that the package would start is left off.
set -euo pipefail

packages=(orthanc orthanc-dicomweb orthanc-gdcm dcmtk libgdcm-tools gcc libc6-dev curl openssl
  libpixelmed-java default-jdk-headless)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "Orthanc, DCMTK and the validators are installed already"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "run this as root: apt-get install ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
had_orthanc=$(command -v Orthanc || true)
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
if [ -z "$had_orthanc" ]; then # ours alone: a PACS that ran here before goes on
  if [ -d /run/systemd/system ]; then
    "${as_root[@]}" systemctl disable --now orthanc >/dev/null 2>&1 || true
  else
    "${as_root[@]}" service orthanc stop >/dev/null 2>&1 || true
  fi
fi
echo "installed: ${missing[*]}"
