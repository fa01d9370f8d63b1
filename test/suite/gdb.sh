#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A real debugger: guests have one if this suite is asked for by name, on a machine where there is gdb.

export PATH=/usr/bin:$PATH
command -v gdb >/dev/null || {
	echo "no gdb in the guest: ask for it by SUITE=gdb, where gdb is installed"
	exit 77
}

. /test/parts/tap.sh

says() { check "$1" grep -q -e "$2" out; }

timeout 100 evl gdb /test/debuggee -- -batch -ex 'break control_step' -ex run -ex evl-threads -ex 'stepi 4' \
	-ex continue -ex continue -ex 'info threads' -ex delete -ex continue >out 2>&1 </dev/null
says "stops at a breakpoint which is hit out-of-band" 'hit Breakpoint 1, .*control_step'
says "shows that thread as stopped" ' [A-Z]*X[A-Za-z#]*T.* control:'
says "knows threads by the names of their elements" '"load:[0-9]*'
says "has both go on out-of-band" '^in-band: control 0, load 0$'
says "the program ends by itself" 'exited normally'
expect "stops each time" 3 "$(grep -c 'hit Breakpoint 1' out)"

# shellcheck disable=SC2016
evl gdb /test/debuggee -- -batch -ex 'break control_step' -ex run -ex 'shell kill -9 $PPID' >out 2>&1 </dev/null
ended() { ! pidof debuggee >/dev/null; }
check "nothing is left if gdb is killed" wait_for ended

report
