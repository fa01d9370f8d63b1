#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Lists the kernels to test on, a line each: name, build folder, image. Fetches Debian's first where they are missing.
# usage: kernels.sh FOLDER [all|kdir|NAME]...
# Environment: KDIR, a list of kernel build folders. Kernels installed here are listed too if they have Dovetail.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=$1
shift
[ $# -gt 0 ] || set -- all

wanted() {
	name=$1
	kind=$2
	shift 2
	for want; do
		case $want in all | "$name" | "$kind") return 0 ;; esac
	done
	return 1
}

release_of() { sed -n 's/^#define UTS_RELEASE "\(.*\)"/\1/p' "$1/include/generated/utsrelease.h"; }

image_of() {
	for image in "$1/arch/x86/boot/bzImage" "/boot/vmlinuz-$(release_of "$1")"; do
		[ ! -r "$image" ] || { echo "$image"; return 0; }
	done
	echo "kernels: no kernel image for $1: expected arch/x86/boot/bzImage there" >&2
	return 1
}

# Two builds of one release are told apart by a number.
unique() {
	case " $names " in
	*" $1 "*)
		count=2
		while case " $names " in *" $1-$count "*) true ;; *) false ;; esac; do count=$((count + 1)); done
		name=$1-$count
		;;
	*) name=$1 ;;
	esac
	names="$names $name"
}

names=
for name in 6.12 6.12-rt 6.1; do
	names="$names $name"
	wanted "$name" debian "$@" || continue
	"$here/fetch-kernels.sh" "$folder" "$name"
	[ ! -e "$folder/$name/release" ] || echo "$name $folder/$name/kdir $folder/$name/vmlinuz"
done

for kdir in ${KDIR:-}; do
	if [ ! -r "$kdir/include/generated/utsrelease.h" ]; then
		echo "kernels: $kdir is not the build folder of a kernel (it has no include/generated/utsrelease.h)" >&2
		exit 1
	fi
	unique "$(release_of "$kdir")"
	image=$(image_of "$kdir")
	! wanted "$name" kdir "$@" || echo "$name $(realpath "$kdir") $image"
done

for kdir in /lib/modules/*/build; do
	grep -qs '^CONFIG_DOVETAIL=y' "$kdir/.config" || continue
	image=$(image_of "$kdir") || continue
	unique "$(release_of "$kdir")"
	! wanted "$name" installed "$@" || echo "$name $kdir $image"
done
