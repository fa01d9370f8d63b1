#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The events of evl.ko when it comes and goes, while somebody uses them.

holder=/test/holder
tracefs=/sys/kernel/tracing
events=$tracefs/events/evl
instance=$tracefs/instances/load-trace
. /test/parts/tap.sh

load() { $holder load /mod/evl.ko ""; }
unload() { rmmod evl 2>/dev/null; }
is_on() { grep -q "$1" "$events/enable"; }
recorded() { grep -q " $1: " "$tracefs/trace"; }
# Whatever Linux makes of it: refused as long as somebody uses it, or done. Threads which just went keep it for a moment.
try_unload() {
	for _ in 1 2 3 4 5; do
		unload && return
		sleep 0.1
	done
	[ -d /sys/module/evl ]
}

# --- It has events ---------------------------------------------------------------------

check "there are none before" refused test -e $events
check "evl.ko loads" load
for event in evl_schedule evl_switch_context evl_switch_tail evl_timer_expire evl_timer_shot evl_flush_wait \
	evl_finish_wait evl_wakeup_thread evl_oob_sysexit evl_trigger evl_latspot evl_trace; do
	check "there is $event" grep -q "^name: $event\$" $events/$event/format
done
check "they are off" is_on 0
echo >$tracefs/trace
check "threads work" $holder cycle
check "and leave no event" refused recorded 'evl_[a-z_]*'

# --- Events which are on keep it -----------------------------------------------------------

unload_is_refused() { refused unload && [ -d /sys/module/evl ] && [ -e $events ]; }
echo 1 >$events/enable
check "with events on, threads work" $holder cycle
for event in evl_schedule evl_switch_context evl_oob_sysexit evl_element_new; do
	check "there is an $event" recorded $event
done
mkdir $instance
echo 1 >$instance/events/evl/evl_trace/enable
sleep 1
check "it does not unload with events on" unload_is_refused
check "and threads work on" $holder cycle
echo 0 >$events/enable
check "nor with one which is on in an instance" unload_is_refused
echo 0 >$instance/events/evl/evl_trace/enable
check "it unloads with events off" wait_for unload
check "they are gone" refused test -e $events
check "from the instance, too" refused test -e $instance/events/evl
# Linux keeps their names no longer than the module: what was recorded goes, too.
check "the trace can be read" sh -c "cat $tracefs/trace $instance/trace >/dev/null"
check "it loads again" load
check "with its events off" is_on 0
check "and works" $holder cycle
rmdir $instance

# --- Somebody is still there ------------------------------------------------------------

exec 5<$events/evl_schedule/format
check "a file of an event is open: unloading is safe" try_unload
# Linux 6.1 itself does not survive that, whichever module the event was of.
case $(uname -r) in
6.1.*) ;;
*) cat <&5 >/dev/null 2>&1 ;;
esac
exec 5<&-
wait_for unload
[ -d /sys/module/evl ] || load
echo 'traceoff:1' >$events/evl_trigger/trigger
check "it does not unload with a trigger on an event" unload_is_refused
echo '!traceoff' >$events/evl_trigger/trigger
check "it does without" wait_for unload
load
echo 'prio > 5' >$events/evl_pick_thread/filter
echo 1 >$events/enable
check "events are filtered" $holder cycle
check "the rest is recorded" recorded evl_pick_thread
check "all of it" refused sh -c "grep 'evl_pick_thread: ' $tracefs/trace | grep -q ' prio=[0-5] '"
echo 0 >$events/enable
check "it unloads" wait_for unload

# Others read what is recorded all the time.
cat $tracefs/trace_pipe >/dev/null 2>&1 &
reader=$!
again() {
	count=0
	while [ $count -lt 20 ]; do
		count=$((count + 1))
		load || return 1
		echo 1 >$events/enable
		$holder cycle >/dev/null || return 1
		unload && return 1
		echo 0 >$events/enable
		wait_for unload || return 1
	done
}
check "20 times over, with a reader" again
kill $reader
wait $reader 2>/dev/null
echo >$tracefs/trace
check "nothing is left of it" refused test -e $events

report
