#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# evl timeline: what it draws of traces which are made up.
set -u

cd "$(dirname "$0")/../.." || exit
. test/package/parts/commands.sh

# As the kernel prints it, trace-cmd and perf. Names may have anything, events of others are in between.
cat >"$work/trace" <<'TRACE'
# tracer: nop
#
# entries-in-buffer/entries-written: 9/9   #P:2
#
          <idle>-0       [000] d..1.    52.118190: sched_switch: prev_comm=swapper/0 prev_pid=0 ==> next_comm=evl_trace: x
          <idle>-0       [000] d.h1.    52.118200: evl_wakeup_thread: name=left arm pid=7:812 pid=813 prio=80 cpu=1 state=D info=timeout
          <idle>-0       [001] d..1.    52.118203: evl_switch_context: prev_name=[in-band] prev_pid=0 prev_prio=0 prev_state=. ==> next_name=left arm pid=7:812 next_pid=813 next_prio=80
   my [0] motor-813      [001] d..1.    52.118213: evl_switch_context: prev_name=left arm pid=7:812 prev_pid=813 prev_prio=80 prev_state=D ==> next_name=fast "one"\ next_pid=900 next_prio=90
            fast-900     [001] d..1.    52.118220: evl_switching_inband: name=fast "one"\ pid=900 cause=sysdemote details=0x0
            fast-900     [001] d..1.    52.118221: evl_switch_context: prev_name=fast "one"\ prev_pid=900 prev_prio=90 prev_state=X ==> next_name=[in-band] next_pid=0 next_prio=0
            fast-900     [001] d..1.    52.118230: evl_switched_oob: name=fast "one"\ pid=900 class=fifo prio=90 cpu=1 state=. info=-
            fast-900     [001] d..1.    52.118231: evl_trace: run 7 "begins"
            fast-900     [001] d..1.    52.118240: evl_latspot: latency=812 ns
TRACE

run 0 "a trace of the kernel" evl timeline "$work/trace"
cp "$work/out" "$work/json"
draws() { expect "$1" grep -qF "$2" "$work/out"; }
draws "who has the CPU" '{"ph": "X", "name": "left arm pid=7:812", "pid": 1, "tid": 1, "ts": 52118203.000, "dur": 10.000, "args": {"pid": 813, "prio": 80}}'
draws "and who comes next" '{"ph": "X", "name": "fast \"one\"\\", "pid": 1, "tid": 1, "ts": 52118213.000, "dur": 8.000, "args": {"pid": 900, "prio": 90}}'
draws "that a thread is out-of-band, to the end" '{"ph": "X", "name": "out-of-band", "pid": 2, "tid": 813, "ts": 52118203.000, "dur": 37.000}'
draws "or until it leaves" '{"ph": "X", "name": "out-of-band", "pid": 2, "tid": 900, "ts": 52118213.000, "dur": 7.000}'
draws "what brought it in-band" '{"ph": "X", "name": "in-band", "pid": 2, "tid": 900, "ts": 52118220.000, "dur": 10.000, "args": {"cause": "sysdemote"}}'
draws "and back" '{"ph": "X", "name": "out-of-band", "pid": 2, "tid": 900, "ts": 52118230.000, "dur": 10.000}'
draws "a wakeup" '{"ph": "X", "name": "wakes left arm pid=7:812", "pid": 3, "tid": 0, "ts": 52118200.000, "dur": 0.500, "args": {"pid": 813}}'
draws "with the begin of an arrow" '{"ph": "s", "name": "wakeup", "cat": "wakeup", "pid": 3, "tid": 0, "ts": 52118200.000, "id": 1}'
draws "and its end" '{"ph": "f", "name": "wakeup", "cat": "wakeup", "pid": 1, "tid": 1, "ts": 52118203.000, "id": 1, "bp": "e"}'
draws "marks" '{"ph": "i", "s": "g", "name": "trace: run 7 \"begins\"", "pid": 1, "tid": 1, "ts": 52118231.000}'
draws "of drivers too" '"name": "latspot: latency=812 ns"'
draws "names of tracks" '{"ph": "M", "name": "thread_name", "pid": 2, "tid": 813, "args": {"name": "left arm pid=7:812"}}'
expect "and nothing else" test "$(grep -c '"ph"' "$work/out")" -eq 18
is_json() { python3 -c 'import json, sys; json.load(open(sys.argv[1]))["traceEvents"][17]' "$work/out"; }
if command -v python3 >/dev/null; then expect "it is JSON" is_json; fi

piped() { evl timeline <"$work/trace"; }
run 0 "from standard input" piped
expect "is the same" diff "$work/out" "$work/json"
run 0 "into a file" evl timeline -o "$work/a file" "$work/trace"
expect "is the same" diff "$work/a file" "$work/json"
sed 's/ d\.[^ ]*  *\([0-9]\)/ \1/' "$work/trace" >"$work/trace-cmd"
run 0 "as trace-cmd prints it, without flags" evl timeline "$work/trace-cmd"
expect "is the same" diff "$work/out" "$work/json"
sed 's/-\([0-9]*\) *\[/ \1 [/; s/: evl_/:    evl:evl_/' "$work/trace-cmd" >"$work/perf"
run 0 "as perf prints it" evl timeline "$work/perf"
expect "is the same" diff "$work/out" "$work/json"
sed '/my \[0\] motor/i CPU:1 [LOST 37 EVENTS]' "$work/trace" >"$work/lost"
run 0 "with lost events" evl timeline "$work/lost"
draws "ends what was going on" '"name": "left arm pid=7:812", "pid": 1, "tid": 1, "ts": 52118203.000, "dur": 0.000'


