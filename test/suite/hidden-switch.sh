#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Find the hidden switch: who follows doc/health.md sees what is shown there.

evl=/usr/bin/evl
. /test/parts/tap.sh

says() { grep -q -e "$1" out; }
one_switch() {
	[ "$(wc -l <out)" -eq 1 ] &&
		says '^[0-9]*\.[0-9]\{9\} the loop was sent in-band by a system call of Linux$'
}

# --- What the program says itself ------------------------------------------------------------

run 0 /examples/hidden-switch
check "it is sent in-band once, by a system call" one_switch

# --- What evl ps shows --------------------------------------------------------------------------

switches() {
	timeout 60 $evl ps -s >out 2>err
	awk 'NR == 1 && $3 != "ISW" { exit 1 } $NF ~ /^hidden-switch:/ { print $3; found = 1 } END { exit !found }' out
}
goes_on_rising() {
	wait_for switches >/dev/null || return 1
	before=$(switches)
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		sleep 1
		after=$(switches) || return 1
		[ "$after" -le $((before + 1)) ] || return 0
	done
	return 1
}
/examples/hidden-switch 30000 >/dev/null 2>&1 &
program=$!
check "ISW goes on rising" goes_on_rising
kill $program
wait $program 2>/dev/null

# --- What a trace has ------------------------------------------------------------------------------

led_there() {
	awk '
		/evl_inband_sysentry: name=hidden-switch:[0-9]* pid=[0-9]* syscall=230$/ { entry = NR }
		/evl_switching_inband: name=hidden-switch:[0-9]* pid=[0-9]* cause=sysdemote/ && entry { switching = NR }
		/evl_thread_notify: name=hidden-switch:[0-9]* pid=[0-9]* code=sysdemote .* by=observable$/ && switching { found = 1 }
		END { exit !found }' out
}
if [ -d /sys/kernel/tracing/events/evl ]; then
	run 0 $evl trace -eevl
	check "a trace begins" says '^tracing enabled'
	run 0 /examples/hidden-switch
	check "the program says the same" one_switch
	run 0 $evl trace
	check "what led there is kept: which system call" led_there
	grep ' name=hidden-switch' out | grep -B 1 -A 4 inband_sysentry | sed 's/^/# /'
	run 0 $evl trace -d
	echo 1 >/sys/kernel/tracing/tracing_on
else
	skip "a trace" "this kernel has no tracer"
fi

report
