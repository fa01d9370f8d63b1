#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Loading and unloading: what is refused, what is left behind, 200 times over.

holder=/test/holder
module=/mod/evl.ko
number=0
failed=0

ok() { number=$((number + 1)); echo "ok $number - $1"; }
not_ok() { number=$((number + 1)); failed=$((failed + 1)); echo "not ok $number - $1"; shift; for line; do echo "# $line"; done; }
skip() { number=$((number + 1)); echo "ok $number - $1 # SKIP $2"; }

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

load() { $holder load $module "$*"; }
unload() { rmmod evl 2>/tmp/load.err; }
loaded() { grep -q '^evl ' /proc/modules; }
refused() { ! "$@"; }

# Lines of ours in the kernel log since the mark.
mark() { echo "evl-test: mark $1" >/dev/kmsg; last_mark="evl-test: mark $1"; }
logged() { dmesg | sed "1,/$last_mark/d" | grep 'evl: ' | grep -v -e 'out-of-tree' -e 'module verification' -e 'invalid for parameter'; }
count_logged() { logged | wc -l; }

wait_for() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || return 1
		sleep 0.1
	done
}

# hold COMMAND...: has a program hold something until release
hold() {
	rm -f /tmp/hold /tmp/held
	mkfifo /tmp/hold
	$holder "$@" </tmp/hold >/tmp/held 2>&1 &
	held_pid=$!
	exec 4>/tmp/hold
	wait_for grep -q "^$1 0" /tmp/held
}

release() {
	exec 4>&-
	wait $held_pid
}

# --- What it looks like loaded ---------------------------------------------------------

before_load=$(ls /sys/class /sys/bus/workqueue/devices 2>/dev/null)
mark loading
check "evl.ko loads" load
expect "loading says one line" 1 "$(count_logged)"
logged | grep -q "evl: [0-9.]* on the [a-zA-Z]* host, kernel $(uname -r), ABI 32\.\.37, CPUs 0-1"
expect "which tells version, host, kernel, ABI and CPUs" 0 $?
for node in control thread/clone xbuf/clone proxy/clone clock/monotonic clock/realtime; do
	check "there is /dev/evl/$node" test -c /dev/evl/$node
done
check "a second load is refused" refused load
check "and does no harm" loaded
expect "evl_init() works" "init 0" "$($holder init 2>/dev/null)"
expect "a request is served" "request -1" "$($holder request)"

# --- What keeps it loaded ----------------------------------------------------------------

try_unload() {
	check "an attached thread, an open file: $1" hold "$@"
	check "unloading is refused" refused unload
	check "and the module works on" $holder cycle
	release
	check "nothing keeps it any more" wait_for grep -q '^evl [0-9]* 0 ' /proc/modules
}
try_unload attach
try_unload xbuf
try_unload open /dev/evl/control
try_unload open /dev/evl/clock/monotonic
try_unload open /dev/evl/xbuf/clone
try_unload open /dev/evl/thread/clone

if [ -w /sys/devices/system/cpu/cpu1/online ]; then
	sh -c 'echo 0 >/sys/devices/system/cpu/cpu1/online' 2>/dev/null
	expect "a CPU stays online while loaded" 1 "$(cat /sys/devices/system/cpu/cpu1/online)"
else
	skip "a CPU stays online while loaded" "this kernel cannot take CPUs offline"
fi
sysctl -q -w kernel.ftrace_enabled=0 2>/dev/null
check "function hooks cannot be turned off while loaded" grep -q 1 /proc/sys/kernel/ftrace_enabled
check "and threads work on" $holder cycle
echo 1 >/proc/sys/kernel/ftrace_enabled

# --- What is left behind -------------------------------------------------------------------

check "evl.ko unloads" unload
check "it is gone from the list of modules" refused loaded
check "there is no /dev/evl" refused test -e /dev/evl/control
expect "no class is left" "$before_load" "$(ls /sys/class /sys/bus/workqueue/devices 2>/dev/null)"
check "no thread of the kernel is left" refused sh -c 'ps | grep -q "[[]evl"'
check "no function is redirected" refused grep -q . /sys/kernel/tracing/enabled_functions
check "no interrupt is left" refused grep -qi evl /proc/interrupts
expect "evl_init() says -ENOSYS" "init -38" "$($holder init 2>/dev/null)"
expect "a request is a bad option again" "request -22" "$($holder request)"
if [ -w /sys/devices/system/cpu/cpu1/online ]; then
	echo 0 >/sys/devices/system/cpu/cpu1/online
	expect "a CPU can go offline" 0 "$(cat /sys/devices/system/cpu/cpu1/online)"
	echo 1 >/sys/devices/system/cpu/cpu1/online
fi

# --- Refusals --------------------------------------------------------------------------------

mark refusals
echo 0 >/proc/sys/kernel/ftrace_enabled
check "it does not load while function hooks are off" refused load
expect "and says why in a line" 1 "$(count_logged)"
echo 1 >/proc/sys/kernel/ftrace_enabled

