#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The evl command beside the real core: threads which are there, come and go, and a core which starts and stops.

evl=/usr/bin/evl
state=/sys/devices/virtual/evl/control/state
. /test/parts/tap.sh

says() { grep -q -e "$1" out; }
complains() { [ "$(wc -l <err)" -eq 1 ] && grep -q -e "$1" err && [ ! -s out ]; }
silent() { [ ! -s err ]; }

# gather [GUESTS]: a crowd of threads, until it is sent home
gather() {
	rm -f gate crowd
	mkfifo gate
	/test/crowd "$@" <gate >crowd 2>&1 &
	crowd=$!
	exec 4>gate
	wait_for grep -q ready crowd
}

send_home() {
	exec 4>&-
	wait "$crowd"
}

none_left() { [ "$(ls /sys/devices/virtual/thread)" = clone ]; }

# --- Nobody there ---------------------------------------------------------------------------

run 0 $evl -V
check "it tells the revision, and the ABI" says '^evl\.[0-9.]* \[requires ABI [0-9]*\]$'
run 0 $evl help
for command in check gdb help ps start stop test timeline trace; do
	check "there is evl $command" says "^$command  *[a-z]"
done
run 0 $evl ps
expect "no thread, but a header" "CPU   PID   SCHED   PRIO  NAME" "$(cat out)"

# --- Threads which stay -------------------------------------------------------------------------

check "a crowd gathers" gather
run 0 $evl ps
expect "four threads" 5 "$(wc -l <out)"
check "the weak one, which came first" eval 'sed -n 2p out | grep -q "^  [01]   $crowd  *weak     0   weak:$crowd$"'
check "one on the last CPU" says "^  1   [0-9]*  *fifo    17   crowd waiter:$crowd$"
check "one of round-robin" says "^  [01]   [0-9]*  *rr     5   sleeper:$crowd$"
check "one of the highest priority" says "^  [01]   [0-9]*  *fifo    99   loser:$crowd$"
for tid in "/proc/$crowd/task"/*; do
	check "thread ${tid##*/} is there" says "^  [01]   ${tid##*/} "
done
run 0 $evl ps -l
check "a header" says '^CPU   PID   SCHED   PRIO  ISW     CTXSW     SYS       RWA       STAT     TIMEOUT      %CPU      CPUTIME       WCHAN                 NAME$'
digits='[0-9][0-9]*'
check "waiting without a timeout" \
	says "fifo    17   $digits  *$digits  *$digits  *$digits  *W  *-  *$digits\.[0-9]  *$digits:[0-9]*\.[0-9]* *door:$crowd *crowd waiter:"
check "waiting with one" says " w  *3[0-9][0-9][0-9]:[0-9]*\.[0-9]* .* door:$crowd *loser:"
check "sleeping" says " Dr  *3[0-9][0-9][0-9]:[0-9]*\.[0-9]* .* - *sleeper:"
check "in-band" says " X  * - .* - *weak:"
run 0 $evl ps -sn
check "states as numbers" says " 4002    crowd waiter:"
run 0 $evl ps -c 1
check "those of a CPU only" eval '[ "$(tail -n +2 out | grep -vc "^  1 ")" -eq 0 ] && says "crowd waiter"'
run 0 $evl ps -S r
expect "the other way round" "weak:$crowd" "$(tail -n 1 out | sed 's/.* //')"
su nobody -c "$evl ps -w" >out 2>err </dev/null
expect "others may look" 0 $?
check "but not at what threads wait for" says " ? *crowd waiter:"

# What it looks like to those who listen to its beginning only.
expect "evl ps | head -n 1" "CPU   PID   SCHED   PRIO  NAME" "$(timeout 60 $evl ps 2>err | head -n 1)"
check "ends without a word" silent
timeout 60 $evl ps >&- 2>err
expect "a closed output is an error" 1 $?
: >out
check "with a line" complains "^evl ps: standard output is closed$"

# --- Starting and stopping ------------------------------------------------------------------------

run 0 $evl stop
check "without a word" silent
expect "the core is stopped" stopped "$(cat $state)"
wait "$crowd"
check "threads were killed" test $? -gt 128
exec 4>&-
run 0 $evl ps
expect "none is left" 1 "$(wc -l <out)"
run 0 $evl stop
run 1 $evl check
check "evl check says that it is stopped" says "^off   module: evl.ko is loaded, but stopped$"
check "and what to do" says "^      -> sudo evl start$"
expect "programs cannot attach" "attach -6" "$(/test/holder attach </dev/null 2>/dev/null)"
run 0 $evl start
expect "the core runs" running "$(cat $state)"
run 0 $evl start
check "programs can attach" /test/holder cycle
su nobody -c "$evl stop" >out 2>err </dev/null
expect "an ordinary user does not stop it" 2 $?
check "and hears why" complains "^evl stop: no right to write to .*only root may stop the core$"
expect "it runs on" running "$(cat $state)"

# --- Threads which come and go -----------------------------------------------------------------------

check "a hundred guests" gather 100
most=0
for _ in 1 2 3 4 5 6 7 8 9 10; do
	timeout 60 $evl ps -l >out 2>err || { not_ok "evl ps while threads come and go" "status $?"; break; }
	silent || { not_ok "evl ps says nothing of those who left"; break; }
	for stays in weak loser sleeper "crowd waiter"; do
		says " $stays:$crowd$" || { not_ok "$stays is always there"; break 2; }
	done
	# Whole lines, no thread twice.
	rows=$(tail -n +2 out | grep -c "^  [01]   $digits  *[a-z]*  *$digits  .* $digits\.[0-9]  .*:$crowd$")
	[ "$rows" -eq $(($(wc -l <out) - 1)) ] || { not_ok "lines are whole" "$rows are"; break; }
	[ "$(sed 's/.* //' out | sort | uniq -d | wc -l)" -eq 0 ] || { not_ok "no thread is there twice"; break; }
	[ "$rows" -le "$most" ] || most=$rows
done
[ "$most" -eq 0 ] || ok "ten looks while threads come and go"
check "saw some of them" test "$most" -gt 4
send_home
check "they are gone" wait_for none_left

# Of the kernel: there while the program runs, which is too short a time for a script to start.
driver_thread() { EVL_SYSDIR=/sys/devices/virtual /usr/libexec/evl/evl-ps | grep "^  [01]   [0-9]*  *fifo    70   \[xbuf-driver:$digits\]$"; }
look_for_driver() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		/examples/xbuf-peer >/dev/null 2>&1 &
		while kill -0 $! 2>/dev/null; do
			driver_thread >out 2>err && wait $! && return 0
		done
	done
	return 1
}
check "a driver with a thread" insmod /mod/xbuf-driver.ko
check "is shown in brackets" look_for_driver
check "unloads" rmmod xbuf-driver

