#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What "make install" installs is enough to build programs in the ways that programs look for libevl.
set -u

cd "$(dirname "$0")/../.." || exit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
count=0
expect() {
	local text=$1
	shift
	count=$((count + 1))
	if "$@" >"$work/out" 2>&1; then
		echo "ok $count - $text"
	else
		echo "not ok $count - $text"
		sed 's/^/# /' "$work/out"
	fi
}

usr=$work/usr
flags() { PKG_CONFIG_LIBDIR=$usr/lib/pkgconfig pkg-config --define-variable=prefix="$usr" "$@" evl; }
cat >"$work/program.c" <<'PROGRAM'
#include <evl/evl.h>
int main(void) { return 0; }
PROGRAM

expect "make install" make --no-print-directory install DESTDIR="$work" PREFIX=/usr
expect "pkg-config tells the version" test "$(flags --modversion)" = "$(cat VERSION)"
# shellcheck disable=SC2046
expect "a C11 program builds with pkg-config" \
	gcc -std=gnu11 -Wall -Wextra -Werror $(flags --cflags) -o "$work/a" "$work/program.c" $(flags --libs)
# shellcheck disable=SC2046
expect "a C++17 program builds with pkg-config" \
	g++ -std=gnu++17 -x c++ -Wall -Wextra -Werror $(flags --cflags) -o "$work/b" "$work/program.c" $(flags --libs)
expect "a bare -levl links" gcc -I"$usr/include" -L"$usr/lib" -o "$work/c" "$work/program.c" -levl
expect "old spellings of the ABI headers are found" \
	gcc -I"$usr/include" -include uapi/evl/thread.h -include uapi/evl/thread-abi.h -o "$work/d" "$work/program.c"
expect "the udev rule serves the group evl" grep -q 'GROUP="evl".*MODE="0660"' "$usr/lib/udev/rules.d/60-evl.rules"
expect "drivers find their headers" test -e "$usr/src/evl-$(cat VERSION)/tools/driver.mk"
echo "1..$count"