insmod /mod/evl_rival.ko
mark rival
check "it does not load beside another core" refused load
expect "and says so in a line" 1 "$(count_logged)"
check "which names the cause" sh -c "dmesg | tail -n 5 | grep -q 'evl: .*another.* core'"
check "nothing of it is left" refused test -e /dev/evl
check "the other core can go" rmmod evl_rival
check "now it loads" load
unload

# --- Parameters --------------------------------------------------------------------------------

attribute() { cat "/sys/devices/virtual/$1"; }
parameter() { cat "/sys/module/evl/parameters/$1"; }

check "state=stopped loads" load state=stopped
expect "the core is stopped" stopped "$(attribute evl/control/state)"
expect "threads cannot attach" "attach -6" "$($holder attach </dev/null 2>/dev/null)"
echo start >/sys/devices/virtual/evl/control/state
expect "it can be started" running "$(attribute evl/control/state)"
check "threads can attach" $holder cycle
unload
mark state
check "state=bogus is refused" refused load state=bogus
expect "with a line" 1 "$(count_logged)"

check "oobcpus=1 loads" load oobcpus=1
expect "it has one CPU" 1 "$(attribute evl/control/cpus)"
expect "a thread of that CPU stays" "cpu 1" "$($holder cpu 1)"
expect "a thread of another one moves there" "cpu 1" "$($holder cpu 0)"
unload
mark oobcpus
check "oobcpus=x is refused" refused load oobcpus=x
check "with a word about it" test "$(count_logged)" -ge 1
check "CPUs which there are not are refused" refused load oobcpus=500

check "watchdog_timeout=9 loads" load watchdog_timeout=9
expect "and is told" 9 "$(parameter watchdog_timeout)"
unload
check "small sizes load" load shm_size=4096 sysheap_size=65536
check "and serve" $holder cycle
expect "the size is told" 4096 "$(parameter shm_size)"
unload
mark shm_size
if load shm_size=1; then
	check "a size too small is made to work" $holder cycle
	unload
else
	check "a size too small is refused with a line" test "$(count_logged)" -ge 1
fi
check "no parameter leaves anything behind" load
unload

# --- 200 times ------------------------------------------------------------------------------------

# Memory that the kernel could give back, or keeps for each CPU, is none of our business.
settle() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	[ ! -w /proc/sys/vm/compact_memory ] || echo 1 >/proc/sys/vm/compact_memory
	for cache in /sys/kernel/slab/*/shrink; do
		[ ! -w "$cache" ] || echo 1 >"$cache" 2>/dev/null
	done
}

# Lines of "NAME OBJECTS": general caches, and some of those that we are likely to use.
objects() {
	settle
	awk 'NR > 2 && $1 ~ /^(kmalloc|dentry|inode|kernfs|vm_area|task_struct|filp|pid$|cred|shmem|sock_inode|proc_inode)/ {
		print $1, $2 }' /proc/slabinfo
}

# Free memory comes and goes by megabytes while the kernel tidies up behind the dead: the most of several looks counts.
pages() {
	for look in 1 2 3 4 5 6 7 8; do
		settle
		sleep 0.5
		awk '/^(MemFree|Buffers|Cached):/ { sum += $2 } /^(VmallocUsed|Percpu):/ { print $1, $2 }
			END { print "Free:", sum }' /proc/meminfo
	done | awk '$1 == "Free:" ? $2 > best[$1] : !($1 in best) || $2 < best[$1] { best[$1] = $2 }
		END { for (name in best) print name, best[name] }'
}

cycles() {
	count=0
	while [ $count -lt "$1" ]; do
		count=$((count + 1))
		load || return 1
		if [ $((count % 2)) = 0 ]; then $holder cycle || return 2; else $holder drop || return 3; fi
		wait_for unload || return 4
		if loaded; then return 5; fi
	done
}

# The first ones fill caches.
check "20 cycles" cycles 20
objects >/tmp/objects.before
pages >/tmp/pages.0
mark cycles
for window in 1 2 3; do
	check "60 more, $window of 3" cycles 60
	pages >/tmp/pages.$window
done
objects >/tmp/objects.after
expect "each says a line" 180 "$(count_logged)"

# One object leaked in each cycle would make 180: half of that is more than what else goes on.
grown=$(awk 'NR == FNR { was[$1] = $2; next } $2 > was[$1] + 90 { print $1 ": " was[$1] " -> " $2 }' \
	/tmp/objects.before /tmp/objects.after)
expect "no cache of the kernel grew by an object a cycle" "" "$grown"

# One page would make 240 kB less in each window. What else goes on may do that once, but not every time.
lost=$(awk 'FNR == 1 { window++ }
	{ delta = $1 == "Free:" ? last[$1] - $2 : $2 - last[$1] }
	window > 1 && delta > 120 { times[$1]++ }
	{ seen[$1] = seen[$1] " " $2; last[$1] = $2 }
	END { for (name in times) if (times[name] == 3) print name seen[name] }' /tmp/pages.0 /tmp/pages.1 /tmp/pages.2 /tmp/pages.3)
expect "nor was a page lost in each" "" "$lost"

echo "1..$number"
[ $failed -eq 0 ]
