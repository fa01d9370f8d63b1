# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# For tests of what is installed, which read this first: they count and tell of themselves. $work is for their files.

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
count=0

ok() { count=$((count + 1)) && echo "ok $count - $1"; }
# not_ok TEXT FILE...
not_ok() {
	count=$((count + 1))
	echo "not ok $count - $1"
	shift
	sed 's/^/# /' "$@"
}

# expect TEXT COMMAND...: the command succeeds. If not, it is told what it said ("heard"), and what the test put aside
# before ("log").
expect() {
	local text=$1 logs=("$work/heard")
	shift
	if "$@" >"$work/heard" 2>&1; then
		ok "$text"
	else
		[ ! -e "$work/log" ] || logs+=("$work/log")
		not_ok "$text" "${logs[@]}"
	fi
}
