#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The evl command and its plugins, on machines which are made up.
set -u

cd "$(dirname "$0")/../.." || exit
. test/package/parts/commands.sh

sysdir=sys/devices/virtual
tracedir=sys/kernel/tracing

# --- A machine without a core ------------------------------------------------------------------

mkdir -p "$EVL_ROOT/dev" "$EVL_ROOT/$sysdir"
run 1 "evl ps without a core" evl ps
one_line "^evl ps: EVL core is not present/enabled$"
for verb in start stop; do
	run 2 "evl $verb without a core" evl $verb
	one_line "^evl $verb: no EVL core in kernel$"
done
run 2 "evl trace without a tracer" evl trace -e
one_line "^evl trace: no kernel support for tracing"
mkdir -p "$EVL_ROOT/$tracedir/events" && put 1 $tracedir/tracing_on
run 2 "evl trace without a core" evl trace
one_line "^evl trace: no EVL core in kernel$"
run 2 "evl test without tests" evl test
one_line "^evl test: no tests in $libexec/tests$"

# --- The front-end -----------------------------------------------------------------------------

abi=$(sed -n 's/^#define EVL_ABI_PREREQ[[:space:]]\{1,\}//p' include/evl/version.h)
release=$(sed -n 's/^#define EVL_VERSION_STRING[[:space:]]*"\(.*\)"/\1/p' include/evl/version.h)
for option in -V -v --version; do
	run 0 "evl $option" evl $option
	prints "tells the revision and the ABI" "$release [requires ABI $abi]"
done

commands="check gdb help ps start stop test timeline trace"
run 0 "evl help" evl help
expect "has an empty line, a title and another one" diff <(head -n 3 "$work/out") <(printf '\navailable commands:\n\n')
expect "lists all commands" diff <(tail -n +4 "$work/out" | cut -d ' ' -f 1 | paste -sd ' ') <(echo "$commands")
expect "describes each of them" test "$(tail -n +4 "$work/out" | grep -c '^[a-z]\{1,\} \{1,\}[a-z]..')" -eq 9
cp "$work/out" "$work/help"
for arguments in "" -h --help; do
	# shellcheck disable=SC2086
	run 0 "evl $arguments" evl $arguments
	expect "begins with how to use it" grep -q "^usage: evl \[options\] \[<command> \[<arguments>\]\]$" "$work/out"
	expect "goes on with the commands" diff <(sed -n '/^$/,$p' "$work/out") "$work/help"
done

run 1 "an unknown command" evl frobnicate -x
one_line "^evl: no 'frobnicate' command. Try 'evl --help'.$"
for bad in ../evl-ps "" "/bin/ls" ". " '*'; do
	run 1 "a name which is none: '$bad'" evl "$bad"
	one_line "^evl: no '.*' command. Try 'evl --help'.$"
done
run 2 "an unknown option" evl --frobnicate
one_line "^evl: unknown option '--frobnicate'"
run 2 "a prefix which is missing" evl -P
one_line "^evl: -P needs a path"

# As upstream's documentation tells users to add commands.
mkdir -p "$work/a path" "$work/other/libexec/evl" "$work/empty"
cat >"$work/a path/evl-hello" <<'PLUGIN'
#!/bin/sh
if [ "${1:-}" = -@ ]; then echo "say hello"; echo "never shown"; exit; fi
for name in EVL_CMDDIR EVL_TESTDIR EVL_SYSDIR EVL_TRACEDIR; do eval "echo $name=\$$name"; done
echo "$#:$1:$2"
case :$PATH: in *:"$EVL_CMDDIR":*) echo "in path" ;; esac
exit 7
PLUGIN
chmod +x "$work/a path/evl-hello"
PATH="$work/a path:$PATH" run 7 "a command in \$PATH gets its arguments, and its status is that of evl" evl hello "a  b" ""
prints "and the environment" "EVL_CMDDIR=$libexec" "EVL_TESTDIR=$libexec/tests" "EVL_SYSDIR=$EVL_ROOT/$sysdir" \
	"EVL_TRACEDIR=$EVL_ROOT/$tracedir" "2:a  b:" "in path"
