# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# For tests of the commands, which read this first: they are installed below $work/usr, and machines are made up below
# $EVL_ROOT. What is installed is built with sanitizers.

. test/package/parts/tap.sh
export EVL_ROOT=$work/root

# run STATUS TEXT COMMAND...: the command ends so, in a few seconds; what it said is in out and err
run() {
	local wanted=$1 text=$2 status=0 limit=(timeout 20)
	shift 2
	# It knows no functions.
	[ "$(type -t "$1")" = file ] || limit=()
	"${limit[@]}" "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
	if [ $status -eq "$wanted" ]; then
		ok "$text"
	else
		echo "status $status, not $wanted" >"$work/status"
		not_ok "$text" "$work/status" "$work/out" "$work/err"
	fi
}

# prints TEXT LINE...: exactly these lines
prints() {
	local text=$1
	shift
	printf '%s\n' "$@" >"$work/wanted"
	expect "$text" diff "$work/wanted" "$work/out"
}

# one_line PATTERN: this is all it complained of, and nothing went to standard output
complains() {
	cat "$work/out" "$work/err"
	[ "$(wc -l <"$work/err")" -eq 1 ] && grep -q -e "$1" "$work/err" && [ ! -s "$work/out" ]
}
one_line() {
	expect "with one line: $1" complains "$1"
}

# put TEXT FILE: in the made up machine
put() {
	mkdir -p "$(dirname "$EVL_ROOT/$2")"
	printf '%s\n' "$1" >"$EVL_ROOT/$2"
}

install_commands() {
	CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all' DESTDIR=$work PREFIX=/usr \
		tools/install.sh commands >"$work/log" 2>&1
}
expect "the commands install" install_commands
PATH=$PATH:$work/usr/bin
# shellcheck disable=SC2034
libexec=$work/usr/libexec/evl
