#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# evl check: each of its findings, there and not there, on machines which are made up; and check lists.
set -u

cd "$(dirname "$0")/../.." || exit
. test/package/parts/commands.sh

control=sys/devices/virtual/evl/control
cpu=sys/devices/system/cpu
abi=$(sed -n 's/^#define EVL_ABI_PREREQ[[:space:]]\{1,\}//p' include/evl/version.h)
old_abi=$(sed -n 's/^#define EVL_ABI_PREREQ_OLD[[:space:]]\{1,\}//p' include/evl/version.h)

# A machine which has all that one may wish for.
release=6.6.57-dovetail
config=(CONFIG_MODULES=y CONFIG_MODULE_UNLOAD=y CONFIG_SMP=y CONFIG_PREEMPT_COUNT=y CONFIG_TRACEPOINTS=y
	CONFIG_DYNAMIC_FTRACE_WITH_ARGS=y CONFIG_DOVETAIL=y CONFIG_CPU_FREQ=y CONFIG_CPU_FREQ_DEFAULT_GOV_PERFORMANCE=y)
fine_machine() {
	rm -rf "$EVL_ROOT"
	put $release proc/sys/kernel/osrelease
	put "#1 SMP PREEMPT" proc/sys/kernel/version
	put "" proc/cmdline
	put 1 proc/sys/kernel/ftrace_enabled
	put 950000 proc/sys/kernel/sched_rt_runtime_us
	put 1000000 proc/sys/kernel/sched_rt_period_us
	put "$(printf '%s\n' "${config[@]}")" boot/config-$release
	put running $control/state
	put "$abi" $control/abi
	put 2-3 $control/cpus
	mkdir -p "$EVL_ROOT/sys/module/evl"
	put "" dev/evl/control
	chgrp "$device_group" "$EVL_ROOT/dev/evl/control"
	put 0-3 $cpu/online
	put 2-3 $cpu/isolated
	put 2-3 $cpu/nohz_full
	for n in 0 1 2 3; do
		put performance $cpu/cpu$n/cpufreq/scaling_governor
		for state in "0 0 POLL 0" "1 2 C1 0" "2 133 C6 1"; do
			read -r number latency name disable <<<"$state"
			put "$latency" $cpu/cpu$n/cpuidle/state$number/latency
			put "$name" $cpu/cpu$n/cpuidle/state$number/name
			put "$disable" $cpu/cpu$n/cpuidle/state$number/disable
		done
	done
	put tsc sys/devices/system/clocksource/clocksource0/current_clocksource
}

# Of a stock kernel, all that is missing is Dovetail.
stock_machine() {
	fine_machine
	put "$(printf '%s\n' "${config[@]}" | grep -v DOVETAIL)" boot/config-$release
	put -1 proc/sys/kernel/sched_rt_runtime_us
}

# A group of that name need not exist here, so stat is told that it does: what it says of files of the group below.
mkdir "$work/bin"
cat >"$work/bin/stat" <<'STAT'
#!/bin/sh
if [ "$1 $2" = "-c %G" ]; then cat "$EVL_ROOT/group-of-device" 2>/dev/null || echo evl; else exec /usr/bin/stat "$@"; fi
STAT
chmod +x "$work/bin/stat"
PATH="$work/bin:$PATH"
device_group=$(id -g)

evl_check() { evl check -a x86_64 "$@"; }
# finds STATUS SUBJECT PATTERN [ADVICE]: there is such a line in the last report, and an advice below it
finds() {
	expect "finds $1: $2: $3" awk -v wanted="$1 $2:" -v pattern="$3" -v advice="${4:-}" '
		{ print > "/dev/stderr" }
		below { if (advice != "" ? /^ *-> / && index($0, advice) : !/^ *-> /) good = 1 }
		{ below = $1 " " $2 == wanted && $0 ~ pattern; if (below && advice == "") good = 1 }
		END { exit !good }' "$work/out"
}
# machine STATUS TEXT: what is said of it has that status
machine() {
	run "$1" "$2" evl_check
}
# changed TEXT FILE, then finding: one thing is not as it should be
spoil() {
	local status=$1 text=$2 file=$3
	shift 3
	fine_machine
	put "$text" "$file"
	run "$([ "$status" = off ] && echo 1 || echo 0)" "with '$text' in $file" evl_check
	finds "$status" "$@"
	expect "and nothing else" test "$(grep -c -e '^off ' -e '^risk ' "$work/out")" -eq 1
}

# --- Nothing to complain of -----------------------------------------------------------------------------

