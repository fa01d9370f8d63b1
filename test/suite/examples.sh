#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The examples: each runs to its end, and says what its comments promise.

. /test/parts/tap.sh

# What a program says is in out, in the order of its saying.
run() {
	wanted=$1
	shift
	timeout 100 "$@" >out 2>&1 </dev/null
	status=$?
	expect "$* ends with status $wanted" "$wanted" $status
}

says() { grep -q "$1" out; }
# says_lines COUNT PATTERN: that many lines, all of them like this
says_lines() { [ "$(wc -l <out)" -eq "$1" ] && [ "$(grep -c "$2" out)" -eq "$1" ]; }
says_exactly() { printf '%s\n' "$@" | cmp -s - out; }

# --- One thread out-of-band ------------------------------------------------------------

run 0 /examples/hello
check "ten lines from out-of-band, in order" says_exactly "out-of-band, 0" "out-of-band, 1" "out-of-band, 2" \
	"out-of-band, 3" "out-of-band, 4" "out-of-band, 5" "out-of-band, 6" "out-of-band, 7" "out-of-band, 8" \
	"out-of-band, 9"

run 0 /examples/timer
# A busy machine may be late for some of them.
sed -i 's/, late$//' out
check "ten ticks" says_exactly "tick 0" "tick 1" "tick 2" "tick 3" "tick 4" "tick 5" "tick 6" "tick 7" "tick 8" "tick 9"

# --- Several of them ---------------------------------------------------------------------

run 0 /examples/xbuf
check "squares come back" says_exactly "the square of 5 is 25" "the square of 4 is 16" "the square of 3 is 9" \
	"the square of 2 is 4" "the square of 1 is 1" "the square of 0 is 0"

for _ in 1 2 3; do
	run 0 /examples/priority-inversion
	check "a mutex ends the inversion" says "^inheritance saved [0-9]*\.[0-9]* ms: right$"
done

run 0 /examples/producer-consumer
check "all items go through" \
	says "^3000 items through 8 slots, 3 producers waited [0-9]* times, 2 consumers [0-9]* times$"
check "once and in order" says "^0 lost or duplicated, 0 out of order: right$"

# Both listeners hear all of it, in order.
heard_all() {
	for who in control display; do
		[ "$(grep "^$who: " out | tr '\n' ';')" = \
			"$who: 101325 Pa, notice 0;$who: 101326 Pa, notice 1;$who: 101327 Pa, notice 2;" ] || return 1
	done
}
run 0 /examples/observable
check "listeners on both stages hear all notices" heard_all

run 0 /examples/hidden-switch
check "the hidden switch is found" says "^[0-9.]* the loop was sent in-band by a system call of Linux$"

# --- Latency -------------------------------------------------------------------------------

number_in() { sed -n "s/$1/\1/p" out; }

# A date a millisecond, each of which is sampled or missed.
all_dates_count() {
	[ $(($(number_in '^samples \([0-9]*\), .*') + $(number_in '^overruns \([0-9]*\), .*'))) -ge 2000 ]
}
histogram_adds_up() {
	[ "$(awk '!/^#/ { sum += $2 } END { print sum }' cells)" -eq "$(number_in '^samples \([0-9]*\), .*')" ]
}

for option in "" -n; do
	rm -f cells
	# shellcheck disable=SC2086
	run 0 /examples/demo -t 2 -o cells $option
	check "it samples for two seconds" all_dates_count
	check "and never leaves the out-of-band stage" says "^overruns [0-9]*, in-band switches 0$"
	check "the histogram has all samples" histogram_adds_up
done
run 2 /examples/demo -x

# --- A driver and its program ------------------------------------------------------------------

run 1 /examples/xbuf-peer
check "xbuf-peer misses its driver" says "is xbuf-driver.ko loaded?"

# Twenty samples, ten milliseconds apart whenever each was taken.
in_step() {
	awk '$1 != "sample" || $2 != NR - 1 || (NR > 1 && $4 - last != 10000000) { bad = 1 }
		{ last = $4 }
		END { exit bad }' out
}

check "the driver loads" insmod /mod/xbuf-driver.ko
for _ in 1 2; do
	run 0 /examples/xbuf-peer
	check "twenty samples" says_lines 20 "^sample [ 0-9][0-9] at [0-9]* ns, -*[0-9]* ns late$"
	check "each at its time" in_step
done
check "evl.ko stays as long as the driver does" refused rmmod evl
check "the driver unloads" rmmod xbuf-driver
check "and is gone" refused loaded xbuf_driver

report
