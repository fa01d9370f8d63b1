# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# For suites which are scripts, which read this first: tests are counted and told of. A suite ends with "report".

number=0
failed=0

ok() { number=$((number + 1)); echo "ok $number - $1"; }
skip() { number=$((number + 1)); echo "ok $number - $1 # SKIP $2"; }

# not_ok DESCRIPTION [LINE...]: then what the last program said, if it was run by the suite
not_ok() {
	number=$((number + 1))
	failed=$((failed + 1))
	echo "not ok $number - $1"
	shift
	for line; do echo "# $line"; done
	for heard in out err; do
		[ ! -e $heard ] || sed "s/^/# $heard: /" $heard
	done
}

# check DESCRIPTION COMMAND...: passes if the command does
check() {
	description=$1
	shift
	if "$@"; then ok "$description"; else not_ok "$description" "failed: $*"; fi
}

# expect DESCRIPTION WANTED FOUND
expect() {
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "wanted: $2" "found:  $3"; fi
}

# run STATUS COMMAND...: what it says is in the files out and err
run() {
	wanted=$1
	shift
	timeout 100 "$@" >out 2>err </dev/null
	status=$?
	expect "$* ends with status $wanted" "$wanted" $status
}

report() {
	echo "1..$number"
	[ $failed -eq 0 ]
}

refused() { ! "$@" 2>/dev/null; }
loaded() { grep -q "^${1:-evl} " /proc/modules; }

# wait_for COMMAND...: until it succeeds, a minute at most
wait_for() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || return 1
		sleep 0.1
	done
}