PATH="$work/a path:$PATH" run 0 "evl help finds it" evl help
expect "and shows one line of it" grep -qx "hello        say hello" "$work/out"
expect "only" test "$(wc -l <"$work/out")" -eq $(($(wc -l <"$work/help") + 1))
mkdir -p "$EVL_ROOT/sys/kernel/debug/tracing"
PATH="$work/a path:$PATH" run 7 "with debugfs" evl hello x y
expect "the tracer is there" grep -qx "EVL_TRACEDIR=$EVL_ROOT/sys/kernel/debug/tracing" "$work/out"
rmdir "$EVL_ROOT/sys/kernel/debug/tracing"
printf '#!/bin/sh\necho "mine: $*"\n' >"$work/other/libexec/evl/evl-ps"
chmod +x "$work/other/libexec/evl/evl-ps"
for option in "-P $work/other" "-P$work/other" "--prefix $work/other" "--prefix=$work/other"; do
	# shellcheck disable=SC2086
	run 0 "evl $option" evl $option ps -l
	prints "takes commands from there" "mine: -l"
done
in_other() { cd "$work" && evl -P other "$@"; }
run 0 "a relative prefix" in_other ps
prints "is found" "mine: "
ln -s "$work/usr/bin/evl" "$work/a path/evl"
run 0 "evl behind a link" "$work/a path/evl" help
expect "finds its commands" diff "$work/out" "$work/help"
cp -r "$work/usr" "$work/moved to"
run 0 "evl which was moved" "$work/moved to/bin/evl" help
expect "finds its commands" diff "$work/out" "$work/help"
without_path() { (unset PATH && "$work/usr/bin/evl" -V); }
run 0 "evl without a PATH" without_path

for command in $commands; do
	run 0 "evl-$command says what it is for" env -u EVL_CMDDIR -u EVL_SYSDIR "$libexec/evl-$command" -@
	expect "in a line" grep -qx "$command  *$(cat "$work/out")" "$work/help"
	run 0 "evl $command -h" evl "$command" -h
	expect "tells how to use it" grep -q "^usage: evl $command" "$work/out"
	[ "$command" = ps ] || {
		status=1
		[ "$command" != check ] || status=125
		run $status "evl-$command without evl" env -u EVL_CMDDIR "$libexec/evl-$command"
		one_line "^evl $command: run this as 'evl $command'$"
	}
done
put "" dev/evl/control
run 1 "evl-ps without evl" env -u EVL_SYSDIR "$libexec/evl-ps"
one_line "^evl ps: run this as 'evl ps'$"
for command in start stop help; do
	run 2 "evl $command with an argument" evl $command -x
	one_line "^evl $command: unknown option '-x'"
done

# --- Starting and stopping -------------------------------------------------------------------------

put stopped $sysdir/evl/control/state
run 1 "a core which does not start" evl start
# What is written to a file of an ordinary file system stays there, which is a state that no core has.
one_line "^evl start: the core is start.*, not running$"
ln -sf /proc/self/mem "$EVL_ROOT/$sysdir/evl/control/state"
run 1 "a core which refuses" evl stop
one_line "^evl stop: the core refused: Input/output error$"
rm "$EVL_ROOT/$sysdir/evl/control/state"

# --- Output which goes nowhere ------------------------------------------------------------------------

put running $sysdir/evl/control/state
put 6.6.57 proc/sys/kernel/osrelease
mkdir -p "$EVL_ROOT/$sysdir/thread" "$EVL_ROOT/$tracedir/events/evl"
closed() { timeout 20 evl "$@" >&-; }
full() { timeout 20 evl "$@" >/dev/full; }
while read -r status arguments; do
	# shellcheck disable=SC2086
	run "$status" "evl $arguments, with its output closed" closed $arguments
	one_line "standard output is closed$"
	# shellcheck disable=SC2086
	run "$status" "evl $arguments, on a full disk" full $arguments
	one_line "cannot write to standard output$"
done <<'LIST'
1 help
1 -V
1 -h
1 ps
1 ps -h
1 ps -@
1 start -h
1 test -h
1 trace -t -d
1 trace -h
125 check
125 check --json
LIST

# --- Tests ----------------------------------------------------------------------------------------------