fine_machine
machine 0 "a machine which has it all"
expect "real time works" grep -qx "real time works" "$work/out"
expect "all is well" test "$(grep -c '^ok ' "$work/out")" -eq "$(grep -cv '^real time works$' "$work/out")"
subjects="kernel host config module abi device memlock rtprio isolation governor cpuidle clocksource"
expect "all was looked at" diff <(sed -n 's/^ok *\([a-z]*\): .*/\1/p' "$work/out" | paste -sd ' ') <(echo "$subjects")
run 0 "evl check -q" evl_check -q
expect "says nothing" test ! -s "$work/out"
run 0 "evl check --json" evl_check --json
is_json() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); assert eval(sys.argv[2]), d' "$work/out" "$1"; }
json() { if command -v python3 >/dev/null; then expect "$1" is_json "$2"; fi; }
json "is JSON, with no failure" 'd["failures"] == d["off"] == d["risks"] == 0 and len(d["findings"]) == 12'
json "and no advice" 'all(f["advice"] is None and f["status"] == "ok" and f["found"] for f in d["findings"])'

# --- Kernel and host ----------------------------------------------------------------------------------------

stock_machine
machine 0 "a stock kernel"
finds risk host "stock: all works" "PREEMPT_RT"
finds ok throttling "does not take the CPU"
run 1 "evl check --strict" evl_check --strict
put 1 sys/kernel/realtime
machine 0 "PREEMPT_RT"
finds ok kernel "PREEMPT_RT$"
finds ok host "stock, with PREEMPT_RT"
stock_machine
put "#1 SMP PREEMPT_DYNAMIC" proc/sys/kernel/version
put "none voluntary (full)" sys/kernel/debug/sched/preempt
machine 0 "PREEMPT_DYNAMIC"
finds ok kernel "PREEMPT_DYNAMIC .full.$"
rm "$EVL_ROOT/sys/kernel/debug/sched/preempt"
put "quiet preempt=none" proc/cmdline
machine 0 "without debugfs"
finds ok kernel "PREEMPT_DYNAMIC .none.$"
put 950000 proc/sys/kernel/sched_rt_runtime_us
machine 0 "throttling of a stock kernel"
finds risk throttling "950000 us of each 1000000 us" "sched_rt_runtime_us=-1"
fine_machine
rm "$EVL_ROOT/boot/config-$release"
put "0000000000000000 T dovetail_altsched" proc/kallsyms
machine 0 "no configuration"
finds risk config "how this kernel was built is not to be found" "-f"
finds ok host "Dovetail"
put "" proc/kallsyms
machine 0 "nor Dovetail"
finds risk host "stock"

unload() { rm -r "${EVL_ROOT:?}/$control" "${EVL_ROOT:?}/sys/module/evl" "${EVL_ROOT:?}/dev/evl"; }
fine_machine && unload
machine 1 "no module"
finds off module "evl.ko is not installed for this kernel" "make dkms-install"
mkdir -p "$EVL_ROOT/lib/modules/$release/updates/dkms" && touch "$EVL_ROOT/lib/modules/$release/updates/dkms/evl.ko.xz"
machine 1 "a module which is not loaded"
finds off module "evl.ko is not loaded" "sudo modprobe evl"
expect "tells nothing of a core" eval "! grep -e ' abi: ' -e ' device: ' '$work/out'"
put 0 proc/sys/kernel/ftrace_enabled
machine 1 "ftrace is off"
finds off module "ftrace_enabled is 0" "sysctl kernel.ftrace_enabled=1"
for other in 5.10.0 6.0.1 6.130.0; do
	fine_machine && unload
	put $other proc/sys/kernel/osrelease
	mv "$EVL_ROOT/boot/config-$release" "$EVL_ROOT/boot/config-$other"
	machine 2 "Linux $other"
	finds off kernel "Linux $other .*: this release of evl.ko is for Linux 6" "boot one of these"
done
fine_machine && unload
run 2 "another architecture" evl check -a riscv64
finds off kernel "is for x86_64"
for missing in MODULES PREEMPT_COUNT DYNAMIC_FTRACE_WITH_ARGS; do
	fine_machine && unload
	sed -i "/CONFIG_$missing=/d" "$EVL_ROOT/boot/config-$release"
	machine 2 "a kernel without $missing"
	finds off config "^off   config: $missing=n$" "evl.ko cannot run on this kernel"
