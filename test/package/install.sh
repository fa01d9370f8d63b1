#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What "make install" installs is enough to build programs in the ways that programs look for libevl.
set -u

cd "$(dirname "$0")/../.." || exit
. test/package/parts/tap.sh

usr=$work/usr
flags() { PKG_CONFIG_LIBDIR=$usr/lib/pkgconfig pkg-config --define-variable=prefix="$usr" "$@" evl; }
cat >"$work/program.c" <<'PROGRAM'
#include <evl/evl.h>
int main(void) { return 0; }
PROGRAM

expect "make install" make --no-print-directory install DESTDIR="$work" PREFIX=/usr
expect "pkg-config tells a version of upstream's library that ours is compatible with" flags --atleast-version=0.40
expect "and our own" test "$(flags --variable=evl_version)" = "$(cat VERSION)"
# shellcheck disable=SC2046
expect "a C11 program builds with pkg-config" \
	gcc -std=gnu11 -Wall -Wextra -Werror $(flags --cflags) -o "$work/a" "$work/program.c" $(flags --libs)
# shellcheck disable=SC2046
expect "a C++17 program builds with pkg-config" \
	g++ -std=gnu++17 -x c++ -Wall -Wextra -Werror $(flags --cflags) -o "$work/b" "$work/program.c" $(flags --libs)
expect "a bare -levl links" gcc -I"$usr/include" -L"$usr/lib" -o "$work/c" "$work/program.c" -levl

# As AC_CHECK_LIB(evl, evl_init), CMake's check_library_exists() and Meson's has_function() do.
cat >"$work/conftest.c" <<'PROGRAM'
char evl_init(void);
int main(void) { return evl_init(); }
PROGRAM
expect "checks for a function in the library find it" gcc -fno-builtin -L"$usr/lib" -o "$work/c" "$work/conftest.c" -levl

# A language which cannot include C says what it calls. No core here: -ENOSYS, or what locking memory gives.
cat >"$work/foreign.c" <<'PROGRAM'
struct version { int api_level; int abi_level; const char *version_string; };
extern int evl_init(void);
extern struct version evl_get_version(void);
extern int evl_get_self(void);
int main(void) { return evl_get_version().abi_level != 36 || evl_init() >= 0 || evl_get_self() != -1; }
PROGRAM
expect "a program without the headers links to the library" gcc -o "$work/e" "$work/foreign.c" -L"$usr/lib" -levl -pthread
expect "and runs" "$work/e"

