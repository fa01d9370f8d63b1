#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# evl ps: options, columns and orders, on threads which are made up, and while they come and go.
set -u

cd "$(dirname "$0")/../.." || exit
. test/package/parts/commands.sh

threads=sys/devices/virtual/thread
put "" dev/evl/control
mkdir -p "$EVL_ROOT/$threads/clone"

# thread NAME SCHED STATE PID TIMEOUT STATS WCHAN
thread() {
	local name=$1 attr
	shift
	mkdir -p "$EVL_ROOT/$threads/$name"
	for attr in sched state pid timeout stats wchan; do
		printf '%s\n' "$1" >"$EVL_ROOT/$threads/$name/$attr"
		shift
	done
	echo 0 >"$EVL_ROOT/$threads/$name/observable"
}

run 0 "evl ps without threads" evl ps
prints "shows a header" "CPU   PID   SCHED   PRIO  NAME"

# As in the document: a thread of the kernel, and one which measures.
thread latmus-klat:394 "0 90 90 rt" 0x8002 398 0 "1 311156 311175 0 46999122352 0" -
thread lat-measure:394 "0 0 0 weak" 0x6080 399 0 "0 0 0 0 0" -
run 0 "evl ps" evl ps
prints "looks as documented" \
	"CPU   PID   SCHED   PRIO  NAME" \
	"  0   398      rt    90   [latmus-klat:394]" \
	"  0   399    weak     0   lat-measure:394"
cp "$work/out" "$work/default"
for option in -p --policy; do
	run 0 "evl ps $option" evl ps $option
	expect "is the default" diff "$work/out" "$work/default"
done

thread boosted "3 10 20 fifo" 0x4212 1200 1500 "2 10 11 12 1002003004 1000" door
thread sleeper "12 5 5 rr 10000000" 0x4804 77 3723004005999 "70000 4 3 2 1 1" -
run 0 "evl ps -l" evl ps -l
prints "shows all columns" \
	"CPU   PID   SCHED   PRIO  ISW     CTXSW     SYS       RWA       STAT     TIMEOUT      %CPU      CPUTIME       WCHAN                 NAME" \
	" 12   77       rr     5   70000   4         3         2          Dr      3723:004.005   0.1      0:000.000    -                     sleeper" \
	"  0   398      rt    90   1       311156    311175    0          Wt         -           0.0     46:999.122    -                     [latmus-klat:394]" \
	"  0   399    weak     0   0       0         0         0          X          -           0.0      0:000.000    -                     lat-measure:394" \
	"  3   1200   fifo    20   2       10        11        12         WRb     1            100.0      1:002.003    door                  boosted"
cp "$work/out" "$work/long"
run 0 "evl ps --long" evl ps --long
expect "is the same" diff "$work/out" "$work/long"
run 0 "evl ps -stpw" evl ps -stpw
expect "is the same, with no column twice" diff "$work/out" "$work/long"
run 0 "evl ps -s" evl ps --state -c 3
prints "shows switches and states" \
	"CPU   PID   ISW     CTXSW     SYS       RWA       STAT     NAME" \
	"  3   1200  2       10        11        12         WRb     boosted"
run 0 "evl ps -sn" evl ps -s --numeric -c 3
expect "shows states as numbers" grep -q "^  3   1200  2       10        11        12         4212    boosted$" "$work/out"
run 0 "evl ps -t" evl ps --times -c3
prints "shows times" \
	"CPU   PID   TIMEOUT      %CPU      CPUTIME       NAME" \
	"  3   1200  1            100.0      1:002.003    boosted"
run 0 "evl ps -w" evl ps --wait -c3
prints "shows waits" \
	"CPU   PID   TIMEOUT      RWA       STAT     WCHAN                 NAME" \
	"  3   1200  1            12         WRb     door                  boosted"

# --- Times and states ---------------------------------------------------------------------------------

shows_timeout() {
	thread clock "7 1 1 fifo" 0x4002 5 "$1" "0 0 0 0 0 0" -
	run 0 "a timeout of $1 ns" evl ps -c7 -t
	expect "is $2" grep -q "^  7   5     $3  0.0  " "$work/out"
}
shows_timeout 0 none "   -         "
shows_timeout 999 none "   -         "
shows_timeout 1000 "1 us" "1            "
shows_timeout 999999 "999 us" "999          "
shows_timeout 1000000 "1 ms" "1.000        "
shows_timeout 5678901 "5 ms" "5.678        "
shows_timeout 1000000000 "1 s" "1:000.000    "
shows_timeout 18446744073709551615 "the longest" "18446744073:709.551"

