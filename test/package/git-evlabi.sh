#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# git evlabi: the revisions of the ABI in histories of a core and of a library which are made here.
set -u

cd "$(dirname "$0")/../.." || exit
command -v git >/dev/null || { echo "there is no git"; exit 77; }
. test/package/parts/commands.sh

export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
unset GIT_DIR

# repository NAME: an empty one, entered
repository() {
	mkdir -p "$work/$1" && cd "$work/$1" && git init -q -b master .
}
# commit TITLE: each a second after the one before
date=1600000000
commit() {
	date=$((date + 1))
	git add -A && GIT_AUTHOR_DATE="$date +0" GIT_COMMITTER_DATE="$date +0" git commit -q --allow-empty -m "$1"
}
# level FILE NUMBER [BASE]
level() {
	mkdir -p "$(dirname "$1")"
	printf '#define EVL_ABI_BASE\t%d\n#define EVL_ABI_LEVEL  %d\n#define EVL_OTHER 99\n' "${3:-$2}" "$2" >"$1"
}
# id TITLE: of the commit which has it
id() { git log --all --format='%h %s' | sed -n "s/^\([^ ]*\) $1$/\1/p"; }
# line START BEFORE LAST NUMBER, all but the last by their titles
line() { printf '%s %s..%s %3d' "$(id "$1")" "$(id "$2")" "$(id "$3")" "$4"; }

# --- A core -----------------------------------------------------------------------------------------

header=include/uapi/evl/control.h
repository core
commit "first"
commit "second"
level $header 1 1 && commit "evl: begin"
commit "work one"
level $header 2 && commit "evl: two"
level $header 3 2 && commit "evl: three, and two still"
level $header 3 3 && commit "evl: drop two"
commit "work three"
level $header 10 && commit "evl: ten"
mkdir -p include/uapi/evl && git mv $header include/uapi/evl/control-abi.h && commit "evl: rename the header"
commit "work ten"
git branch side
level include/uapi/evl/control-abi.h 11 && commit "evl: eleven"
commit "work eleven"

eleven=$(line "evl: eleven" "work ten" "work eleven" 11)
ten=$(line "evl: ten" "work three" "work ten" 10)
three=$(line "evl: three, and two still" "evl: two" "work three" 3)
two=$(line "evl: two" "work one" "evl: two" 2)
one=$(line "evl: begin" "second" "work one" 1)
run 0 "git evlabi" git evlabi
prints "lists the revisions, the latest first" "$eleven" "$ten" "$three" "$two" "$one"
for object in HEAD master @; do
	run 0 "git evlabi $object" git evlabi $object
	prints "is the same" "$eleven" "$ten" "$three" "$two" "$one"
done
titles() { git log --format=%s "$(sed -n "${1}p" "$work/out" | cut -d ' ' -f 2)"; }
expect "a range has the commits of its revision" diff <(titles 3) <(printf '%s\n' "work three" "evl: drop two" "evl: three, and two still")
run 0 "git evlabi -s" git evlabi -s
prints "tells subjects too" "$eleven  evl: eleven" "$ten  evl: ten" "$three  evl: three, and two still" "$two  evl: two" "$one  evl: begin"
run 0 "git evlabi of another branch" git evlabi side
prints "ends with that" "$ten" "$three" "$two" "$one"
run 0 "git evlabi -r 3 -s" git evlabi -r 3 -s
prints "tells of that revision" "$three  evl: three, and two still"
run 0 "git evlabi -r3 of a branch" git evlabi -r3 side
prints "tells of that revision" "$three"
run 1 "a revision which there is not" git evlabi -r 7
one_line "^git evlabi: no revision 7 at 'HEAD'$"
run 1 "one which comes later" git evlabi -r 11 side
one_line "^git evlabi: no revision 11 at 'side'$"
for title in "evl: drop two" "work three"; do
	run 0 "a commit: $title" git evlabi "$(git rev-parse "$(id "$title")")"
	prints "has its revision, up to it" "$(line "evl: three, and two still" "evl: two" "$title" 3)"
done
run 0 "a short name of a commit" git evlabi -s "$(id "evl: begin")"
prints "will do" "$(line "evl: begin" "second" "evl: begin" 1)  evl: begin"
run 0 "an expression" git evlabi master~2
prints "stands for a commit" "$ten"
run 1 "a commit before all" git evlabi "$(id second)"
one_line "^git evlabi: no EVL ABI at '[0-9a-f]*'$"
git tag v1 side
run 0 "a tag" git evlabi v1
prints "has a history" "$ten" "$three" "$two" "$one"
mkdir sub
in_folder() { (cd sub && git evlabi); }
run 0 "in a folder of the tree" in_folder
prints "all is found" "$eleven" "$ten" "$three" "$two" "$one"
cd "$work" || exit
for arguments in "--git-dir core/.git" "--git-dir=core/.git" "--git-dir core"; do
	# shellcheck disable=SC2086
	run 0 "git-evlabi $arguments" git-evlabi $arguments
	prints "looks there" "$eleven" "$ten" "$three" "$two" "$one"