# Each call of the headers is a function of the library, which shows nothing else.
sed -n -E 's/^(__evl_api|__EVL_HL_DECLARED) .*[ *]([a-z_]+)\(.*/\2/p' "$usr"/include/evl/*.h "$usr"/include/evl/net/*.h |
	sort >"$work/calls"
visible() { readelf --symbols --wide "$1" | awk '$5 != "LOCAL" && $6 == "DEFAULT" && $7 != "UND" { print $8 }' | sort; }
expect "the library has all calls of the headers, and no other name" \
	diff "$work/calls" <(visible "$usr/lib/libevl.a" | grep -v '^$')
expect "these are many" test "$(wc -l <"$work/calls")" -ge 94
expect "there is no shared library unless asked for" test ! -e "$usr/lib/libevl.so"
expect "make install SHARED=y" make --no-print-directory install DESTDIR="$work/shared" PREFIX=/usr SHARED=y
expect "the shared library has the same calls" \
	diff "$work/calls" <(readelf --dyn-syms --wide "$work/shared/usr/lib/libevl.so" |
		awk '$5 != "LOCAL" && $7 != "UND" && $8 != "" && NR > 3 { print $8 }' | sort)
cat >"$work/load.c" <<'PROGRAM'
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char *argv[])
{
	void *lib = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
	int (*is_inband)(void), (*init)(void), n;

	if (argc < 3 || lib == NULL)
		return puts(dlerror());
	for (n = 2; n < argc; n++)
		if (dlsym(lib, argv[n]) == NULL)
			return puts(argv[n]);
	*(void **)&is_inband = dlsym(lib, "evl_get_self");
	*(void **)&init = dlsym(lib, "evl_init");
	return is_inband() != -1 || init() >= 0;
}
PROGRAM
expect "a program which loads it builds" gcc -o "$work/load" "$work/load.c" -ldl
# shellcheck disable=SC2046
expect "and calls what it finds" "$work/load" "$work/shared/usr/lib/libevl.so" $(cat "$work/calls")
expect "old spellings of the ABI headers are found" \
	gcc -I"$usr/include" -include uapi/evl/thread.h -include uapi/evl/thread-abi.h -o "$work/d" "$work/program.c"
expect "the udev rule serves the group evl" grep -q 'GROUP="evl".*MODE="0660"' "$usr/lib/udev/rules.d/60-evl.rules"
expect "drivers find their headers" test -e "$usr/src/evl-$(cat VERSION)/tools/driver.mk"

expect "the evl command runs" eval "'$usr/bin/evl' -V | grep -q '^evl\..* \[requires ABI [0-9]*\]$'"
expect "and finds the others" eval "'$usr/bin/evl' help | grep -q '^ps '"
expect "manual pages and completion come with it" test -s "$usr/share/man/man1/evl.1" -a -s "$usr/share/bash-completion/completions/evl"
expect "nothing is left to be filled in" eval "! grep -rE '@[A-Z]+@' '$usr/bin/evl' '$usr/libexec'"
expect "it knows what kernels it is for" grep -q "^kernel_text='Linux .* to .*'" "$usr/libexec/evl/evl-check"
expect "and what they have to be built with" grep -qx DYNAMIC_FTRACE_WITH_ARGS "$usr/libexec/evl/kconf-required.evl"
expect "make install-commands" make --no-print-directory install-commands DESTDIR="$work/alone" PREFIX=/usr
expect "installs them alone" diff <(cd "$work/alone/usr" && find . -type f | sort) \
	<(cd "$usr" && find ./bin ./libexec ./share -type f ! -path './share/man/man[37]/*' | sort)

# Where, and as whom, people install.
mkdir "$work/clone" && cp -r Makefile VERSION dkms.conf include module tools uapi "$work/clone"
(cd "$work/clone" && find . -type f | sort) >"$work/before"
in_clone() { (cd "$work/clone" && "$@"); }
expect "a relative DESTDIR" in_clone make --no-print-directory install DESTDIR=out PREFIX=/usr
expect "has everything" diff -r "$usr" "$work/clone/out/usr"
rm -rf "$work/clone/out"
expect "and nothing goes elsewhere" diff "$work/before" <(in_clone find . -type f | sort)
private() { (umask 077 && make --no-print-directory install DESTDIR="$work/private" PREFIX=/usr/local); }
expect "make install by a root whose files are private" private
expect "installs for everybody" test -z "$(find "$work/private" ! -perm -o=r; find "$work/private" -type d ! -perm -o=x)"
spaces() { make --no-print-directory install DESTDIR="$work/a b" PREFIX="/opt/my pre"; }
expect "spaces in DESTDIR and PREFIX" spaces
expect "have everything" diff -r "$usr/include" "$work/a b/opt/my pre/include"
of_spaces() { PKG_CONFIG_LIBDIR="$work/a b/opt/my pre/lib/pkgconfig" pkg-config --define-variable=prefix="$work/a b/opt/my pre" "$@" evl; }
with_spaces() {
	local flags
	eval "flags=($(of_spaces --cflags))"
	gcc "${flags[@]}" -o "$work/s" "$work/program.c"
}
expect "and pkg-config's flags hold" with_spaces
expect "the commands run there" eval "'$work/a b/opt/my pre/bin/evl' help | grep -q '^check '"
relative() { ! make install DESTDIR="$work/c" PREFIX=usr; }
expect "a relative PREFIX is refused" relative

if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$work" && mkdir "$work/home" && chown 65534 "$work/home" && chmod -R go+rX "$work/clone"
	ordinary() {
		(cd "$work/clone" && HOME=$work/home setpriv --reuid=65534 --regid=65534 --clear-groups \
			make --no-print-directory install PREFIX="$work/home/.local" UDEVRULESDIR="$work/rules/rules.d")
	}
	expect "an ordinary user installs into the home folder" ordinary
	cp "$work/heard" "$work/said"
	expect "and is told about the udev rule" grep -q "sudo make install-udev" "$work/said"
	expect "and has everything else" diff -r "$usr/include" "$work/home/.local/include"
fi

# What a kernel was built with, its modules are. Here, a kernel which says what it is built with.
mkdir -p "$work/kernel"
# shellcheck disable=SC2016	# these are for make
printf 'modules:\n\t@echo "LLVM=<$(LLVM)> CC=<$(CC)>"\n' >"$work/kernel/Makefile"
built_with() {
	printf '%s\n' "${@:2}" >"$work/kernel/.config"
	tools/build-modules.sh "$work/kernel" "$work/modules" >"$work/said" && grep -q "$1" "$work/said"
}
expect "a kernel built by gcc" built_with 'LLVM=<> CC=<cc>' CONFIG_CC_IS_GCC=y
expect "a kernel built by clang and lld" built_with 'LLVM=<1>' CONFIG_CC_IS_CLANG=y CONFIG_LD_IS_LLD=y
expect "a kernel built by clang alone" built_with 'LLVM=<> CC=<clang>' CONFIG_CC_IS_CLANG=y CONFIG_LD_IS_BFD=y
LLVM=-15 expect "what the caller says goes first" built_with 'LLVM=<-15>' CONFIG_CC_IS_CLANG=y CONFIG_LD_IS_LLD=y
refuses() { ! tools/build-modules.sh "$work/kernel" "$work/x y" 2>"$work/said" && grep -q "space" "$work/said"; }
expect "a path with a space is refused with a reason" refuses
refuses_32() { ! gcc -m32 -I"$usr/include" -fsyntax-only "$work/program.c" 2>"$work/said" && grep -q "32-bit x86" "$work/said"; }
expect "a 32-bit x86 build is refused with a reason" refuses_32
echo "1..$count"