shows_state() {
	thread bits "8 1 1 fifo" "$1" 6 0 "0 0 0 0 0 0" -
	run 0 "state $1" evl ps -c8 -s
	expect "is $2" grep -q "^  8   6     0       0         0         0          $(printf %-8s "$2")$3$" "$work/out"
}
n=0
for letter in S W D p R U Z X H b '#' r; do
	shows_state "$(printf '%#x' $((0x4000 + (1 << n))))" $letter bits
	n=$((n + 1))
done
shows_state 0xc000 t bits
shows_state 0x44000 T bits
shows_state 0x84000 o bits
shows_state 0x737000 "" bits
shows_state 0x4006 w bits
shows_state 0xcc80 "X#rt" bits
shows_state 0x0 "" '\[bits\]'
shows_state 0xfffff "SwpRUZXHb#rtTo" bits
rm -r "${EVL_ROOT:?}/$threads"/{bits,clock}

# --- CPUs -----------------------------------------------------------------------------------------------

shows_cpus() {
	local list=$1
	shift
	run 0 "evl ps -c $list" evl ps -c "$list"
	expect "shows ${*:-none}" diff <(tail -n +2 "$work/out" | sed 's/.* \[*\([a-z]*\).*/\1/' | paste -sd ' ') <(echo "$*")
}
shows_cpus 0 latmus lat
shows_cpus 3,12 sleeper boosted
shows_cpus 3-12 sleeper boosted
shows_cpus 4-12 sleeper
shows_cpus -3 latmus lat boosted
shows_cpus 3- sleeper boosted
shows_cpus 0-0,12,100 sleeper latmus lat
shows_cpus 1-2
shows_cpus 4096
run 0 "evl ps --cpu=3" evl ps --cpu=3
expect "shows one" test "$(wc -l <"$work/out")" -eq 2
for list in "" "," - "1," ,1 x 1x 2-1 -1-2 1--2 "1 2" 99999999999999999999 1-99999999999999999999 --; do
	run 1 "evl ps --cpu='$list'" evl ps --cpu="$list"
	one_line "^evl ps: bad CPU number/range in '$list'$"
done

# --- Orders ---------------------------------------------------------------------------------------------

sorts() {
	local option=$1
	shift
	run 0 "evl ps $option" evl ps "$option"
	expect "goes $*" diff <(tail -n +2 "$work/out" | sed 's/.* \[*\([a-z]*\).*/\1/' | paste -sd ' ') <(echo "$*")
}
sorts -p sleeper latmus lat boosted
sorts -Sr boosted lat latmus sleeper
sorts -Sc boosted sleeper latmus lat
sorts -Si sleeper boosted latmus lat
sorts -St latmus boosted sleeper lat
sorts -Sx latmus boosted sleeper lat
sorts -Sw boosted sleeper latmus lat
sorts --sort=xr lat sleeper boosted latmus
sorts --sort=rx lat sleeper boosted latmus
sorts -Sciw boosted sleeper latmus lat
for key in z X ci. ""; do
	run 1 "evl ps --sort='$key'" evl ps --sort="$key"
	one_line "^evl ps: bad sort key '[zX.]*'$"
done
run 2 "an unknown option" evl ps -y
one_line "^evl ps: invalid option -- 'y'$"
run 1 "an argument" evl ps x
one_line "^evl ps: unexpected argument 'x'$"

# --- Names -----------------------------------------------------------------------------------------------

long=$(printf 'n%.0s' {1..255})
for name in "with  blanks" "%s%n" "-dash" "quote'\"\\" "[not of the kernel]" "été:1" .hidden ..two ... $'\xe2\x82\xac\xf0\x9f\x98\x80' "$long"; do
	thread "$name" "5 1 1 fifo" 0x4002 9 0 "0 0 0 0 0 0" -
	run 0 "a thread called '$name'" evl ps -c5
	prints "shows as that" "CPU   PID   SCHED   PRIO  NAME" "  5   9      fifo     1   $name"
	rm -r "${EVL_ROOT:?}/$threads/$name"
