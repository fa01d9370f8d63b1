#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Installs what programs and drivers need to build, and the udev rule; see "make install".
# usage: install.sh [all|udev]
# Environment: PREFIX DESTDIR UDEVRULESDIR DRIVERDIR CC CFLAGS, as make variables; SHARED=y for libevl.so as well
set -eu

start=$PWD
cd "$(dirname "$0")/.."
version=$(cat VERSION)
# Revision of the interface of upstream's library that ours is compatible with.
release=$(sed -n 's/.*EVL_VERSION_STRING.*"evl\.\(.*\)"/\1/p' include/evl/version.h)

# Everybody reads what is installed, whatever root's files are like.
umask 022

prefix=${PREFIX:-/usr/local}
rules=${UDEVRULESDIR:-/usr/lib/udev/rules.d}
driver=${DRIVERDIR:-$prefix/src/evl-$version}
for folder in "$prefix" "$rules" "$driver"; do
	[ "${folder#/}" != "$folder" ] || { echo "install: $folder is no absolute path" >&2; exit 1; }
done
dest=${DESTDIR:-}
case $dest in '' | /*) ;; *) dest=$start/$dest ;; esac

# Puts the headers below a folder ($1), keeping their paths, into another one ($2).
headers() {
	local file
	(cd "$1" && find . -name '*.h') | while read -r file; do
		install -D -m 644 "$1/$file" "$dest$2/$file"
	done
}

library() {
	local work
	work=$(mktemp -d)
	# shellcheck disable=SC2086
	${CC:-cc} ${CFLAGS:--O2} -fPIC -fvisibility=hidden -fno-semantic-interposition -Iinclude -Iuapi \
		-c tools/libevl.c -o "$work/libevl.o"
	(cd "$work" && ar rc libevl.a libevl.o)
	install -D -m 644 -t "$dest$prefix/lib" "$work/libevl.a"
	if [ "${SHARED:-}" = y ]; then
		# shellcheck disable=SC2086
		${CC:-cc} ${CFLAGS:--O2} -shared -Wl,-soname,libevl.so -o "$work/libevl.so" "$work/libevl.o" -pthread
		install -m 755 -t "$dest$prefix/lib" "$work/libevl.so"
	fi
	rm -rf "$work"
}

pkgconfig() {
	local text
	text=$(cat tools/evl.pc.in)
	text=${text//@PREFIX@/"$prefix"}
	text=${text//@VERSION@/"$version"}
	text=${text//@RELEASE@/"$release"}
	install -d "$dest$prefix/lib/pkgconfig"
	install -m 644 /dev/null "$dest$prefix/lib/pkgconfig/evl.pc"
	printf '%s\n' "$text" >"$dest$prefix/lib/pkgconfig/evl.pc"
}

# The group comes with it, unless this only fills a package.
udev() {
	install -D -m 644 tools/evl.rules "$dest$rules/60-evl.rules"
	[ -n "$dest" ] || getent group evl >/dev/null || groupadd --system evl
}

if [ "${1:-all}" = udev ]; then
	udev
	exit
fi

headers include "$prefix/include"
headers uapi "$prefix/include"
headers module/include "$driver/module/include"
headers module/host "$driver/module/host"
headers uapi "$driver/uapi"
install -D -m 644 -t "$dest$driver/tools" tools/driver.mk
install -D -m 644 -t "$dest$driver" VERSION
pkgconfig
library
if [ "$(id -u)" -ne 0 ] && ! { mkdir -p "$dest$rules" && [ -w "$dest$rules" ]; } 2>/dev/null; then
	echo "install: no right to write the udev rule to $rules: sudo make install-udev for the members of group evl"
else
	udev
fi