mkdir -p "$libexec/tests/folder"
add_test() { printf '#!/bin/sh\n%s\n' "$2" >"$libexec/tests/$1" && chmod +x "$libexec/tests/$1"; }
add_test b-passes 'echo "for people"'
add_test a-unable 'exit 42'
add_test c-tells 'echo "accuracy 99%" >&2; exit 43'
echo "no program" >"$libexec/tests/d-data"
run 0 "evl test" evl test
prints "runs the programs in order" "a-unable: no kernel support" "b-passes: OK" "c-tells: accuracy 99%"
expect "what they print goes to standard error" diff "$work/err" <(echo "for people")
run 0 "evl test -l" evl test -l
prints "lists them" a-unable b-passes c-tells
run 0 "evl test -L b-passes" evl test -L b-passes
prints "lists one with its path" "$libexec/tests/b-passes"
run 2 "an unknown test" evl test b-passes no-such
one_line "^evl test: no such test: 'no-such'$"
run 2 "what is not executable" evl test d-data
one_line "^evl test: no such test: 'd-data'$"
run 2 "a path" evl test ../evl-ps
one_line "^evl test: no such test: '../evl-ps'$"
add_test b-breaks 'echo "why" >&2; exit 3'
add_test c-crashes 'kill -SEGV $$'
run 3 "a test which fails" evl test
prints "ends the run" "a-unable: no kernel support" "** b-breaks: BROKEN"
expect "and says why" grep -qx why "$work/err"
run 3 "-k goes on" evl test -k
prints "to the end" "a-unable: no kernel support" "** b-breaks: BROKEN" "b-passes: OK" "** c-crashes: BROKEN" "c-tells: accuracy 99%"
run 0 "only those asked for run, in this order" evl test c-tells b-passes
prints "and are told of" "c-tells: accuracy 99%" "b-passes: OK"
run 2 "an unknown option of evl test" evl test -x
one_line "^evl test: unknown option '-x'"

# --- The debugger ------------------------------------------------------------------------------------------

run 2 "evl gdb alone" evl gdb
one_line "^evl gdb: debug what?"
run 1 "evl gdb of what is not there" evl gdb frobnicate
one_line "^evl gdb: no 'frobnicate' command in $libexec; a program has a slash in its path$"
run 1 "evl gdb of a script" evl gdb help
one_line "^evl gdb: 'help' is a script, which gdb cannot debug$"
run 2 "evl gdb with arguments which are not for it" evl gdb ps -l
one_line "^evl gdb: arguments of gdb come after --"
printf '#!/bin/sh\nprintf "<%%s>" "$@"\necho\n' >"$work/a path/gdb" && chmod +x "$work/a path/gdb"
PATH="$work/a path:$PATH" run 0 "evl gdb ps" evl gdb ps -- -ex "run -l"
prints "debugs that" "<-x><$libexec/gdb.evl><-ex><run -l><$libexec/evl-ps>"
PATH="$work/a path:$PATH" run 0 "evl gdb ps without arguments" evl gdb ps
prints "debugs that too" "<-x><$libexec/gdb.evl><$libexec/evl-ps>"
expect "its settings are there" test -r "$libexec/gdb.evl"
PATH="$work/a path:$PATH" run 0 "evl gdb of a program" evl gdb /bin/ls -- -batch
prints "debugs that as well" "<-x><$libexec/gdb.evl><-batch></bin/ls>"
PATH="$work/a path:$PATH" run 0 "evl gdb of a process" evl gdb -p $$
prints "debugs that one" "<-x><$libexec/gdb.evl><-p><$$>"
run 1 "evl gdb of no program" evl gdb ./frobnicate
one_line "^evl gdb: no program at './frobnicate'$"
run 2 "evl gdb of no number" evl gdb -p 1x
one_line "^evl gdb: -p needs a number, not '1x'$"
run 2 "evl gdb -p alone" evl gdb -p
one_line "^evl gdb: -p needs a value"

# --- The tracer -----------------------------------------------------------------------------------------------

trace=$EVL_ROOT/$tracedir
rm -rf "$trace"
for file in tracing_on current_tracer buffer_size_kb trace snapshot events/enable per_cpu/cpu1/buffer_size_kb \
	per_cpu/cpu1/snapshot events/evl/enable events/evl/evl_schedule/enable events/irq/irq_handler_entry/enable \
	events/evl/evl_trigger/enable events/evl/evl_trigger/trigger; do
	put 0 $tracedir/$file
