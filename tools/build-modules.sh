#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Builds evl.ko, and the modules that tests and examples use, for one kernel.
# usage: build-modules.sh KDIR OUT
# kbuild writes beside the sources, so OUT gets a tree of links to them: many kernels can be built for side by side.
set -eu

kdir=$1
mkdir -p "$2"
out=$(cd "$2" && pwd)
cd "$(dirname "$0")/.."
top=$PWD

if [ ! -e "$kdir/Makefile" ]; then
	echo "build-modules: no kernel build folder at $kdir (install the kernel headers, or give KDIR=...)" >&2
	exit 1
fi

# The kernel's Makefile takes folders apart at spaces.
case $out in *[[:space:]]*)
	echo "build-modules: kernel modules cannot be built in a folder whose path has a space: $out" >&2
	exit 1
	;;
esac

# A module is built with what its kernel was, unless the caller knows better.
tools=
if [ -z "${LLVM:-}${CC:-}" ] && grep -qs '^CONFIG_CC_IS_CLANG=y' "$kdir/.config"; then
	tools=CC=clang
	! grep -q '^CONFIG_LD_IS_LLD=y' "$kdir/.config" || tools=LLVM=1
	command -v clang >/dev/null || echo "build-modules: the kernel at $kdir was built by clang: please install that" >&2
fi

# Links every source below the folders given, and drops links to sources that are gone.
link_sources() {
	find "$out" -xtype l -delete
	for folder; do
		[ -d "$folder" ] || continue
		find "$folder" -type f \( -name '*.[chS]' -o -name Kbuild -o -name Makefile \) ! -name '*.mod.c'
	done | while read -r file; do
		mkdir -p "$out/${file%/*}"
		[ -L "$out/$file" ] || ln -s "$top/$file" "$out/$file"
	done
	mkdir -p "$out/tools"
	ln -sf "$top/tools/driver.mk" "$out/tools/driver.mk"
	ln -sf "$top/VERSION" "$out/VERSION"
}

build() {
	[ -e "$out/$1/Kbuild" ] || return 0
	# shellcheck disable=SC2086
	make --no-print-directory -j"$(nproc)" -C "$kdir" M="$out/$1" $tools modules
}

link_sources module uapi test/module examples
# First of all, since the others use its symbols.
build module
for kbuild in test/module/Kbuild examples/Kbuild examples/*/Kbuild; do
	build "${kbuild%/Kbuild}"
done