done
run 0 "a bare repository" git clone -q --bare core bare.git
run 0 "git --git-dir=bare.git evlabi" git --git-dir=bare.git evlabi
prints "will do" "$eleven" "$ten" "$three" "$two" "$one"

# An ABI which was taken back, and one which came by a merge.
cd core || exit
git checkout -q -b back master
level include/uapi/evl/control-abi.h 10 && commit "evl: back to ten"
run 0 "a revision which was taken back" git evlabi -r 10
prints "has two spans" "$(line "evl: back to ten" "work eleven" "evl: back to ten" 10)" "$ten"
git checkout -q -b mainline side~9
commit "mainline"
git checkout -q master
date=$((date + 1))
GIT_AUTHOR_DATE="$date +0" GIT_COMMITTER_DATE="$date +0" git merge -q -m "merge" mainline
run 0 "a history with merges" git evlabi
prints "has the commits which made the change" "$(line "evl: eleven" "work ten" "merge" 11)" "$ten" "$three" "$two" "$one"

# --- A library --------------------------------------------------------------------------------------

repository library
echo "#define EVL_ABI 5" >Makefile && commit "before there was a mark"
mkdir -p include/evl
printf '#define __EVL__  1\n#define EVL_ABI_PREREQ  19\n' >include/evl/evl.h && commit "evl: ask for 19"
printf '#define EVL_ABI_PREREQ\t20\n#define EVL_ABI_PREREQ_OLD 19\n' >include/evl/evl.h && commit "evl: ask for 20"
printf '#define EVL_ABI_PREREQ\t20\n#define EVL_ABI_PREREQ_OLD 18\n' >include/evl/evl.h && commit "evl: older ones too"
run 0 "git evlabi of a library" git evlabi -s
prints "lists what it asks for" "$(line "evl: ask for 20" "evl: ask for 19" "evl: older ones too" 20)  evl: ask for 20" \
	"$(line "evl: ask for 19" "before there was a mark" "evl: ask for 19" 19)  evl: ask for 19"
level uapi/evl/control-abi.h 37 32 && commit "evl: a core"
run 0 "a tree with both" git evlabi
prints "is a core" "$(line "evl: a core" "evl: older ones too" "evl: a core" 37)"

repository begins-with-it
level uapi/evl/control-abi.h 37 && commit "evl: all at once"
run 0 "a history which begins with it" git evlabi
prints "has nothing before" "$(id "evl: all at once") $(id "evl: all at once")  37"

# --- What is not as it should be ----------------------------------------------------------------------

repository other
run 1 "no commit" git evlabi
one_line "^git evlabi: no such object: 'HEAD'$"
commit "hello"
run 1 "a tree of something else" git evlabi
one_line "^git evlabi: no EVL ABI at 'HEAD'$"
run 1 "an object which there is not" git evlabi no-such
one_line "^git evlabi: no such object: 'no-such'$"
run 1 "what is no commit" git evlabi "$(git rev-parse 'HEAD^{tree}')"
one_line "^git evlabi: no such object: "
run 1 "no repository" git-evlabi --git-dir "$work/usr"
one_line "^git evlabi: no git repository in $work/usr$"
run 2 "a revision which is no number" git evlabi -r x
one_line "^git evlabi: bad revision 'x'"
run 2 "a missing value" git evlabi -r
one_line "^git evlabi: -r needs a value"
run 2 "two objects" git evlabi HEAD master
one_line "^git evlabi: one object, please$"
run 2 "an unknown option" git evlabi --x
one_line "^git evlabi: unknown option '--x'"
cd "$work/core" || exit
# git itself would open something in the place of a closed output.
closed() { git-evlabi "$@" >&-; }
full() { git-evlabi "$@" >/dev/full; }
for option in "" -h; do
	run 1 "git evlabi $option, with its output closed" closed $option
	one_line "standard output is closed$"
	run 1 "git evlabi $option, on a full disk" full $option
	one_line "cannot write to standard output$"
done
run 0 "git evlabi -h" git evlabi -h
expect "tells how to use it" grep -q '^usage: git evlabi \[-r <rev>\]\[--git-dir <dir>\]\[-s\]\[-h\] \[<object>\]$' "$work/out"
echo "1..$count"
