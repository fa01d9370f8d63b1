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

# Prints what may come next after a command ($1) and the word before ($2).
_evl_words() {
	case $1:$2 in
	ps:-c | ps:--cpu) _evl_cpus ;;
	ps:-S | ps:--sort) echo c i t x w cr ir tr xr wr ;;
	ps:*) echo -c --cpu= -s --state -t --times -p --policy -w --wait -l --long -n --numeric -S --sort= -h --help ;;
	check:-a | check:--arch) echo x86_64 aarch64 arm ;;
	check:*) echo -f --file= -L --check-list= -a --arch= -q --quiet -j --json -s --strict -H --hash-size= -h --help ;;
	trace:-c) _evl_cpus ;;
	trace:-s) echo 128 1024 8192 ;;
	trace:*) echo -e -eevl -eirq -etimer -eall -E -f -s -d -p -c -t -h ;;
	test:*) echo -l -L -k -h && "$3" test -l 2>/dev/null ;;
	timeline:*) echo -o -h ;;
	gdb:gdb) echo ps -h ;;
	gdb:*) echo -- ;;
	start:* | stop:* | help:*) echo -h ;;
	esac
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
	:*) mapfile -t COMPREPLY < <(compgen -W "$(_evl_commands "${COMP_WORDS[0]}") -P --prefix= -V --version -h --help" -- "$word") ;;
	*) mapfile -t COMPREPLY < <(compgen -W "$(_evl_words "$command" "$before" "${COMP_WORDS[0]}")" -- "$word") ;;
	esac
	# A value is still to come.
	[[ ${COMPREPLY[*]} != *= || ${#COMPREPLY[@]} -ne 1 ]] || compopt -o nospace 2>/dev/null
}
complete -F _evl evl

# git's own completion calls this for "git evlabi".
_git_evlabi() {
	case ${COMP_WORDS[COMP_CWORD]} in
	-*) mapfile -t COMPREPLY < <(compgen -W "-r -s --git-dir= -h" -- "${COMP_WORDS[COMP_CWORD]}") ;;
	*) mapfile -t COMPREPLY < <(compgen -W "$(git for-each-ref --format='%(refname:short)' 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}") ;;
	esac
}