done
fine_machine && unload
echo CONFIG_EVL=y >>"$EVL_ROOT/boot/config-$release"
machine 1 "a core in the kernel which is off"
finds off module "the core of this kernel did not start" "evl.state"
fine_machine
rmdir "$EVL_ROOT/sys/module/evl"
echo CONFIG_EVL=y >>"$EVL_ROOT/boot/config-$release"
machine 0 "a core in the kernel"
finds ok module "the core is loaded and running"
finds ok host "part of this kernel"

fine_machine
printf 'CONFIG_KASAN=y\nCONFIG_ACPI_PROCESSOR_IDLE=y\n' >>"$EVL_ROOT/boot/config-$release"
machine 0 "a kernel which checks everything"
finds risk config "KASAN=y: checks each access to memory" "build the kernel otherwise"
expect "its idle states are looked at while they are used" eval "! grep ACPI_PROCESSOR_IDLE '$work/out'"
fine_machine
mkdir -p "$EVL_ROOT/lib/modules/$release/build" && echo CONFIG_KASAN=y >"$EVL_ROOT/lib/modules/$release/build/.config"
rm "$EVL_ROOT/boot/config-$release"
machine 0 "the configuration of a build folder"
finds risk config KASAN
echo CONFIG_LOCKDEP=y | gzip >"$EVL_ROOT/proc/config.gz"
machine 0 "the configuration which the kernel itself tells"
finds risk config LOCKDEP
run 0 "a check list" evl_check -L <(echo 'LOCKDEP=n # too slow')
run 125 "a check list which is not there" evl_check -L "$work/none"
one_line "^evl check: cannot read $work/none$"

# --- The core --------------------------------------------------------------------------------------------------

spoil off stopped $control/state module "evl.ko is loaded, but stopped" "sudo evl start"
spoil off teardown $control/state module "being stopped" "evl start"
spoil off disabled $control/state module "in state 'disabled'" dmesg
spoil off 31 $control/abi abi "the core serves ABI 31, this library needs $abi" "ENOEXEC"
spoil off "" $control/abi abi "does not tell its ABI" "ENOEXEC"
spoil risk 99 $control/abi abi "up to ABI 99" "/dev/evl/control"
fine_machine
put "$old_abi" $control/abi
machine 0 "an older core which the library knows"
finds ok abi "ABI $old_abi"
# What a device answers, a program has to tell.
mv "$libexec/core-info" "$work/core-info"
for range in "20 31 off" "$((abi + 1)) 99 off" "33 35 off" "20 99 ok" "$abi $abi ok" "20 $old_abi ok"; do
	read -r base current status <<<"$range"
	printf '#!/bin/sh\necho %s %s\n' "$base" "$current" >"$libexec/core-info" && chmod +x "$libexec/core-info"
	fine_machine
	put "$current" $control/abi
	run "$([ "$status" = ok ] && echo 0 || echo 1)" "a device which serves ABI $base to $current" evl_check
	finds "$status" abi "the core serves ABI $base to $current, this library needs $abi"
done
mv "$work/core-info" "$libexec/core-info"
for path in "$work/none" /dev/null "$work"; do
	expect "the program which asks it fails on $path" eval "! '$libexec/core-info' '$path'"
done

# --- Rights ------------------------------------------------------------------------------------------------------

fine_machine
rm "$EVL_ROOT/dev/evl/control"
machine 1 "no device"
finds off device "there is no /dev/evl/control" container

if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$work" "$work/bin"
	put root group-of-device
	put "" dev/evl/control
	machine 0 "a device of root's, for root"
	finds risk device "only root may use /dev/evl" "make install-udev"

	# ordinary MEMLOCK RTPRIO: as a user with these limits, who is in no group
	ordinary() {
		put "$(printf 'Max locked memory         %-20s unlimited            bytes\nMax realtime priority     %-20s 99\n' "$1" "$2")" proc/self/limits
		setpriv --reuid=65534 --regid=65534 --clear-groups "$work/usr/bin/evl" check -a x86_64
	}
	fine_machine
	chmod 666 "$EVL_ROOT/dev/evl/control"
	run 0 "an ordinary user who may" ordinary unlimited 99
	finds ok device "you may use /dev/evl/control"
	finds ok memlock "may lock their memory"
	finds ok rtprio "may have a priority"
	run 0 "who may lock 8 MB" ordinary 8388608 99
	finds risk memlock "more than 8192 kB cannot attach" "limits.d"
	run 1 "who may lock 64 kB" ordinary 65536 99
	finds off memlock "64 kB only" "limits.d"
	run 0 "who may have no priority" ordinary unlimited 0
	finds risk rtprio "may not have a priority in Linux" "rtprio 99"
	chmod 660 "$EVL_ROOT/dev/evl/control"
	run 1 "who is not a member" ordinary unlimited 99
	finds off device "you are not a member of group evl" "sudo adduser nobody evl"
	put "evl:x:123:root,nobody" etc/group
	run 1 "who just became a member" ordinary unlimited 99
	finds off device "this session began before" "log in again"
	put root group-of-device
	run 1 "whom no rule serves" ordinary unlimited 99
	finds off device "only root may use /dev/evl" "make install-udev"
