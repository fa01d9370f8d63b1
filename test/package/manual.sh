#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The manual pages of the library: all calls are there, as the compiler sees them, with their stage and their result.
set -u

cd "$(dirname "$0")/../.." || exit
. test/package/parts/tap.sh

man=$work/usr/share/man
expect "make install" make --no-print-directory install DESTDIR="$work" PREFIX=/usr

# --- All calls -------------------------------------------------------------------------------

# The library has a function for each, but for those which are macros, as the arguments of a name have to be checked.
{
	readelf --symbols --wide "$work/usr/lib/libevl.a" | awk '$5 != "LOCAL" && $6 == "DEFAULT" && $7 != "UND" && $8 != "" { print $8 }'
	sed -n 's/^#define \(evl_[a-z_]*\)(.*/\1/p' include/evl/*.h
} | sort -u >"$work/calls"
expect "there are many calls" test "$(wc -l <"$work/calls")" -ge 105

# Name, and what roff knows the page as.
described() {
	local call page
	while read -r call; do
		page=$(sed -n 's,^\.so man3/,,p' "$man/man3/$call.3")
		[ -n "$page" ] && [ ! -L "$man/man3/$page" ] || { echo "$call: no link to a page"; continue; }
		grep -qE "^\.Nm $call( ,)?$" "$man/man3/$page" || echo "$call: not in the name of $page"
		grep -lE "^\.Fo $call$" "$man"/man3/evl-*.3 | diff - <(echo "$man/man3/$page") || echo "$call: in no page, or in several"
	done <"$work/calls" | grep . && return 1
	return 0
}
expect "each leads to the one page which has it" described

# What is in an entry, for all calls in its title.
contract() {
	awk -v RS='\n.It Fn ' -v FS='\n' 'FNR > 1 && /\n\.It Stage\n[A-Za-z]/ {
		count = split($1, names, / , Fn /)
		for (n = 1; n <= count; n++)
			print names[n]
	}' "$man"/man3/evl-*.3 | sort -u
}
expect "and tells the stage" diff <(contract | grep -Fxf "$work/calls") "$work/calls"

# Declared once more, calls have to be what they are.
prototypes() {
	sed -n 's/^#include.*//; s/^\.In \(.*\)/#include <\1>/p' "$man"/man3/evl-*.3 | sort -u
	awk '
		/^\.Ft / { type = $0; sub(/^\.Ft "?/, "", type); sub(/"$/, "", type) }
		/^\.Fo / { name = $2; args = "" }
		/^\.Fa / { arg = $0; sub(/^\.Fa "/, "", arg); sub(/"$/, "", arg); args = args (args == "" ? "" : ", ") arg }
		/^\.Fc/ && type != "" { print type " (" name ")(" args ");"; type = "" }' "$man"/man3/evl-*.3
}
prototypes >"$work/prototypes.c"
expect "there are many prototypes" test "$(grep -c '^[a-z].*);$' "$work/prototypes.c")" -ge 115
expect "they are those of the headers" gcc -std=gnu11 -Werror=all -Wno-unused-function -fsyntax-only -I"$work/usr/include" "$work/prototypes.c"
sed 's/\((evl_usleep)(\)[^)]*/\1long long a/' "$work/prototypes.c" >"$work/wrong.c"
wrong_is_refused() { ! gcc -std=gnu11 -fsyntax-only -I"$work/usr/include" "$work/wrong.c"; }
expect "a wrong one would be refused" wrong_is_refused

# --- Pages -------------------------------------------------------------------------------------

links() {
	local file
	grep -ho '^\.so man3/.*' "$man"/man3/*.3 | sort -u | while read -r _ file; do
		[ -s "$man/$file" ] || echo "$file"
	done | grep . && return 1
	return 0
}
expect "links lead to pages" links
expect "evl(7) has all pages" diff <(sed -n 's/^\.It Xr \(evl-[a-z]*\) 3.*/\1/p' "$man/man7/evl.7" | sort) \
	<(cd "$man/man3" && printf '%s\n' evl-*.3 | sed 's/\.3$//')
references() {
	local name section
	sed -n 's/^\.\(It \)\{0,1\}Xr \(evl[a-z_-]*\) \([0-9]\).*/\2 \3/p' "$man"/man7/* "$man"/man3/evl-*.3 | sort -u |
		while read -r name section; do
			[ -s "$man/man$section/$name.$section" ] || echo "$name($section)"
		done | grep . && return 1
	return 0
}
expect "and what pages refer to is there" references
sed -n '/^#include <error.h>$/,/^\.Ed$/p' "$man/man7/evl.7" | sed '/^\.Ed$/d; s/\\e/\\/g' >"$work/example.c"
expect "the example builds" gcc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -I"$work/usr/include" -o "$work/example" "$work/example.c" -pthread
if command -v mandoc >/dev/null; then
	expect "they are well formed" eval "! mandoc -T lint -W warning '$man'/man3/evl-*.3 '$man/man7/evl.7' | grep ."
fi
if command -v groff >/dev/null; then
	expect "groff has nothing to say" eval "! groff -mandoc -Tutf8 -ww -z '$man'/man3/evl-*.3 '$man/man7/evl.7' 2>&1 | grep ."
fi

# --- What documents say of revisions ----------------------------------------------------------------

revision() { sed -n "s/^#define $1[[:space:]]*\([0-9]*\)$/\1/p" "$work"/usr/include/evl/*.h; }
range="revisions $(revision EVL_ABI_BASE) to $(revision EVL_ABI_LEVEL)"
expect "the README has the revisions of the ABI" grep -q "\[$range\](doc/abi.md)" README.md
expect "and so has the page about it" grep -q "^\*\*evl.ko serves $range\.\*\* Our library asks for $(revision EVL_ABI_PREREQ)," doc/abi.md

# --- What makes them ------------------------------------------------------------------------------

made_by() {
	mkdir -p "$work/$1"
	# shellcheck disable=SC2046
	LC_ALL=C "${@:2}" -v out="$work/$1" -v date="$(sed -n 's/^\.Dd //p' "$man/man7/evl.7")" -f tools/manual.awk \
		$(find include/evl include/evl/net -maxdepth 1 -name '*.h' ! -name compiler.h | LC_ALL=C sort) &&
		diff -r "$work/$1" "$man/man3"
}
if command -v busybox >/dev/null; then
	expect "another awk makes the same pages" made_by busybox busybox awk
fi

complains() {
	! awk -v out="$work/refused" -v date=today -f tools/manual.awk "$work/evl/some.h" 2>"$work/said" &&
		grep -q "$1" "$work/said"
}
# refused TEXT PATTERN LINE...: a header which does not tell enough
refused() {
	local text=$1 pattern=$2
	shift 2
	mkdir -p "$work/evl" "$work/refused"
	printf '%s\n' "$@" >"$work/evl/some.h"
	expect "$text" complains "$pattern"
}
refused "a call without a comment is refused" "evl_some has no comment" '/* Some. */' '__evl_api int evl_some(void)'
refused "one which tells no stage" "evl_some() does not tell" '/* Some. */' '/* Does it. Returns 0. */' '__evl_api int evl_some(void)'
refused "one which tells no result" "evl_some() does not tell" '/* Some. */' '/* Does it. Any stage. */' '__evl_api int evl_some(void)'
refused "one with the comment of something private" "evl_some has no comment" '/* Some. */' '/* Any stage. */' \
	'__evl_inline int __evl_hl_none(void)' '__evl_api void evl_some(void)'
echo "1..$count"
