#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Loading and unloading: what is refused, what is left behind, 20 times over, or 200 with LONG=1.

holder=/test/holder
module=/mod/evl.ko
. /test/parts/tap.sh

load() { $holder load $module "$*"; }
unload() { rmmod evl 2>/tmp/load.err; }
# What Linux says of a module which is in use, and no other error.
unload_is_refused() { refused unload && grep -q 'Resource temporarily unavailable' /tmp/load.err; }

# Lines of ours in the kernel log since the mark.
mark() { echo "evl-test: mark $1" >/dev/kmsg; last_mark="evl-test: mark $1"; }
logged() { dmesg | sed "1,/$last_mark/d" | grep 'evl: ' | grep -v -e 'out-of-tree' -e 'module verification' -e 'invalid for parameter'; }
count_logged() { logged | wc -l; }

# try_to_hold COMMAND...: has a program hold something until release, if it gets it
try_to_hold() {
	rm -f /tmp/hold /tmp/held
	mkfifo /tmp/hold
	$holder "$@" </tmp/hold >/tmp/held 2>&1 &
	held_pid=$!
	exec 4>/tmp/hold
}

holds() { grep -q "^$1 0" /tmp/held; }

hold() {
	try_to_hold "$@"
	wait_for holds "$1"
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
logged | grep -q "evl: [0-9.]* on the [a-zA-Z_ ()]* host, kernel $(uname -r), ABI 32\.\.37, CPUs 0-1"
expect "which tells version, host, kernel, ABI and CPUs" 0 $?
for node in control poll trace thread/clone monitor/clone xbuf/clone proxy/clone clock/monotonic clock/realtime; do
	check "there is /dev/evl/$node" test -c /dev/evl/$node
done
check "a second load is refused" refused load
check "and does no harm" loaded
expect "evl_init() works" "init 0" "$($holder init 2>/dev/null)"
expect "a request is served" "request -1" "$($holder request)"

# --- What keeps it loaded ----------------------------------------------------------------

try_unload() {
	check "in use: $*" hold "$@"
	check "unloading is refused, since it is busy" unload_is_refused
	check "and the module works on" $holder cycle
	release
	check "nothing keeps it any more" wait_for grep -q '^evl [0-9]* 0 ' /proc/modules
}
try_unload attach
try_unload xbuf
try_unload mutex
try_unload group
try_unload open /dev/evl/control
try_unload open /dev/evl/poll
try_unload open /dev/evl/trace
try_unload open /dev/evl/clock/monotonic
try_unload open /dev/evl/monitor/clone
try_unload open /dev/evl/xbuf/clone
try_unload open /dev/evl/thread/clone

if [ -w /sys/devices/system/cpu/cpu1/online ]; then
	sh -c 'echo 0 >/sys/devices/system/cpu/cpu1/online' 2>/dev/null
	expect "a CPU stays online while loaded" 1 "$(cat /sys/devices/system/cpu/cpu1/online)"
else
	skip "a CPU stays online while loaded" "this kernel cannot take CPUs offline"
fi
if dmesg | grep -q 'evl: .* on the Dovetail host' && grep -qs freeze /sys/power/state; then
	mark sleeping
	sh -c 'echo freeze >/sys/power/state' 2>/dev/null
	expect "the machine stays awake on Dovetail, with a line" 1 "$(logged | grep -c 'stays awake')"
fi
sysctl -q -w kernel.ftrace_enabled=0 2>/dev/null
check "function hooks cannot be turned off while loaded" grep -q 1 /proc/sys/kernel/ftrace_enabled
check "and threads work on" $holder cycle
echo 1 >/proc/sys/kernel/ftrace_enabled

# --- What is left behind -------------------------------------------------------------------

check "evl.ko unloads" wait_for unload
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

# Whoever got hold of a node of a module which does not load would have it freed under him.
refused_times() {
	count=0
	while [ $count -lt "$1" ]; do
		count=$((count + 1))
		if load; then return 1; fi
	done
}
for node in control poll thread/clone clock/monotonic; do
	try_to_hold grab /dev/evl/$node
	echo 0 >/proc/sys/kernel/ftrace_enabled
	check "it does not load, 10 times" refused_times 10
	echo 1 >/proc/sys/kernel/ftrace_enabled
	check "nobody gets hold of $node meanwhile" refused holds grab
	check "though it loads in the end" load
	check "somebody does then" wait_for holds grab
	check "and keeps it" unload_is_refused
	release
	wait_for unload
done

insmod /mod/evl_rival.ko
mark rival
check "it does not load beside another core" refused load
expect "and says so in a line" 1 "$(count_logged)"
check "which names the cause" sh -c "dmesg | tail -n 5 | grep -q 'evl: .*another.* core'"
check "nothing of it is left" refused test -e /dev/evl
check "the other core can go" rmmod evl_rival
check "now it loads" load
wait_for unload

# --- Parameters --------------------------------------------------------------------------------

attribute() { cat "/sys/devices/virtual/$1"; }
parameter() { cat "/sys/module/evl/parameters/$1"; }

check "state=stopped loads" load state=stopped
expect "the core is stopped" stopped "$(attribute evl/control/state)"
expect "threads cannot attach" "attach -6" "$($holder attach </dev/null 2>/dev/null)"
echo start >/sys/devices/virtual/evl/control/state
expect "it can be started" running "$(attribute evl/control/state)"
check "threads can attach" $holder cycle
wait_for unload
mark state
check "state=bogus is refused" refused load state=bogus
expect "with a line" 1 "$(count_logged)"

check "oobcpus=1 loads" load oobcpus=1
expect "it has one CPU" 1 "$(attribute evl/control/cpus)"
expect "a thread of that CPU stays" "cpu 1" "$($holder cpu 1)"
expect "a thread of another one moves there" "cpu 1" "$($holder cpu 0)"
wait_for unload
mark oobcpus
check "oobcpus=x is refused" refused load oobcpus=x
check "with a word about it" test "$(count_logged)" -ge 1
check "CPUs which there are not are refused" refused load oobcpus=500

check "watchdog_timeout=9 loads" load watchdog_timeout=9
expect "and is told" 9 "$(parameter watchdog_timeout)"
wait_for unload
check "small sizes load" load shm_size=4096 sysheap_size=65536
check "and serve" $holder cycle
expect "the size is told" 4096 "$(parameter shm_size)"
wait_for unload
mark shm_size
if load shm_size=1; then
	check "a size too small is made to work" $holder cycle
	wait_for unload
else
	check "a size too small is refused with a line" test "$(count_logged)" -ge 1
fi
check "no parameter leaves anything behind" load
wait_for unload

# --- Again and again ----------------------------------------------------------------------------

# Lines of "NAME NUMBER": kilobytes which are neither free nor cache of files, and the objects of each cache of the kernel.
# Just before, those have to be taken from CPUs which keep them for later, and counts by CPU to be summed up. Free pages in
# the lists of CPUs are not free for MemFree, and can be megabytes.
# Any of several kmalloc caches of a size serves a caller, the choice depends on where it was loaded: they count as one.
look() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	sleep 0.3
	awk '
		BEGIN {
			for (n = 1; n < ARGC; n++) {
				print 1 >ARGV[n]
				close(ARGV[n])
			}
			getline <"/proc/sys/vm/stat_refresh"
			while ((getline <"/proc/slabinfo") > 0) {
				sub(/-rnd-[0-9]+/, "", $1)
				objects[$1] += $2
			}
			while ((getline <"/proc/zoneinfo") > 0) {
				if ($1 == "managed")
					pages += $2
				else if ($1 ~ /^(nr_free_pages|nr_file_pages|count:)$/)
					pages -= $2
			}
			for (name in objects)
				print name, objects[name]
			print "kilobytes", pages * 4
		}' /sys/kernel/slab/*/shrink
}

