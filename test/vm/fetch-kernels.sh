#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Unpacks Debian kernels and their headers below a folder, without installing them (no initramfs, no boot loader).
# usage: fetch-kernels.sh FOLDER [NAME...]      names: 6.12 6.12-rt 6.1
# Leaves FOLDER/NAME/{vmlinuz,kdir,release}; a kernel that is already there is kept, so a second run needs no network.
set -eu

folder=$1
shift
[ $# -gt 0 ] || set -- 6.12 6.12-rt 6.1

say() { echo "kernels: $*" >&2; }

# The meta packages that may lead to each kernel: what they are called depends on the Debian release.
metas() {
	case $1 in
	6.12) echo linux-image-6.12-cloud-amd64 linux-image-cloud-amd64 ;;
	6.12-rt) echo linux-image-6.12-rt-amd64 linux-image-rt-amd64 ;;
	6.1) echo linux-image-6.1-cloud-amd64 linux-image-cloud-amd64 ;;
	*) say "no such kernel: $1"; exit 2 ;;
	esac
}

# Prints the release of the newest kernel of the wanted series, such as 6.1.0-40-cloud-amd64.
resolve() {
	series=${1%-rt}
	for meta in $(metas "$1"); do
		apt-cache depends --important "$meta" 2>/dev/null |
			sed -n "s/^ *Depends: linux-image-\($series\..*\)/\1/p"
	done | head -n 1
}

# The headers of one kernel are spread over three packages, which the first of them names.
packages_of() {
	echo "linux-image-$1 linux-headers-$1"
	apt-cache depends --important "linux-headers-$1" |
		sed -n 's/^ *Depends: \(linux-headers-.*-common.*\|linux-kbuild-.*\)/\1/p'
}

download() {
	# Without this, apt complains when its own user may not write here.
	(cd "$1" && shift && apt-get -q -o APT::Sandbox::User=root download "$@" </dev/null)
}

update_lists() {
	[ "$(id -u)" -ne 0 ] || apt-get -q update >/dev/null </dev/null || true
}

# The packages expect to live in /: make the one absolute path in them relative, as the rest are.
relocate() {
	# shellcheck disable=SC2016
	sed -i 's|/usr/src/|$(dir $(lastword $(MAKEFILE_LIST)))../|' "$1/usr/src/linux-headers-$2/Makefile"
	ln -sfn "usr/src/linux-headers-$2" "$1/kdir"
	ln -sfn "boot/vmlinuz-$2" "$1/vmlinuz"
	# Type information for modules needs pahole and is of no use here: without this file it is left out.
	rm -f "$1/kdir/vmlinux"
}

# Debian builds each kernel with one version of gcc, and its headers insist on that one.
need_compiler() {
	compiler=$(sed -n 's/^CC .*\(gcc-[0-9]*\).*/\1/p' "$1/kdir/.kernelvariables" | head -n 1)
	if [ -z "$compiler" ] || command -v "$compiler" >/dev/null; then
		return 0
	elif [ "$(id -u)" -eq 0 ]; then
		apt-get install -y --no-install-recommends "$compiler" >/dev/null </dev/null
	else
		say "please run: sudo apt-get install $compiler"
		return 1
	fi
}

fetch() {
	name=$1
	root=$folder/$name
	[ ! -e "$root/release" ] || return 0

	release=$(resolve "$name")
	if [ -z "$release" ]; then
		update_lists
		release=$(resolve "$name")
	fi
	if [ -z "$release" ]; then
		say "apt knows of no kernel $name on this Debian release, going on without it"
		return 0
	fi

	say "fetching $name ($release)"
	rm -rf "$root"
	mkdir -p "$root/debs"
	root=$(cd "$root" && pwd)
	packages=$(packages_of "$release")
	# A mirror drops a version as soon as the next one is out: then the lists are old, and worth one more try.
	# shellcheck disable=SC2086
	download "$root/debs" $packages >"$root/log" 2>&1 ||
		{ update_lists; download "$root/debs" $packages >>"$root/log" 2>&1; } ||
		{ cat "$root/log" >&2; say "could not download $name"; return 1; }
	for deb in "$root"/debs/*.deb; do
		dpkg-deb -x "$deb" "$root"
	done
	rm -rf "$root/debs"
	relocate "$root" "$release"
	need_compiler "$root"
	echo "$release" >"$root/release"
}

# Two runs at a time must not unpack over each other.
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
for name; do
	fetch "$name"
done
