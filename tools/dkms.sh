#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Registers the module with dkms and builds it, or undoes that.
# usage: dkms.sh install|remove [RELEASE...]     without a release: every kernel whose headers are installed
set -eu

action=$1
shift
cd "$(dirname "$0")/.."
version=$(cat VERSION)
source=/usr/src/evl-$version

# Everybody builds drivers with what is installed, whatever root's files are like.
umask 022

say() { echo "dkms: $*"; }

if [ "$(id -u)" -ne 0 ]; then
	say "please run as root: sudo make dkms-$action" >&2
	exit 1
fi
if ! command -v dkms >/dev/null; then
	say "please install dkms first: apt-get install --no-install-recommends dkms" >&2
	exit 1
fi

# Any version: two of them would build for each new kernel, and be installed over one another.
unregister() {
	local old folder
	dkms status evl | sed -n 's|^evl[/,] *\([^,: ]*\).*|\1|p' | sort -u | while read -r old; do
		dkms remove "evl/$old" --all >/dev/null </dev/null
	done
	for folder in /usr/src/evl-*; do
		grep -qs '^PACKAGE_NAME="evl"' "$folder/dkms.conf" || continue
		rm -rf "$folder"
	done
}

register() {
	unregister
	mkdir -p "$source/tools"
	find module uapi -type f \( -name '*.[chS]' -o -name Kbuild \) ! -name '*.mod.c' -exec cp --parents -t "$source" {} +
	cp -r Kbuild dkms.conf VERSION LICENSE LICENSES "$source"
	cp tools/driver.mk tools/dkms-suits.sh tools/dkms-symbols.sh "$source/tools"
	chmod -R u=rwX,go=rX "$source"
	dkms add "evl/$version" >/dev/null
}

build_for() {
	local release=$1 reason log
	if ! reason=$(tools/dkms-suits.sh "$release"); then
		say "skipping kernel $release: $reason"
		return 0
	fi
	say "building evl $version for kernel $release"
	log=$(mktemp)
	if dkms install "evl/$version" -k "$release" >"$log" 2>&1 </dev/null; then
		say "installed for kernel $release"
	else
		tail -n 20 "$log"
		tail -n 20 "/var/lib/dkms/evl/$version/build/make.log" 2>/dev/null || true
		say "could not build for kernel $release"
		failed=1
	fi
	rm -f "$log"
}

failed=0
case $action in
install)
	register
	if [ $# -eq 0 ]; then
		for build in /lib/modules/*/build; do
			release=${build%/build}
			[ ! -e "$build" ] || set -- "$@" "${release##*/}"
		done
	fi
	[ $# -gt 0 ] || say "no kernel headers are installed: the module will be built when some are"
	for release; do
		build_for "$release"
	done
	;;
remove)
	unregister
	say "evl $version removed"
	;;
*)
	sed -n 4p "$0" >&2
	exit 2
	;;
esac
exit $failed