# --- Names which look like something else ------------------------------------------------------------

cat >"$work/forged" <<'TRACE'
          <idle>-0       [001] d..1.    10.000000: evl_switch_context: prev_name=a ==> next_name=z next_pid=99 next_prio=1 prev_pid=1 prev_prio=1 prev_state=W ==> next_name=b next_pid=99 next_prio=98 prev_name=x ==> next_name=c next_pid=7 next_prio=5
 [0] 9.0: evl_t:-7       [001] d..1.    10.000010: evl_switching_inband: name=c cause=z details= pid=98 pid=7 cause=sysdemote details=0x0
   LOST 1 EVENTS-7       [001] d..1.    10.000020: evl_wakeup_thread: name=d pid=97 prio=1 pid=8 prio=5 cpu=1 state=W info=-
               c-7       [001] d..1.    10.000030: evl_switch_context: prev_name=c prev_pid=7 prev_prio=5 prev_state=W ==> next_name=[in-band] next_pid=0 next_prio=-1
TRACE
run 0 "names which have the text of fields" evl timeline "$work/forged"
draws "do not pass for another thread" '"name": "b next_pid=99 next_prio=98 prev_name=x ==> next_name=c", "pid": 1, "tid": 1, "ts": 10000000.000, "dur": 30.000, "args": {"pid": 7, "prio": 5}}'
draws "nor for another cause" '"name": "in-band", "pid": 2, "tid": 7, "ts": 10000010.000, "dur": 20.000, "args": {"cause": "sysdemote"}}'
draws "nor for a wakeup of another thread" '"name": "wakes d pid=97 prio=1", "pid": 3, "tid": 1, "ts": 10000020.000, "dur": 0.500, "args": {"pid": 8}}'

printf ' x-1 [001] d..1. 10.000000: evl_trace: \303\251\342\202\254\360\237\230\200|\233|\302\233|\300\257|\355\240\200|\364\220\200\200|\342\202|\tA\\"\n' >"$work/bytes"
run 0 "what is no UTF-8" evl timeline "$work/bytes"
draws "has marks in its place" "trace: $(printf '\303\251\342\202\254\360\237\230\200')|?|?|??|???|????|??|?A\\\\\\\""
is_text() { python3 -c 'import json, sys; json.loads(open(sys.argv[1], "rb").read().decode())' "$work/out"; }
if command -v python3 >/dev/null; then expect "and the result is JSON" is_text; fi
if command -v busybox >/dev/null; then
	mkdir "$work/busybox" && ln -s "$(command -v busybox)" "$work/busybox/awk"
	cp "$work/out" "$work/json-bytes"
	PATH="$work/busybox:$PATH" run 0 "with the awk of busybox" evl timeline "$work/bytes"
	expect "it is the same" diff "$work/out" "$work/json-bytes"
fi

# --- What is written to ------------------------------------------------------------------------------

cp "$work/trace" "$work/kept"
run 2 "a trace which would be written to" evl timeline -o "$work/kept" "$work/kept"
one_line "^evl timeline: $work/kept is the trace itself$"
ln -s kept "$work/link"
run 2 "by another name" evl timeline -o "$work/link" "$work/kept"
one_line "^evl timeline: $work/link is the trace itself$"
over_input() { evl timeline -o "$work/kept" <"$work/kept"; }
run 2 "from standard input" over_input
one_line "^evl timeline: $work/kept is the trace itself$"
run 1 "what has no events" evl timeline -o "$work/kept" "$work/usr/bin/evl"
one_line "^evl timeline: there is no event of the core in $work/usr/bin/evl$"
expect "leaves what was there" diff "$work/trace" "$work/kept"
chmod 640 "$work/kept"
run 0 "a link to a file" evl timeline -o "$work/link" "$work/trace"
expect "has that file written" diff "$work/json" "$work/kept"
expect "with the rights which it had" test "$(stat -c %a "$work/kept")" = 640
expect "and is one still" test -h "$work/link"
expect "no other files are left" test -z "$(find "$work" -maxdepth 1 -name 'kept?*' -o -maxdepth 1 -name 'link?*')"

# --- Mistakes ----------------------------------------------------------------------------------------

run 1 "a trace of something else" evl timeline "$work/usr/bin/evl"
one_line "^evl timeline: there is no event of the core in $work/usr/bin/evl$"
run 1 "nothing" evl timeline
one_line "^evl timeline: there is no event of the core in standard input$"
run 1 "a file which is not there" evl timeline "$work/none"
one_line "^evl timeline: cannot read $work/none$"
run 1 "a folder" evl timeline "$work"
one_line "^evl timeline: cannot read $work$"
run 1 "a folder to write to" evl timeline -o "$work" "$work/trace"
one_line "^evl timeline: cannot write to $work$"
run 1 "a full disk" evl timeline -o /dev/full "$work/trace"
one_line "^evl timeline: cannot write to /dev/full$"
run 2 "two traces" evl timeline "$work/trace" "$work/trace"
one_line "^evl timeline: one trace, please$"
run 2 "an unknown option" evl timeline -x
one_line "^evl timeline: unknown option '-x'"
run 2 "a missing value" evl timeline -o
one_line "^evl timeline: -o needs a value"
echo "1..$count"