fi

# --- CPUs and time ---------------------------------------------------------------------------------------------------

spoil risk "" $cpu/isolated isolation "no CPU of the core .2-3. is kept free" "isolcpus="
spoil risk 0-1 $cpu/isolated isolation "no CPU of the core .2-3. is kept free" "isolcpus="
spoil risk " (null)" $cpu/nohz_full isolation "CPU 2, 3 kept free of other tasks, but not of Linux's tick" "nohz_full="
spoil risk 1,3 $cpu/isolated isolation "only 3 kept free" "oobcpus=3"
spoil risk powersave $cpu/cpu2/cpufreq/scaling_governor governor "changes of CPU 2 .powersave." "echo performance"
spoil risk 0 $cpu/cpu3/cpuidle/state2/disable cpuidle "CPU 3 may sleep as deep as C6, which takes 133 us" "max_cstate"
spoil risk hpet sys/devices/system/clocksource/clocksource0/current_clocksource clocksource "from hpet" "tsc=reliable"
fine_machine
put powersave $cpu/cpu0/cpufreq/scaling_governor
put 0 $cpu/cpu1/cpuidle/state2/disable
machine 0 "CPUs which the core does not have"
expect "may do what they like" test "$(grep -c '^risk ' "$work/out")" -eq 0
fine_machine
rm -r "${EVL_ROOT:?}/$cpu"/cpu?/cpufreq "${EVL_ROOT:?}/$cpu"/cpu?/cpuidle
machine 0 "a virtual machine without such things"
finds ok governor ""
finds ok cpuidle ""
fine_machine
put arch_sys_counter sys/devices/system/clocksource/clocksource0/current_clocksource
run 0 "another architecture" evl check -a aarch64
finds ok clocksource arch_sys_counter
fine_machine
rm "$EVL_ROOT/proc/sys/kernel/osrelease"
run 125 "no /proc" evl_check
one_line "^evl check: cannot read .*osrelease: is /proc mounted?$"

# --- For programs ----------------------------------------------------------------------------------------------------

fine_machine && unload
put 'sl"ash\es'$'\x01\x9b\xc3\xa9\xe2\x82' $cpu/cpu2/cpufreq/scaling_governor
mkdir -p "$EVL_ROOT/$control" && put 2-3 $control/cpus && put stopped $control/state && put 31 $control/abi
run 3 "evl check -j with quotes and what else there is" evl_check -j
json "is JSON" 'd["failures"] == 3 and d["off"] == 3 and d["risks"] == 1'
json "with all there is" '[f["advice"] for f in d["findings"] if f["subject"] == "module"] == ["sudo evl start"]'
json "whatever characters it has" 'any("sl\"ash\\es??\u00e9??" in f["found"] for f in d["findings"])'

# --- Check lists -----------------------------------------------------------------------------------------------------------

