#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Boots a kernel in QEMU (software emulation) and has it run test suites, or one command.
#
# usage: vm-run.sh -k IMAGE -r ROOT -o OUT [options] SUITE...
#        vm-run.sh -k IMAGE -r ROOT -o OUT [options] -x COMMAND
#   -k IMAGE    kernel image
#   -r ROOT     files for the guest: test/SUITE or test/SUITE.sh, mod/*.ko, and whatever else it needs
#   -o OUT      where logs go: console.log, report.log, SUITE.log, counts; and files/, what the guest left in its /out
#   -n NAME     what to call the kernel in messages
#   -x COMMAND  run this in the guest instead of suites, its output live on standard output
#   -t SECONDS  time limit of a command (default 300)
#   -a ARGS     more for the kernel command line
#   -b          count instructions: guest time is a number of instructions, for benchmarks
# Exit status: 0 if the guest reported the end of its work by itself and nothing failed, else 1.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
image='' root='' out='' name=vm command='' limit=300 append='' counting='' accel=''
while getopts k:r:o:n:x:t:a:b option; do
	case $option in
	k) image=$OPTARG ;;
	r) root=$OPTARG ;;
	o) out=$OPTARG ;;
	n) name=$OPTARG ;;
	x) command=$OPTARG ;;
	t) limit=$OPTARG ;;
	a) append=$OPTARG ;;
	b) counting=1 ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
if [ ! -r "$image" ] || [ ! -d "$root" ] || [ -z "$out" ]; then
	sed -n '3,17s/^# //p' "$0" >&2
	exit 2
fi

rm -rf "$out"
mkdir -p "$out/files"
work=$(mktemp -d)
qemu_pid=
# shellcheck disable=SC2317
cleanup() {
	[ -z "$qemu_pid" ] || kill "$qemu_pid" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# A guest needs the shared libraries of its programs; and glibc loads libgcc_s by itself when a thread ends.
add_libraries() {
	local tree=$1 library
	{
		find "$tree" -type f -perm -u+x ! -name '*.ko' ! -name '*.sh' -exec ldd {} \; 2>/dev/null |
			sed -n 's/.* => \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*ld-linux[^ ]*\) .*/\1/p'
		gcc -print-file-name=libgcc_s.so.1
	} | sort -u | while read -r library; do
		mkdir -p "$tree${library%/*}"
		cp -L "$library" "$tree$library"
	done
}

make_image() {
	local tree=$work/root
	mkdir -p "$tree"/{bin,dev,etc,proc,sys,tmp,out,mod,test}
	cp -a "$root/." "$tree"
	cp "$(command -v busybox)" "$tree/bin/busybox"
	ln -s busybox "$tree/bin/sh"
	install -m 755 "$here/init" "$tree/init"
	echo 'root:x:0:0:root:/:/bin/sh' >"$tree/etc/passwd"
	echo 'nobody:x:65534:65534:nobody:/:/bin/sh' >>"$tree/etc/passwd"
	add_libraries "$tree"
	pack "$tree" "$work/base.cpio"
}

pack() { (cd "$1" && find . | cpio --quiet -o -H newc -R 0:0) >"$2"; }

# An image may be several archives end to end: only the job changes from boot to boot.
add_job() {
	rm -rf "$work/job"
	mkdir "$work/job"
	cat >"$work/job/job"
	pack "$work/job" "$work/job.cpio"
	cat "$work/base.cpio" "$work/job.cpio" >"$work/image.cpio"
}

machine=(-machine q35 -nodefaults -no-reboot -display none -monitor none)
if [ -n "$counting" ]; then
	machine+=(-cpu "max,-erms,-fsrm" -smp 1 -m 512 -icount "shift=0,sleep=off"
		-seed 1 -rtc "base=2025-01-01T00:00:00,clock=vm")
	accel=tcg,thread=single
	append="tsc=reliable clocksource=tsc random.trust_cpu=on nokaslr norandmaps audit=0 quiet $append"
else
	machine+=(-cpu max -smp 2 -m 768)
	accel=tcg,thread=multi
	# Emulated counters are in step, even if they look otherwise on a busy machine; and then each reading of a clock would be
	# a system call.
	append="no_timer_check log_buf_len=4M tsc=reliable $append"
fi

# Debian's usual awk would keep what it reads to itself until it has 4 kB of it.
awk=(awk)
[[ $(awk -W version 2>/dev/null </dev/null) != mawk* ]] || awk+=(-W interactive)

# A machine which suspended resumes as soon as it hears something. Those which count instructions hear nothing.
beat() {
	if [ -z "$counting" ]; then
		while sleep 3; do echo; done
	fi
}

# Starts the guest with its report on file descriptor 3. It goes to a file, for QEMU drops what a pipe does not take at once.
boot() {
	: >"$work/report"
	${command:+timeout "$limit"} qemu-system-x86_64 "${machine[@]}" -accel "$accel" -kernel "$image" -initrd "$work/image.cpio" \
		-serial "file:$work/console" -serial stdio \
		-append "console=ttyS0 panic=-1 report=ttyS1 $append" \
		< <(beat) >>"$work/report" 2>"$work/qemu.err" &
	qemu_pid=$!
	exec 3< <(tail -n +1 -f --pid="$qemu_pid" "$work/report" 2>/dev/null)
}

# Copies the report, and ends the guest if it says nothing for longer than what it does may take.
relay() {
	local line patience=${1:-150}
	while IFS= read -r -t "$patience" line <&3; do
		printf '%s\n' "$line"
		case $line in
		"##begin "*) patience=$((${line##* } + 60)) ;;
		"##done" | "##again") break ;;
		esac
	done
}

# A guest that is done turns itself off; another one has to be ended.
finish() {
	while read -r -t 5 <&3; do :; done
	exec 3<&-
	kill "$qemu_pid" 2>/dev/null || true
	wait "$qemu_pid" 2>/dev/null || true
	cat "$work/console" >>"$out/console.log" 2>/dev/null || true
	# A signal from somebody else is no fault of the guest.
	grep -vE "terminating on signal [0-9]+ from pid ($$|$qemu_pid) " "$work/qemu.err" >&2 || true
	qemu_pid=
}

# Prints what the console says of a crash, or else its end.
last_words() {
	# shellcheck disable=SC2016
	sed -n '/evl-vm: mark/h; /evl-vm: mark/!H; ${x; p}' "$work/console" >"$work/last"
	grep -m 1 -A 25 -E 'BUG|WARNING|Oops|Kernel panic|detected stall|lockup|not syncing' "$work/last" ||
		tail -n 25 "$work/last"
}

# Takes the files out of the report, printing the rest.
save_files() {
	local line file=
	while IFS= read -r line; do
		case $line in
		"##file "*) file=${line#\#\#file } ;;
		"##file-end") base64 -d <"$work/file" >"$out/files/${file##*/}"; rm -f "$work/file"; file= ;;
		*) if [ -n "$file" ]; then printf '%s\n' "$line" >>"$work/file"; else printf '%s\n' "$line"; fi ;;
		esac
	done
}

