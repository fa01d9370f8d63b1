#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Compiles each header alone, twice in a unit, in C11, GNU C11 and C++17,
# without a warning. Usage: headers.sh [<source tree>]
top=${1:-$(dirname "$0")/../..}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

passed=0
failed=0

check() {
	lang=$1
	name=$2
	shift 2
	printf '#include <%s>\n#include <%s>\nint unit(void);\nint unit(void) { return 0; }\n' \
		"$name" "$name" > "$tmp/unit.$lang"
	if "$@" -O1 -Wall -Wextra -Wpedantic -Werror -I"$top/include" -I"$top/uapi" \
		-c "$tmp/unit.$lang" -o "$tmp/unit.o"; then
		passed=$((passed + 1))
	else
		echo "headers: $name: failed with $*" >&2
		failed=$((failed + 1))
	fi
}

for header in $( (cd "$top/include" && find . -name '*.h'
		  cd ../uapi && find . -name '*.h') | sed 's,^\./,,' | sort -u); do
	check c "$header" "${CC:-gcc}" -std=c11
	check c "$header" "${CC:-gcc}" -std=gnu11
	check cc "$header" "${CXX:-g++}" -std=c++17
done

# And all of them in a program. (An initialiser which may be assigned as well
# is an extension where it initialises a static variable, in GNU C.)
use() {
	if "$@" -O1 -Wall -Wextra -Werror -I"$top/include" -I"$top/uapi" \
		"$(dirname "$0")/usage.c" -o "$tmp/usage" -pthread; then
		passed=$((passed + 1))
	else
		echo "headers: usage.c: failed with $*" >&2
		failed=$((failed + 1))
	fi
}

use "${CC:-gcc}" -std=c11 -Wpedantic
use "${CC:-gcc}" -std=gnu11
use "${CXX:-g++}" -std=c++17 -Wpedantic -x c++
use "${CXX:-g++}" -std=c++20 -Wpedantic -x c++

# Builds, or must not build, one of the units here.
compiles() {
	if "$@" -I"$top/include" -I"$top/uapi" -c -o "$tmp/unit.o"; then
		passed=$((passed + 1))
	else
		echo "headers: failed: $*" >&2
		failed=$((failed + 1))
	fi
}

refused() {
	if "$@" -I"$top/include" -I"$top/uapi" -c -o "$tmp/unit.o" 2>/dev/null; then
		echo "headers: compiled, and should not have: $*" >&2
		failed=$((failed + 1))
	else
		passed=$((passed + 1))
	fi
}

here=$(dirname "$0")
compilers=$(printf '%s\n' "${CC:-gcc}" "${CXX:-g++} -x c++"
	    command -v clang >/dev/null && printf '%s\n' clang "clang++ -x c++")

# Names are checked as formats if literal, and else pass.
formats="-Wall -Wextra -Wformat-security -Werror"
echo "$compilers" | while read -r cc; do
	for level in -O0 -O2; do
		compiles $cc $level $formats "$here/names.c"
		refused $cc $level $formats '-DWRONG="%s"' "$here/names.c"
		refused $cc $level $formats '-DWRONG="%d %d"' "$here/names.c"
		refused $cc $level $formats '-DWRONG="name"' "$here/names.c"
	done
	echo "$passed $failed" >"$tmp/counts"
done
read -r passed failed <"$tmp/counts"

echo "headers: $passed passed, $failed failed"
test "$failed" -eq 0