file=$work/config
printf '%s\n' "# CONFIG_OFF is not set" CONFIG_YES=y CONFIG_MOD=m CONFIG_HZ=1000 'CONFIG_TEXT="a=b"' CONFIG_LONG_YES=y >"$file"
# holds ASSERTION / fails ASSERTION [PRINTED]
holds() {
	printf '%s\n' "$1" >"$work/list"
	run 0 "holds: $1" evl check -f "$file" -L "$work/list" -a armv7l
	expect "without a word" test ! -s "$work/out"
}
fails() {
	printf '%s\n' "$1" >"$work/list"
	run 1 "fails: $1" evl check -f "$file" -L "$work/list" -a armv7l
	prints "prints $2" "$2"
}
holds YES
holds MOD
fails OFF OFF=n
fails NONE NONE=n
holds YES=y
fails YES=m YES=y
fails YES=n YES=y
holds MOD=m
fails MOD=y MOD=m
holds OFF=n
holds NONE=n
fails !YES YES=y
fails !MOD MOD=m
holds !OFF
holds !YES=m
holds !YES=n
fails !YES=y YES=y
fails !NONE=n NONE=n
fails ES ES=n
fails "HZ" HZ=1000
fails "OFF if YES" OFF=n
holds "OFF if NONE"
holds "OFF if !YES"
fails "OFF if !NONE" OFF=n
fails "OFF if MOD=m" OFF=n
holds "OFF if MOD=y"
fails "OFF on arm" OFF=n
fails "OFF on armv7l" OFF=n
holds "OFF on armv7lb"
holds "OFF on x86"
fails "OFF if YES on arm" OFF=n
holds "OFF if YES on x86"
holds "OFF if NONE on arm"
fails "  OFF	if  YES   # a comment" OFF=n
fails "CONFIG_OFF=y" OFF=n
holds "# OFF"
holds ""
# Assertions are one on its own line each, and the status counts them.
printf '# first\nOFF # why\n\nYES=n\nYES\nMOD=y if YES on arm' >"$work/list"
run 3 "three of five" evl check --file="$file" --check-list="$work/list" --arch=arm --hash-size=64
prints "fail" OFF=n YES=y MOD=m
run 3 "-q" evl check -q -f"$file" -L"$work/list" -aarm -H 64
expect "says nothing" test ! -s "$work/out"
run 3 "--json" evl check -j -f "$file" -L "$work/list" -a arm
json "tells of them, and why" '[(f["found"], f["advice"]) for f in d["findings"]] == [("OFF=n", "why"), ("YES=y", None), ("MOD=m", None)]'
gzip -c "$file" >"$work/config.gz"
run 3 "a gzipped configuration" evl check -f "$work/config.gz" -L "$work/list" -a arm
prints "is the same" OFF=n YES=y MOD=m
for bad in "YES=x" "YES if" "YES on" "YES when MOD" "!" "YES=y=y" "A-B" "YES if MOD=1" "OFF if NONE on"; do
	printf 'YES\n%s\n' "$bad" >"$work/list"
	run 125 "no assertion: $bad" evl check -f "$file" -L "$work/list"
	one_line "^evl check: $work/list:2: not an assertion: "
done
printf 'NONE%d\n' {1..300} >"$work/list"
run 120 "300 failures end with a status which is none of a signal" evl check -f "$file" -L "$work/list"
expect "and are all told" test "$(wc -l <"$work/out")" -eq 300
printf 'NONE%d\n' {1..256} >"$work/list"
run 120 "256 failures are no success" evl check -q -f "$file" -L "$work/list"

# The lists which come with evl.
printf '%s\n' "${config[@]}" >"$file"
run 0 "the configuration of a fine machine" evl check -f "$file" -a x86_64
printf 'CONFIG_%s=y\n' ACPI_PROCESSOR_IDLE DEBUG_HARD_LOCKS LOCKDEP DEBUG_LIST DEBUG_VM DEBUG_PER_CPU_MAPS KASAN DEBUG_ENTRY \
	EVL_DEBUG_CORE EVL_DEBUG_MEMORY >>"$file"
sed -i '/GOV_PERFORMANCE/d' "$file"
run 11 "what makes a kernel slow" evl check -f "$file" -a x86_64
prints "is all found" CPU_FREQ_DEFAULT_GOV_PERFORMANCE=n ACPI_PROCESSOR_IDLE=y DEBUG_HARD_LOCKS=y LOCKDEP=y DEBUG_LIST=y DEBUG_VM=y \
	DEBUG_PER_CPU_MAPS=y KASAN=y DEBUG_ENTRY=y EVL_DEBUG_CORE=y EVL_DEBUG_MEMORY=y
printf 'CONFIG_EVL=y\nCONFIG_FTRACE=y\n' | cat - <(printf '%s\n' "${config[@]}") >"$file"
run 3 "a core in the kernel, which is to be traced, on ARM without a vDSO" evl check -f "$file" -a armv7l
prints "is found" EVL=y FTRACE=y VDSO=n

run 125 "no such configuration" evl check -f "$work/none"
one_line "^evl check: cannot read $work/none$"
echo "hello" >"$file"
run 125 "what is no configuration" evl check -f "$file"
one_line "^evl check: $file is no kernel configuration$"
head -c 50 "$work/config.gz" >"$file"
run 125 "a broken one" evl check -f "$file"
one_line "^evl check: $file is no kernel configuration$"
run 125 "an unknown option" evl check --frobnicate
one_line "^evl check: unknown option '--frobnicate'"
run 125 "a missing value" evl check -f
one_line "^evl check: -f needs a value"
echo "1..$count"
