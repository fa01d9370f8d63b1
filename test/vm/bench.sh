#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Counts what operations cost: runs every program of test/bench in virtual machines where time is the number of
# instructions executed, so that figures repeat whatever the host does.
# Environment: KDIR, ONLY, BUILD as for check.sh; BENCH  restricts the run to these programs
# Programs print lines "| name | figure |". They go to build/bench-log/KERNEL.txt, and side by side to table.md there;
# lines of test/bench/peer.txt, if any, come first there, as figures to compare with.
set -euo pipefail

cd "$(dirname "$0")/../.."
build=$(realpath -m "${BUILD:-build}")
out=$build/bench-log
mkdir -p "$out"

programs=${BENCH:-$(find test/bench -maxdepth 1 -name '*.c' 2>/dev/null | sed 's|.*/||; s|\.c$||' | LC_ALL=C sort)}
if [ -z "$programs" ]; then
	echo "bench: there is no program in test/bench" >&2
	exit 1
fi
make --no-print-directory -C test BUILD="$build" bench

# The clock of the guest takes three seconds to settle on the processor's counter.
guest_job() {
	case " $programs " in *operations*) echo "sleep 3; /bench/operations without" ;; esac
	echo "insmod /mod/evl.ko && sleep 3"
	for program in $programs; do
		echo "echo \"# $program\"; /bench/$program || echo \"# $program: exit status \$?\""
	done
}

bench_kernel() {
	local name=$1 kdir=$2 image=$3 root=$build/bench-root/$1
	tools/build-modules.sh "$kdir" "$build/$name" >"$out/$name.build" 2>&1 </dev/null ||
		{ tail -n 30 "$out/$name.build" >&2; return 1; }
	rm -rf "$root"
	mkdir -p "$root/mod" "$root/bench"
	find "$build/$name" -name '*.ko' -exec cp -t "$root/mod" {} +
	for program in $programs; do
		cp "$build/bench/$program" "$root/bench"
	done
	guest_job >"$root/job.sh"
	echo "bench: kernel $name"
	test/vm/vm-run.sh -b -t 1500 -k "$image" -r "$root" -o "$out/$name" -n "$name" -x "sh /job.sh" |
		tee "$out/$name.log"
	grep '^|' "$out/$name.log" >"$out/$name.txt"
}

# One row per name, one column per file.
table() {
	awk -F ' *[|] *' '
		FNR == 1 { column = FILENAME; sub(/.*\//, "", column); sub(/\.txt$/, "", column); columns[++n] = column }
		NF >= 4 && !($2 in seen) { seen[$2] = 1; rows[++m] = $2 }
		NF >= 4 { figure[$2, column] = $3 }
		END {
			printf "| operation |"; for (i = 1; i <= n; i++) printf " %s |", columns[i]; print ""
			printf "|---|"; for (i = 1; i <= n; i++) printf "---:|"; print ""
			for (j = 1; j <= m; j++) {
				printf "| %s |", rows[j]
				for (i = 1; i <= n; i++) printf " %s |", figure[rows[j], columns[i]]
				print ""
			}
		}' "$@"
}

status=0
tables=()
[ ! -e test/bench/peer.txt ] || tables+=(test/bench/peer.txt)
# shellcheck disable=SC2086
test/vm/kernels.sh "$PWD/build/kernels" ${ONLY:-all} >"$out/kernels.list"
while read -r name kdir image; do
	bench_kernel "$name" "$kdir" "$image" </dev/null || status=1
	[ ! -s "$out/$name.txt" ] || tables+=("$out/$name.txt")
done <"$out/kernels.list"
if [ ${#tables[@]} -gt 0 ]; then
	table "${tables[@]}" >"$out/table.md"
	cat "$out/table.md"
	echo "bench: the table is in ${out#"$PWD/"}/table.md"
fi
exit $status