done
put "function nop" $tracedir/available_tracers
has() { expect "$1 is $2" test "$(cat "$trace/$1")" = "$2"; }
run 0 "evl trace -eevl" evl trace -eevl
prints "tells what it did" "tracing enabled"
has tracing_on 1
has current_tracer nop
has buffer_size_kb 128
has events/enable 0
has events/evl/enable 1
has events/irq/irq_handler_entry/enable 0
has events/evl/evl_trigger/trigger snapshot
put 0 $tracedir/events/evl/enable
run 0 "evl trace -eirq -s 4096 -f" evl trace -eirq -s 4096 -f
has events/irq/irq_handler_entry/enable 1
has events/evl/evl_schedule/enable 1
has events/evl/enable 0
has buffer_size_kb 4096
has current_tracer function
run 0 "evl trace -d" evl trace -d
prints "tells what it did" "tracing disabled"
has tracing_on 0
has current_tracer nop
has events/evl/evl_trigger/trigger "!snapshot"
run 0 "evl trace -e" evl trace -e
has events/enable 1
has current_tracer function
printf '# my events\n\n  evl/evl_schedule # this one\nevl/evl_future\n' >"$work/events"
put 0 $tracedir/events/evl/evl_schedule/enable
run 0 "evl trace -E FILE -c 1 -s512" evl trace -E "$work/events" -c 1 -s512
has events/evl/evl_schedule/enable 1
has per_cpu/cpu1/buffer_size_kb 512
has current_tracer nop
echo evl/evl_future >"$work/events"
run 1 "none of the events" evl trace -E "$work/events"
one_line "^evl trace: this kernel has none of these events$"
has tracing_on 0
echo ../tracing_on >"$work/events"
run 1 "an event which is none" evl trace -E "$work/events"
one_line "^evl trace: bad event '../tracing_on'$"
put nop $tracedir/available_tracers
run 1 "no function tracer" evl trace -f
one_line "^evl trace: this kernel cannot trace functions$"
has tracing_on 0
mv "$trace/snapshot" "$work/snapshot"
run 0 "no snapshots" evl trace -eevl
prints "are told of" "tracing enabled (no snapshot)"
mv "$work/snapshot" "$trace/snapshot"
before() { (cd "$trace" && find . -type f | sort | xargs cat); }
before >"$work/before"
run 0 "evl trace -t -etimer" evl trace -t -etimer
expect "says what it would write" grep -qx "echo '1' > $trace/tracing_on" "$work/out"
expect "and only that" test -z "$(grep -v "^echo '.*' > $trace/" "$work/out")"
expect "and does not write it" diff "$work/before" <(before)
printf '# tracer: nop\n#\n# * Snapshot is freed *\n' >"$trace/snapshot"
run 0 "evl trace" evl trace
prints "has no snapshot" "no snapshot."
expect "and tells where to look" grep -qx "evl trace: nothing has come to evl_trigger yet; .* in .*/$tracedir/trace" "$work/err"
printf '# tracer: nop\n hello-1 [001] 1.0: evl_trigger: x\n' >"$trace/snapshot"
run 0 "evl trace -p" evl trace -p
expect "prints the snapshot" diff "$work/out" "$trace/snapshot"
printf '# tracer: nop\n hello-2 [001] 1.0: evl_trigger: y\n' >"$trace/per_cpu/cpu1/snapshot"
run 0 "evl trace -p -c1" evl trace -p -c1
expect "prints that of a CPU" diff "$work/out" "$trace/per_cpu/cpu1/snapshot"
printf ' hello-2 [001] 1.0: evl_trace: \303\251\t\033[2J|\233|\302\233\n' >"$trace/per_cpu/cpu1/snapshot"
run 0 "names with control characters" evl trace -c1
prints "do not reach the terminal as such" "$(printf ' hello-2 [001] 1.0: evl_trace: \303\251\t?[2J|?|?')"
mv "$trace/snapshot" "$trace/trace"
run 0 "evl trace -p of a kernel without snapshots" evl trace -p
expect "prints the trace" diff "$work/out" "$trace/trace"
bad_trace() {
	local wanted=$1
	shift
	run 2 "evl trace $*" evl trace "$@"
	one_line "^evl trace: $wanted"
}
bad_trace "no CPU 7$" -c7
bad_trace "bad CPU number 'x'$" -cx
bad_trace "bad buffer size '0'$" -e -s0
bad_trace "bad buffer size '-1'$" -e -s -1
bad_trace "bad buffer size" -e -s 99999999999999999999
bad_trace "no such group: 'none'$" -enone
bad_trace "no such group: '../x'$" -e../x
bad_trace "cannot read '$work/no such'$" -E "$work/no such"
bad_trace "one of -e, -d and -p" -e -d
bad_trace "-s needs a value" -s
bad_trace "unknown option '-x'" -x

