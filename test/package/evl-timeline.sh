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