run_command() {
	add_job <<<"run $command"
	boot
	relay "$limit" | save_files | tee "$out/report.log" | grep --line-buffered -v '^##\(exit\|done\|begin\|end\)' || true
	finish
	if ! grep -qx '##done' "$out/report.log"; then
		echo "$name: the guest died, hung or took over $limit s:" >&2
		last_words >&2
		return 1
	fi
	grep -qx '##exit 0' "$out/report.log" && ! grep -q '^##log' "$out/report.log"
}

# When a suite leaves the guest dead or in disorder, those that had not run yet get a new one.
run_in_guests() {
	local left=("$@") suite rest seen_before tried=
	while [ ${#left[@]} -gt 0 ]; do
		printf 'suite %s\n' "${left[@]}" | add_job
		boot
		seen_before=$(wc -l <"$out/seen")
		relay | save_files | tee "$work/log" |
			"${awk[@]}" -v label="$name" -v out="$out" -f "$here/report.awk"
		finish
		cat "$work/log" >>"$out/report.log"
		if grep -qx '##done' "$work/log"; then
			break
		fi
		grep -qx '##again' "$work/log" || last_words | sed 's/^/    /'
		if [ "$(wc -l <"$out/seen")" -eq "$seen_before" ]; then
			# Nothing of ours was loaded by then: emulated processors trip over a kernel's patches to itself, rarely.
			if [ -z "$tried" ]; then
				echo "[$name] the guest did not come up, once more"
				tried=1
				continue
			fi
			echo "[$name] the guest did not come up"
			echo "0 ${#left[@]} 0" >>"$out/counts"
			break
		fi
		rest=()
		for suite in "${left[@]}"; do
			grep -qx "$suite" "$out/seen" || rest+=("$suite")
		done
		left=("${rest[@]}")
	done
}

# Each time the module comes and goes, or an event is turned on, the kernel patches itself where others run. Emulated
# processors trip over that once in some hundred times, if they run side by side.
run_suites() {
	local suite patching=() others=()
	: >"$out/seen"
	for suite; do
		case $suite in
		load | load-oobcpus | load-trace | trace) patching+=("$suite") ;;
		*) others+=("$suite") ;;
		esac
	done
	[ ${#others[@]} -eq 0 ] || run_in_guests "${others[@]}"
	accel=tcg,thread=single
	[ ${#patching[@]} -eq 0 ] || run_in_guests "${patching[@]}"
	! grep -qv '^[0-9]* 0 ' "$out/counts"
}

make_image
if [ -n "$command" ]; then
	run_command
else
	run_suites "$@"
fi
