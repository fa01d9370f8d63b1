# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What the commands written in shell have in common: they read this first. $0 is theirs.

name=${0##*/}
name="evl ${name#evl-}"

# die STATUS TEXT: ends the command with one line of explanation
die() {
	status=$1
	shift
	echo "$name: $*" >&2
	exit "$status"
}

# Status of a command which cannot do its work.
trouble=${trouble:-1}

# Whoever reads may have gone, or the disk may be full.
say() { printf '%s\n' "$*" 2>/dev/null || die "$trouble" "cannot write to standard output"; }
show() { cat "$@" 2>/dev/null || die "$trouble" "cannot write to standard output"; }

# For awk, to be run with LC_ALL=C, what others named: printable() for people, whose terminal would take control characters
# for orders, and quoted() for JSON. What is no UTF-8, of which some are such characters too, is "?".
# shellcheck disable=SC2016,SC2034
awk_names='
	function printable(text,    out) {
		gsub(/[\001-\010\012-\037\177]|\302[\200-\237]/, "?", text)
		while (match(text, /[\200-\377]/)) {
			out = out substr(text, 1, RSTART - 1)
			text = substr(text, RSTART)
			if (match(text, /^([\302-\337]|(\340[\240-\277]|[\341-\354\356\357][\200-\277]|\355[\200-\237]|(\360[\220-\277]|[\361-\363][\200-\277]|\364[\200-\217])[\200-\277]))[\200-\277]/)) {
				out = out substr(text, 1, RLENGTH)
				text = substr(text, RLENGTH + 1)
			} else {
				out = out "?"
				text = substr(text, 2)
			}
		}
		return out text
	}
	function quoted(text) {
		text = printable(text)
		gsub(/\t/, "?", text)
		gsub(/[\\"]/, "\\\\&", text)
		return "\"" text "\""
	}'

# about TEXT "$@": answers to whoever asks what the command is for, and else looks whether it can run at all
about() {
	(true 3>&1) 2>/dev/null || die "$trouble" "standard output is closed"
	if [ "${2:-}" = -@ ]; then
		say "$1"
		exit
	fi
	[ -n "${EVL_CMDDIR:-}" ] || die "$trouble" "run this as '$name'"
}

# Options of a command are told apart by hand: getopt(1) is not everywhere, getopts knows no optional arguments.
bad_option() { die 2 "unknown option '$1'. Try '$name -h'."; }
needs_value() { die 2 "$1 needs a value. Try '$name -h'."; }

# change_state start|stop STATE: asks the core for it, and sees that it is so
change_state() {
	state=$EVL_SYSDIR/evl/control/state
	[ -e "$state" ] || die 2 "no EVL core in kernel"
	[ -w "$state" ] || die 2 "no right to write to $state: only root may $1 the core"
	# Only the text of the error tells which one it was.
	if ! answer=$(printf '%s\n' "$1" | LC_ALL=C dd of="$state" conv=notrunc 2>&1); then
		case $answer in
		*"in progress"*) die 1 "the core is being started or stopped by somebody else: try again" ;;
		*) die 1 "the core refused: $(printf '%s\n' "$answer" | sed -n '1s/.*: //p')" ;;
		esac
	fi
	read -r found <"$state" || found=unknown
	[ "$found" = "$2" ] || die 1 "the core is $found, not $2"
}