done
thread $'esc\e[31m\tnew\nline\x7f\xc2\x9b|\x9b|\xc0\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|\xe2\x82' "5 1 1 fifo" 0x4002 9 0 "0 0 0 0 0 0" -
run 0 "control characters" evl ps -c5
prints "do not reach the terminal" "CPU   PID   SCHED   PRIO  NAME" "  5   9      fifo     1   esc?[31m?new?line??|?|??|???|????|??"
rm -r "${EVL_ROOT:?}/$threads/"esc*

# --- What is not as it should be -----------------------------------------------------------------------------

mkdir "$EVL_ROOT/$threads/gone"
run 0 "a thread which left" evl ps
expect "is not there" diff "$work/default" <(grep -v -e sleeper -e boosted "$work/out")
expect "and not spoken of" test ! -s "$work/err"
ln -s /proc/self/mem "$EVL_ROOT/$threads/gone/sched"
run 0 "one which leaves while it is read" evl ps
expect "is not spoken of either" test ! -s "$work/err"
rm -r "${EVL_ROOT:?}/$threads/gone"
thread strange "not what it was" 0x4002 9 0 "0 0 0 0 0 0" -
run 1 "a thread which tells something else" evl ps
expect "is left out" diff "$work/default" <(grep -v -e sleeper -e boosted "$work/out")
expect "with a line" diff "$work/err" <(echo "evl ps: what this core tells of a thread is unknown here")
rm -r "${EVL_ROOT:?}/$threads/strange"
# Reading it would begin another period of measurement.
rm "$EVL_ROOT/$threads/boosted/stats"
run 0 "statistics are not read" evl ps -p
expect "if nobody asked for them" grep -q boosted "$work/out"
run 0 "but they are" evl ps -St
expect "if somebody did" eval "! grep -q boosted '$work/out'"
rm -r "${EVL_ROOT:?}/$threads/boosted"

if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$work"
	chmod 600 "$EVL_ROOT/$threads/sleeper/wchan"
	ordinary() { setpriv --reuid=65534 --regid=65534 --clear-groups "$(command -v evl)" "$@"; }
	run 0 "what others wait for" ordinary ps -w -c12
	expect "is not told" grep -q " ?   *sleeper$" "$work/out"
	chmod 755 "$EVL_ROOT/$threads/sleeper/wchan"
	chmod 600 "$EVL_ROOT/$threads/sleeper/sched"
	run 1 "a thread which may not be looked at" ordinary ps
	expect "is complained of" diff "$work/err" <(echo "evl ps: no right to read about a thread")
fi

# --- Many, which come and go --------------------------------------------------------------------------------------

rm -rf "${EVL_ROOT:?}/$threads"
mkdir -p "$EVL_ROOT/$threads" "$work/pool"
for n in {1..300}; do
	thread "t$n" "$((n % 4)) 1 1 fifo" 0x4002 $((1000 + n)) 0 "0 0 0 0 0 0" -
done
run 0 "300 threads" evl ps -l
expect "are all there, in order" diff <(tail -n +2 "$work/out" | sed 's/.* //') <(printf 't%d\n' {1..300})
# As when a pipe ends early: no word, and no end which does not come.
closes_early() { timeout 20 evl ps | head -n 1 && [ "${PIPESTATUS[0]}" -ne 124 ]; }
run 0 "evl ps | head -n 1" closes_early
prints "shows a line" "CPU   PID   SCHED   PRIO  NAME"
expect "without a word" test ! -s "$work/err"

# Half of them move out and in again, whole as in sysfs.
move_around() {
	local n
	while :; do
		for n in {1..150}; do mv "$EVL_ROOT/$threads/t$n" "$work/pool"; done
		mv "$work/pool"/* "$EVL_ROOT/$threads"
	done
}
move_around 2>/dev/null &
mover=$!
complaints=
row='^  [0-3]   1[0-3][0-9][0-9]   fifo     1   0       0         0         0          W          -           0.0      0:000.000    -                     t[0-9]*$'
for _ in {1..50}; do
	evl ps -l >"$work/out" 2>"$work/err" || complaints+=" status $?"
	[ ! -s "$work/err" ] || complaints+=" $(head -n 1 "$work/err")"
	shown=$(grep -c "$row" "$work/out")
	[ "$shown" -ge 150 ] || complaints+=" only $shown threads"
	[ "$(wc -l <"$work/out")" -eq $((shown + 1)) ] || complaints+=" $(grep -m 1 -v -e "$row" -e NAME "$work/out")"
done
kill $mover
wait $mover 2>/dev/null
expect "50 looks while half of them come and go have nothing to complain of" diff <(echo "$complaints") <(echo)
echo "1..$count"
