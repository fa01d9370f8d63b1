# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Completion of "evl" and its commands, for bash.

# Commands are what the front-end would run.
_evl_commands() {
	local evl=$1
	"$evl" help 2>/dev/null | sed -n '4,$s/^\([^ ]*\) .*/\1/p'
}

_evl_cpus() {
	cat /sys/devices/virtual/evl/control/cpus 2>/dev/null
}

_evl_lines() {
	printf '%s\n' "$@"
}

# Prints what may come next after a command ($1) and the word before ($2), one a line.
_evl_words() {
	case $1:$2 in
	ps:-c | ps:--cpu) _evl_cpus ;;
	ps:-S | ps:--sort) _evl_lines c i t x w cr ir tr xr wr ;;
	ps:*) _evl_lines -c --cpu= -s --state -t --times -p --policy -w --wait -l --long -n --numeric -S --sort= -h --help ;;
	check:-a | check:--arch) _evl_lines x86_64 aarch64 arm ;;
	check:*) _evl_lines -f --file= -L --check-list= -a --arch= -q --quiet -j --json -s --strict -H --hash-size= -h --help ;;
	trace:-c) _evl_cpus ;;
	trace:-s) _evl_lines 128 1024 8192 ;;
	trace:*) _evl_lines -e -eevl -eirq -etimer -eall -E -f -s -d -p -c -t -h ;;
	test:*) _evl_lines -l -L -k -h && "$3" test -l 2>/dev/null ;;
	timeline:*) _evl_lines -o -h ;;
	gdb:gdb) _evl_lines ps -p -h ;;
	gdb:*) _evl_lines -- ;;
	start:* | stop:* | help:*) _evl_lines -h ;;
	esac
}

# Completes a word ($1) with the lines of standard input. Names are made by others, and the shell reads what is completed
# once more: compgen -W would expand them at once, and readline puts them into the command as they are.
_evl_offer() {
	local line quoted
	COMPREPLY=()
	while IFS= read -r line; do
		printf -v quoted %q "$line"
		[ -z "$line" ] || [[ $line != "$1"* && $quoted != "$1"* ]] || COMPREPLY+=("$quoted")
	done
}

_evl() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' n
	# What follows "=" is a word of its own to readline, but not "--name=" to whoever completes it.
	[ "$word" != = ] || word=
	[ "$before" != = ] || before=${COMP_WORDS[COMP_CWORD - 2]}
	for ((n = 1; n < COMP_CWORD; n++)); do
		case ${COMP_WORDS[n]} in
		-P | --prefix) n=$((n + 1)) ;;
		-*) ;;
		*) command=${COMP_WORDS[n]} && break ;;
		esac
	done
	COMPREPLY=()
	# This one takes a file.
	[ "$command" != timeline ] || [[ $word = -* ]] || before=-o
	case $command:$before in
	check:-f | check:--file | check:-L | check:--check-list | trace:-E | timeline:-o)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		;;
	:-P | :--prefix)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		;;
	:*) _evl_offer "$word" < <(_evl_commands "${COMP_WORDS[0]}" && _evl_lines -P --prefix= -V --version -h --help) ;;
	*) _evl_offer "$word" < <(_evl_words "$command" "$before" "${COMP_WORDS[0]}") ;;
	esac
	# A value is still to come.
	[[ ${COMPREPLY[*]} != *= || ${#COMPREPLY[@]} -ne 1 ]] || compopt -o nospace 2>/dev/null
}
complete -F _evl evl

# git's own completion calls this for "git evlabi".
_git_evlabi() {
	local word=${COMP_WORDS[COMP_CWORD]}
	case $word in
	-*) _evl_offer "$word" < <(_evl_lines -r -s --git-dir= -h) ;;
	*) _evl_offer "$word" < <(git for-each-ref --format='%(refname:short)' 2>/dev/null) ;;
	esac
}
