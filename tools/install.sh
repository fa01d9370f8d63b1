#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Installs what programs and drivers need to build, the commands, manual pages, and the udev rule; see "make install".
# usage: install.sh [all|commands|udev]
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

# fill FROM TO MODE: a text which has to know revisions, and what kernels we are for
fill() {
	local text
	text=$(cat "$1")
	text=${text//@RELEASE@/"evl.$release"}
	text=${text//@ABI@/"$(version_of EVL_ABI_PREREQ)"}
	text=${text//@ABI_OLD@/"$(version_of EVL_ABI_PREREQ_OLD)"}
	text=${text//@KERNEL@/"$(bounds KERNEL)"}
	text=${text//@KERNELS@/"$(sed -n 's/^# \(Linux .* to .*\)\.$/\1/p' dkms.conf)"}
	text=${text//@ARCH@/"$(bounds ARCH)"}
	install -D -m "$3" /dev/null "$2"
	printf '%s\n' "$text" >"$2"
}

version_of() { sed -n "s/^#define $1[[:space:]]*\([0-9]*\)$/\1/p" include/evl/version.h; }
bounds() { sed -n "s/^BUILD_EXCLUSIVE_$1=\"\(.*\)\"$/\1/p" dkms.conf; }

# Without what the kernel has to be built with, dkms does not build evl.ko: a check list of that.
required_options() {
	local option
	echo '# What evl.ko needs of a kernel, as dkms.conf has it.'
	for option in $(bounds CONFIG); do
		echo "${option/CONFIG_/}"
	done
}

program() {
	# shellcheck disable=SC2086
	${CC:-cc} ${CFLAGS:--O2} -std=gnu11 -Wall -Wextra -Iuapi -o "$work/$1" "tools/command/$1.c"
	install -D -m 755 -t "$libexec" "$work/$1"
}

commands() {
	local libexec=$dest$prefix/libexec/evl share=$dest$prefix/share work file
	work=$(mktemp -d)
	program evl-ps
	program core-info
	fill tools/command/evl "$dest$prefix/bin/evl" 755
	install -D -m 755 -t "$dest$prefix/bin" tools/command/git-evlabi
	for file in tools/command/evl-*; do
		case $file in *.c) ;; *) fill "$file" "$libexec/${file##*/}" 755 ;; esac
	done
	install -D -m 644 -t "$libexec" tools/command/common.sh tools/command/trace.* tools/command/gdb.evl tools/command/kconf-checklist.evl
	required_options >"$work/kconf-required.evl"
	install -m 644 -t "$libexec" "$work/kconf-required.evl"
	install -D -m 644 tools/command/completion.bash "$share/bash-completion/completions/evl"
	install -D -m 644 -t "$share/man/man1" tools/man/*.1
	ln -sf evl-start.1 "$share/man/man1/evl-stop.1"
	rm -rf "$work"
}

# A page for each header, made from its comments, and a link to it for each call.
manuals() {
	local man=$dest$prefix/share/man work date
	local -a sources
	work=$(mktemp -d)
	date=$(sed -n 's/^\.Dd //p' tools/man/evl.7)
	# What helps with compilers is no part of EVL.
	mapfile -t sources < <(find include/evl include/evl/net -maxdepth 1 -name '*.h' ! -name compiler.h | LC_ALL=C sort)
	LC_ALL=C awk -v out="$work" -v date="$date" -f tools/manual.awk "${sources[@]}"
	install -D -m 644 -t "$man/man3" "$work"/*.3
	install -D -m 644 -t "$man/man7" tools/man/evl.7
	rm -rf "$work"
}

# The group comes with it, unless this only fills a package.
udev() {
	install -D -m 644 tools/evl.rules "$dest$rules/60-evl.rules"
	[ -n "$dest" ] || getent group evl >/dev/null || groupadd --system evl
}

case ${1:-all} in
udev | commands)
	"$1"
	exit
	;;
esac

headers include "$prefix/include"
headers uapi "$prefix/include"
headers module/include "$driver/module/include"
headers module/host "$driver/module/host"
headers uapi "$driver/uapi"
install -D -m 644 -t "$dest$driver/tools" tools/driver.mk
install -D -m 644 -t "$dest$driver" VERSION
pkgconfig
library
commands
manuals
if [ "$(id -u)" -ne 0 ] && ! { mkdir -p "$dest$rules" && [ -w "$dest$rules" ]; } 2>/dev/null; then
	echo "install: no right to write the udev rule to $rules: sudo make install-udev for the members of group evl"
else
	udev
fi