# in_use FILE: some of that comes and goes as the kernel tidies up behind the dead, so the least of several looks counts,
# those which are in the file already among them.
in_use() {
	{
		cat "$1" 2>/dev/null
		for _ in 1 2 3 4 5 6; do
			look
		done
	} | awk '!($1 in least) || $2 < least[$1] { least[$1] = $2 }
		END { for (name in least) print name, least[name] }' >"$1.new"
	mv "$1.new" "$1"
}

# One lost in each cycle would make 180 objects, or 720 kilobytes: half of that is more than what else goes on. But what is
# in use of a slab which a CPU has taken is not told, so counts may be off by a slab, which holds hundreds of small objects.
# Ranges of addresses of dead kernel stacks are kept by thousands. And kernels with Dovetail forget the mask of CPUs of a
# per-CPU interrupt when they free that: for each load, one of ours, one of their tick proxy.
grown() {
	forgotten=0
	! dmesg | grep -q 'evl: .* on the Dovetail host' || forgotten=$((2 * 180))
	awk -v forgotten=$forgotten '
		BEGIN {
			while ((getline <"/proc/slabinfo") > 0) {
				sub(/-rnd-[0-9]+/, "", $1)
				slab[$1] = $5
			}
		}
		NR == FNR { was[$1] = $2; next }
		{
			limit = $1 == "kilobytes" ? 360 : slab[$1] > 90 ? slab[$1] : 90
			if ($1 == "kmalloc-8")
				limit += forgotten
		}
		$1 != "vmap_area" && $2 > was[$1] + limit { print $1 ": " was[$1] " -> " $2 }' \
		/tmp/use.before /tmp/use.after
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

# The first ones filled caches.
tell_losses() {
	in_use /tmp/use.before
	in_use /tmp/use.before
	check "the kernel tells what is in use" test "$(grep -c '^k[im].* [1-9]' /tmp/use.before)" -gt 10
	mark cycles
	for part in 1 2 3; do
		check "60 more, $part of 3" cycles 60
	done
	expect "each says a line" 180 "$(count_logged)"
	for _ in 1 2 3 4 5; do
		in_use /tmp/use.after
		[ -n "$(grown)" ] || break
	done
	grep -h kilobytes /tmp/use.before /tmp/use.after | sed 's/^/# in use: /'
	expect "no object of the kernel and no page is lost in each cycle" "" "$(grown)"
}

check "20 cycles" cycles 20
if [ -e /test/thorough ]; then
	tell_losses
else
	skip "180 more, and nothing is lost in them" "takes minutes, LONG=1 make check does it"
fi

report