# --- Manual pages and completion ------------------------------------------------------------------------------------

man=$work/usr/share/man/man1
for command in check gdb ps start stop test timeline trace; do
	expect "there is a manual page of evl $command" test -s "$man/evl-$command.1"
	evl "$command" -h | grep -oE '^  -[A-Za-z]|^  -[A-Za-z], --[a-z-]+' | tr -s ', ' '\n' | grep . | sort -u >"$work/options"
	lacking() { while read -r option; do grep -qe "Fl [a-zA-Z]*${option#-}" "$man/evl-$command.1" || echo "$option"; done <"$work/options"; }
	expect "which has all its options" test -z "$(lacking)"
done
expect "one of evl names all commands" test "$(grep -c -e '^\.It Xr evl-[a-z]* 1$' "$man/evl.1")" -eq 7
if command -v mandoc >/dev/null; then
	expect "they are well formed" eval "! mandoc -T lint -W warning '$man'/*.1 | grep -v 'cross reference to self'"
fi

# completes WORDS WANTED [FUNCTION]: what may come for the last of the words
completes() {
	local -a COMPREPLY
	read -ra COMP_WORDS <<<"$1"
	[[ $1 != *" " ]] || COMP_WORDS+=("")
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	"${3:-_evl}"
	expect "completes '$1'" diff <(printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd ' ') <(tr ' ' '\n' <<<"$2" | sort | paste -sd ' ')
}
# shellcheck disable=SC1091
. "$work/usr/share/bash-completion/completions/evl"
# Here it has no terminal to set up.
compopt() { :; }
rm "$libexec/tests/c-crashes"
completes "evl " "$commands -P --prefix= -V --version -h --help"
completes "evl st" "start stop"
completes "evl --ver" "--version"
completes "evl -P /x ch" "check"
completes "evl ps --st" "--state"
completes "evl ps -S x" "x xr"
completes "evl ps --sort = c" "c cr"
completes "evl trace -ee" "-eevl"
completes "evl test c" "c-tells"
completes "evl start -" "-h"
completes "evl gdb p" "ps"
completes "evl check -f $work/usr/li" "$work/usr/libexec"
completes "evl timeline -" "-o -h"
completes "evl frobnicate x" ""
completes "git evlabi --g" "--git-dir=" _git_evlabi

# Names which the shell would take for orders, if it read them as text of its own.
add_test 'e-$(touch${IFS}ran)' 'exit 0'
cp "$libexec/tests/b-passes" "$work/a path/evl-eek\`touch\${IFS}ran\`"
(cd "$work" && git init -q names && cd names && git -c user.name=x -c user.email=x commit -q --allow-empty -m x &&
	git branch 'eek-$(touch${IFS}ran)' && git branch 'eek;touch${IFS}ran') || exit
in_names() { (cd "$work/names" && PATH="$work/a path:$PATH" && completes "$@" && [ ! -e ran ]); }
inside() {
	in_names "$@"
	count=$((count + 1))
	expect "and runs nothing" test ! -e "$work/names/ran"
	rm -f "$work/names/ran"
}
inside "evl test e" 'e-\$\(touch\$\{IFS\}ran\)'
inside "evl test e-\\$" 'e-\$\(touch\$\{IFS\}ran\)'
inside "evl ee" 'eek\`touch\$\{IFS\}ran\`'
inside "git evlabi ee" 'eek-\$\(touch\$\{IFS\}ran\) eek\;touch\$\{IFS\}ran' _git_evlabi
rm "$libexec/tests"/e-* "$work/a path"/evl-eek*

# --- As an ordinary user ------------------------------------------------------------------------------------------

if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$work"
	ordinary() { setpriv --reuid=65534 --regid=65534 --clear-groups evl "$@"; }
	run 2 "an ordinary user does not start the core" ordinary start
	one_line "^evl start: no right to write to .*: only root may start the core$"
	run 1 "nor trace" ordinary trace -eevl
	one_line "^evl trace: cannot write to $trace: only root may trace$"
	chmod 700 "$trace"
	run 2 "nor look" ordinary trace
	one_line "^evl trace: no right to look into $trace: only root may trace$"
fi
echo "1..$count"
