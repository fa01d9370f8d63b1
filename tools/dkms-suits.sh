#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Tells whether evl.ko can be built for an installed kernel by the bounds in dkms.conf. If not, prints why and fails.
# usage: dkms-suits.sh RELEASE
set -eu

release=$1
config=/lib/modules/$release/build/.config
bounds() { sed -n "s/^BUILD_EXCLUSIVE_$1=\"\(.*\)\"$/\1/p" "$(dirname "$0")/../dkms.conf"; }
# As the comment above them has it.
supported() { sed -n 's/^# \(Linux .* to .*\)\.$/\1/p' "$(dirname "$0")/../dkms.conf"; }

refuse() {
	echo "$*"
	exit 1
}

[[ $(uname -m) =~ $(bounds ARCH) ]] || refuse "evl supports machines of $(bounds ARCH), not $(uname -m)"
[ -e "$config" ] || refuse "its headers are not installed (no $config)"
[[ $release =~ $(bounds KERNEL) ]] || refuse "evl supports $(supported)"
for option in $(bounds CONFIG); do
	case $option in
	!*) ! grep -q "^${option#!}=[ym]" "$config" || refuse "it was built with ${option#!}" ;;
	*) grep -q "^$option=[ym]" "$config" || refuse "it was built without $option" ;;
	esac
done
