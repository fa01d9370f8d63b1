#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A real debugger: guests have one if this suite is asked for by name, on a machine where there is gdb.

command -v gdb >/dev/null || {
	echo "no gdb in the guest: ask for it by SUITE=gdb, where gdb is installed"
	exit 77
}

number=0
failed=0

ok() { number=$((number + 1)); echo "ok $number - $1"; }
not_ok() {
	number=$((number + 1))
	failed=$((failed + 1))
	echo "not ok $number - $1"
	sed 's/^/# /' out
}

# says DESCRIPTION PATTERN: passes if gdb said so
says() { if grep -q -e "$2" out; then ok "$1"; else not_ok "$1"; fi; }

timeout 100 evl gdb /test/debuggee -- -batch -ex 'break control_step' -ex run -ex evl-threads -ex 'stepi 4' \
	-ex continue -ex continue -ex 'info threads' -ex delete -ex continue >out 2>&1 </dev/null
says "stops at a breakpoint which is hit out-of-band" 'hit Breakpoint 1, .*control_step'
says "shows that thread as stopped" ' [A-Z]*X[A-Za-z#]*T.* control:'
says "knows threads by the names of their elements" '"load:[0-9]*'
says "has both go on out-of-band" '^in-band: control 0, load 0$'
says "the program ends by itself" 'exited normally'
if [ "$(grep -c 'hit Breakpoint 1' out)" -eq 3 ]; then ok "stops each time"; else not_ok "stops each time"; fi

# shellcheck disable=SC2016
evl gdb /test/debuggee -- -batch -ex 'break control_step' -ex run -ex 'shell kill -9 $PPID' >out 2>&1 </dev/null
tries=0
while pidof debuggee >/dev/null && [ $tries -lt 300 ]; do tries=$((tries + 1)) && sleep 0.1; done
if pidof debuggee >/dev/null; then not_ok "nothing is left if gdb is killed"; else ok "nothing is left if gdb is killed"; fi

echo "1..$number"
exit $((failed > 0))
