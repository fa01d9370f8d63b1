#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Installs the Debian packages that building and testing evl needs. As an ordinary user, prints what to run instead.
set -eu

packages="build-essential libelf-dev pkgconf kmod cpio dkms qemu-system-x86 busybox-static libcmocka-dev gnuplot-nox"

missing=
for package in $packages; do
	status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "setup-deps: packages are missing, please run:" >&2
	echo "  sudo apt-get install --no-install-recommends$missing" >&2
	exit 1
fi

echo "setup-deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Word splitting of the package list is wanted. Recommends would pull in kernel headers that nobody asked for.
# shellcheck disable=SC2086
if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
	cat "$log" >&2
	echo "setup-deps: apt-get could not install$missing" >&2
	exit 1
fi