# --- What the machine is like ----------------------------------------------------------------------------

mkdir -p "/lib/modules/$(uname -r)"
timeout 60 $evl check >out 2>err </dev/null
expect "evl check finds nothing that is off" 0 $?
check "and says no more" silent
check "the kernel" says "^ok    kernel: Linux $(uname -r) "
check "the core" says "^ok    module: evl.ko is loaded and running$"
check "the ABI, as the device tells" says "^ok    abi: the core serves ABI 32 to $(cat /sys/devices/virtual/evl/control/abi), this library needs [0-9]*$"
check "what runs below" says "^[a-z]* *host: "
check "isolation" says "^risk  isolation: no CPU of the core (0-1) "
run 0 $evl check -q
check "quietly" test ! -s out
run 0 $evl check --json
check "for programs" says '"subject": "module", "found": "evl.ko is loaded and running", "advice": null}'

# --- Tracing ---------------------------------------------------------------------------------------------------

if [ -d /sys/kernel/tracing/events/evl ]; then
	run 0 $evl trace -eevl
	check "tracing begins" says "^tracing enabled"
	/test/holder cycle
	check "and records" grep -q "evl_switch_context" /sys/kernel/tracing/trace
	run 0 $evl timeline /sys/kernel/tracing/trace
	check "what can be drawn: who has the CPU" says '"ph": "X", "name": "/*holder:[0-9]*", "pid": 1, "tid": [01], '
	check "and on which stage" says '"ph": "X", "name": "out-of-band", "pid": 2, '
	run 0 $evl trace
	# A kernel without any has what was last traced.
	if [ -e /sys/kernel/tracing/snapshot ]; then
		expect "nobody asked for a snapshot" "no snapshot." "$(cat out)"
	else
		check "the trace does for a snapshot" says evl_switch_context
	fi
	run 0 $evl trace -d
	check "it ends" grep -q 0 /sys/kernel/tracing/tracing_on
	check "and nothing is left of it" refused grep -q 1 /sys/kernel/tracing/events/enable
else
	run 2 $evl trace -eevl
	check "with a line" complains "^evl trace: no EVL core in kernel$"
fi
echo 1 >/sys/kernel/tracing/tracing_on

# --- Without a module ------------------------------------------------------------------------------------------------

check "evl.ko unloads" wait_for rmmod evl
run 1 $evl ps
check "evl ps says so" complains "^evl ps: EVL core is not present/enabled$"
run 2 $evl start
check "evl start says so" complains "^evl start: no EVL core in kernel$"
run 2 $evl stop
check "evl stop says so" complains "^evl stop: no EVL core in kernel$"
run 1 $evl check
check "evl check says so" says "^off   module: evl.ko is not installed for this kernel$"
mkdir -p "/lib/modules/$(uname -r)/updates"
touch "/lib/modules/$(uname -r)/updates/evl.ko"
run 1 $evl check
check "or that it is not loaded" says "^off   module: evl.ko is not loaded$"
rm -r /lib/modules
check "evl.ko loads" insmod /mod/evl.ko

report
