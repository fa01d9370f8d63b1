#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The whole test run behind "make check": unit tests here, then every suite on every kernel, in virtual machines.
# Environment: KDIR    more kernels to test on, a list of build folders
#              ONLY    restricts the run: unit, package, debian, kdir, installed, or kernels by name (6.12 6.12-rt 6.1)
#              SUITE   restricts the run to these suites
#              LONG    set, loads and unloads 200 times, which takes minutes on each kernel, instead of 20
#              JOBS    how many kernels to test at a time (default 2)
#              BUILD   where everything goes (default build), so that two runs need not disturb each other
# Last line: "N passed, N failed".
set -euo pipefail

cd "$(dirname "$0")/../.."
build=$(realpath -m "${BUILD:-build}")
logs=$build/log
only=${ONLY:-all}
jobs=${JOBS:-2}
rm -rf "$logs"
mkdir -p "$logs"

# Says whether tests that run without a virtual machine are wanted.
wanted() {
	[ -z "${SUITE:-}" ] || return 1
	case " $only " in *" all "* | *" $1 "*) return 0 ;; *) return 1 ;; esac
}

# Runs tests here. They speak the same language as those in guests, so the same reader counts them.
run_here() {
	local name=$1 status=0
	shift
	mkdir -p "$logs/$name"
	CMOCKA_MESSAGE_OUTPUT=TAP "$@" >"$logs/$name/output" 2>&1 </dev/null || status=$?
	{
		echo "##begin $name 0"
		cat "$logs/$name/output"
		echo "##end $name $status"
	} | awk -v label=here -v out="$logs/$name" -f test/vm/report.awk
}

# A step that failed counts as one failed test.
step_failed() {
	mkdir -p "$logs/$1"
	printf '%-9s %s\n' "[$1]" "$2 failed:"
	grep -v '^  [A-Z]' "$3" 2>/dev/null | tail -n 20 | sed 's/^/    /' || true
	echo "0 1 0" >>"$logs/$1/counts"
}

suites_wanted() {
	if [ -n "${SUITE:-}" ]; then
		tr -s ' ' '\n' <<<"$SUITE"
		return
	fi
	find test/suite -maxdepth 1 \( -name '*.c' -o -name '*.sh' \) 2>/dev/null |
		sed 's|.*/||; s|\.[a-z]*$||' | LC_ALL=C sort
}

# Only the suites asked for have to compile. One that does not is left out of the run, and counts as a failure.
build_programs() {
	local targets=() suite
	while read -r suite; do
		[ ! -e "test/suite/$suite.c" ] || targets+=("$build/test/$suite")
	done < <(suites_wanted)
	make --no-print-directory -k -j2 -C test BUILD="$build" "${targets[@]}" examples
}

# A debugger, with what it has loaded by the time that it takes commands: large, so only whoever asks for its suite gets it.
add_gdb() {
	local root=$1 file
	case " ${SUITE:-} " in *" gdb "*) ;; *) return ;; esac
	command -v gdb >/dev/null || return 0
	install -D -t "$root/usr/bin" "$(command -v gdb)"
	gdb -nx -batch -ex 'python import sys; print(*{m.__file__ for m in list(sys.modules.values()) if getattr(m, "__file__", 0)}, sep="\n")' |
		grep '^/' | while read -r file; do
		install -D -m 644 "$file" "$root$file"
	done
}

# What a guest gets. Programs are the same for all kernels, modules are not.
stage() {
	local root=$build/root/$1
	rm -rf "$root"
	mkdir -p "$root/test/parts" "$root/mod" "$root/examples" "$build/test" "$build/examples"
	find "$build/test" "$build/examples" -type f -perm -u+x | while read -r program; do
		cp "$program" "$root${program#"$build"}"
	done
	cp test/suite/*.sh test/suite/limits "$root/test"
	cp test/suite/parts/*.sh "$root/test/parts"
	CFLAGS='' DESTDIR=$root PREFIX=/usr tools/install.sh commands
	add_gdb "$root"
	[ -z "${LONG:-}" ] || touch "$root/test/thorough"
	find "$build/$1" -name '*.ko' -exec cp -t "$root/mod" {} +
	# As they get installed: what debuggers want makes them twenty times as large, which an emulated CPU takes a second
	# to load.
	strip --strip-debug "$root"/mod/*.ko
}

test_kernel() {
	local name=$1 kdir=$2 image=$3 suites
	# Here, the parts of the core look at what they expect of each other. One of Debian's kernels will do.
	local debug=
	if [ "$name" = 6.12-rt ] || grep -qs '^CONFIG_PROVE_LOCKING=y' "$kdir/.config"; then
		debug=y
	fi
	if ! EVL_DEBUG=$debug tools/build-modules.sh "$kdir" "$build/$name" >"$logs/$name.build" 2>&1 </dev/null; then
		step_failed "$name" "building the modules" "$logs/$name.build"
		return
	fi
	stage "$name"
	mapfile -t suites < <(suites_wanted | while read -r suite; do
		if [ -e "$build/root/$name/test/$suite" ] || [ -e "$build/root/$name/test/$suite.sh" ]; then
			echo "$suite"
		fi
	done)
	[ ${#suites[@]} -gt 0 ] || return 0
	# Its lines and its counts say what failed.
	test/vm/vm-run.sh -k "$image" -r "$build/root/$name" -o "$logs/$name" -n "$name" "${suites[@]}" || true
}

# Waits for a free place, then starts a job beside those that run.
start() {
	while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do
		wait -n || true
	done
	"$@" </dev/null &
}

if wanted unit && [ -e test/unit/Makefile ]; then
	run_here unit make --no-print-directory -C test/unit check
fi

# What is left names kernels.
kernels=$(tr -s ' ' '\n' <<<"$only" | grep -vx -e unit -e package -e '' || true)
if [ -n "$kernels" ]; then
	# shellcheck disable=SC2086
	if ! test/vm/kernels.sh "$PWD/build/kernels" $kernels >"$logs/kernels.list"; then
		step_failed kernels "finding the kernels" "$logs/kernels.list"
	elif [ ! -s "$logs/kernels.list" ]; then
		echo "ONLY=$only selects no kernel" >"$logs/kernels.none"
		step_failed kernels "finding the kernels" "$logs/kernels.none"
	else
		build_programs >"$logs/programs.build" 2>&1 </dev/null ||
			step_failed programs "building the test programs" "$logs/programs.build"
		while read -r name kdir image; do
			start test_kernel "$name" "$kdir" "$image"
		done <"$logs/kernels.list"
	fi
fi

# These need a kernel's headers, so they come last.
if wanted package; then
	for suite in test/package/*.sh; do
		name=${suite##*/}
		start run_here "${name%.sh}" "$suite"
	done
fi
wait

# Whatever went wrong with a kernel, it must not pass for want of a count.
while read -r name _; do
	[ -s "$logs/$name/counts" ] || step_failed "$name" "the run" "$logs/$name.build"
done < <(cat "$logs/kernels.list" 2>/dev/null)

read -r passed failed skipped < <(find "$logs" -name counts -exec cat {} + |
	awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }')
echo
[ "$skipped" -eq 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
