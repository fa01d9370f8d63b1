#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs examples/demo on evl.ko in a virtual machine and draws the latencies it measured.
# Environment: KDIR   kernel build folder to run on instead of Debian's 6.12
#              BUILD  where everything goes (default build)
# In the guest, the demo runs in the folder whose files come back here, and leaves histogram.dat there.
set -euo pipefail

cd "$(dirname "$0")/../.."
build=$(realpath -m "${BUILD:-build}")
out=$build/demo
mkdir -p "$build"

if [ -n "${KDIR:-}" ]; then want=kdir; else want=6.12; fi
read -r name kdir image < <(test/vm/kernels.sh build/kernels $want) || true
if [ -z "${image:-}" ]; then
	echo "demo: no kernel to run on" >&2
	exit 1
fi

step() {
	echo "demo: $1"
	shift
	"$@" >"$build/demo.log" 2>&1 </dev/null || { tail -n 30 "$build/demo.log" >&2; exit 1; }
}
step "building for kernel $name" tools/build-modules.sh "$kdir" "$build/$name"
step "building the demo" make --no-print-directory -C test BUILD="$build" "$build/examples/demo"

root=$build/demo-root
rm -rf "$root"
mkdir -p "$root/mod" "$root/examples"
cp "$build/$name/module/evl.ko" "$root/mod"
cp "$build/examples/demo" "$root/examples"

echo "demo: starting the virtual machine (emulated, so latencies are those of the emulator)"
test/vm/vm-run.sh -k "$image" -r "$root" -o "$out" -n demo -t 90 \
	-x "insmod /mod/evl.ko && dmesg | grep evl: | tail -n 1 && cd /out && /examples/demo"

if [ -s "$out/files/histogram.dat" ]; then
	gnuplot -e "data='$out/files/histogram.dat'; picture='$out/histogram.png'" tools/histogram.gp
	echo "demo: the histogram is in ${out#"$PWD/"}/histogram.png"
fi
