#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Compiles each header alone, twice in a unit, in C11, GNU C11 and C++17,
# without a warning. Usage: headers.sh [<source tree>]
# shellcheck disable=SC2046,SC2086	# lists of flags and of headers are to be split
top=${1:-$(dirname "$0")/../..}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

passed=0
failed=0

check() {
	lang=$1
	name=$2
	shift 2
	printf '#include <%s>\n#include <%s>\nint unit(void);\nint unit(void) { return 0; }\n' \
		"$name" "$name" > "$tmp/unit.$lang"
	if "$@" -O1 -Wall -Wextra -Wpedantic -Werror -I"$top/include" -I"$top/uapi" \
		-c "$tmp/unit.$lang" -o "$tmp/unit.o"; then
		passed=$((passed + 1))
	else
		echo "headers: $name: failed with $*" >&2
		failed=$((failed + 1))
	fi
}

for header in $( (cd "$top/include" && find . -name '*.h'
		  cd ../uapi && find . -name '*.h') | sed 's,^\./,,' | sort -u); do
	check c "$header" "${CC:-gcc}" -std=c11
	check c "$header" "${CC:-gcc}" -std=gnu11
	[ "$header" != evl/ring_ptr.h ] || continue	# C only
	check cc "$header" "${CXX:-g++}" -std=c++17
done

# And all of them in a program.
use() {
	if "$@" -O1 -Wall -Wextra -Werror -I"$top/include" -I"$top/uapi" \
		"$(dirname "$0")/usage.c" -o "$tmp/usage" -pthread; then
		passed=$((passed + 1))
	else
		echo "headers: usage.c: failed with $*" >&2
		failed=$((failed + 1))
	fi
}

use "${CC:-gcc}" -std=c11 -Wpedantic -DISO_C
use "${CC:-gcc}" -std=c11
use "${CC:-gcc}" -std=gnu11
use "${CXX:-g++}" -std=c++17 -Wpedantic -x c++
use "${CXX:-g++}" -std=c++20 -Wpedantic -x c++

# Builds, or must not build, one of the units here.
compiles() {
	if "$@" -I"$top/include" -I"$top/uapi" -c -o "$tmp/unit.o"; then
		passed=$((passed + 1))
	else
		echo "headers: failed: $*" >&2
		failed=$((failed + 1))
	fi
}

refused() {
	if "$@" -I"$top/include" -I"$top/uapi" -c -o "$tmp/unit.o" 2>/dev/null; then
		echo "headers: compiled, and should not have: $*" >&2
		failed=$((failed + 1))
	else
		passed=$((passed + 1))
	fi
}

# What has no form in C++ says so.
echo '#include <evl/ring_ptr.h>' >"$tmp/ring.cc"
refused "${CXX:-g++}" -std=c++17 "$tmp/ring.cc"
"${CXX:-g++}" -I"$top/include" -I"$top/uapi" -fsyntax-only "$tmp/ring.cc" 2>&1 | grep -q 'C only' || {
	echo "headers: evl/ring_ptr.h does not say why C++ is refused" >&2
	failed=$((failed + 1))
}
for order in -1 29; do
	printf '#include <evl/ring_ptr.h>\nDEFINE_EVL_RINGPTR_DYNAMIC(ring, %s)\n' $order >"$tmp/ring.c"
	refused "${CC:-gcc}" "$tmp/ring.c"
done
# Where sizes have 32 bits, a ring of the next order would be no object any more. No such library is needed to see that.
for order in 26 27; do
	printf '#include <evl/ring_ptr.h>\n#define size_t unsigned int\nDEFINE_EVL_RINGPTR_OPS(ring, 0, %s)\n' $order >"$tmp/ring.c"
	if [ $order -eq 26 ]; then compiles "${CC:-gcc}" "$tmp/ring.c"; else refused "${CC:-gcc}" "$tmp/ring.c"; fi
done

here=$(dirname "$0")
compilers=$(printf '%s\n' "${CC:-gcc}" "${CXX:-g++} -x c++"
	    command -v clang >/dev/null && printf '%s\n' clang "clang++ -x c++")

# Names are checked as formats if literal, and else pass.
formats="-Wall -Wextra -Wformat-security -Werror"
echo "$compilers" | while read -r cc; do
	for level in -O0 -O2; do
		compiles $cc $level $formats "$here/names.c"
		refused $cc $level $formats '-DWRONG="%s"' "$here/names.c"
		refused $cc $level $formats '-DWRONG="%d %d"' "$here/names.c"
		refused $cc $level $formats '-DWRONG="name"' "$here/names.c"
	done
	echo "$passed $failed" >"$tmp/counts"
done
read -r passed failed <"$tmp/counts"

# What programs commonly ask to be warned of, our headers do not give cause for:
# usage.c has most of what a program can write.
warnings="-Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wcast-qual -Wundef -Wformat=2 -Werror"
cxx_warnings="-Wpedantic -Wold-style-cast -Wzero-as-null-pointer-constant"
for unit in usage.c names.c; do
	compiles "${CC:-gcc}" -D_POSIX_C_SOURCE=200112L -std=c11 -DISO_C $warnings "$here/$unit"
	compiles "${CC:-gcc}" $warnings -Wstrict-prototypes "$here/$unit"
	compiles "${CXX:-g++}" -x c++ -std=c++17 $warnings $cxx_warnings -Wuseless-cast "$here/$unit"
	if command -v clang >/dev/null; then
		compiles clang $warnings -Wstrict-prototypes "$here/$unit"
		compiles clang++ -x c++ -std=c++17 $warnings $cxx_warnings "$here/$unit"
	fi
done

# Each name comes with the header which has it upstream: programs include that
# one, and nothing else.
while IFS='|' read -r header code; do
	[ -n "$header" ] || continue
	printf '#include <%s>\nint unit(void);\nint unit(void) { %s; return 0; }\n' \
		"$header" "$code" >"$tmp/shown.c"
	compiles "${CC:-gcc}" -Wall -Werror -Wno-unused "$tmp/shown.c"
	case $header$code in
	*atomic_* | evl/ring_ptr.h*) ;;	# not in C++
	*) compiles "${CXX:-g++}" -x c++ -Wall -Werror -Wno-unused "$tmp/shown.c" ;;
	esac
done <<'SHOWN'
evl/atomic.h|atomic_int i; atomic_t a; return atomic_fetch_add(&a, 1) + atomic_load(&i) + errno
evl/atomic.h|static atomic_t a = 1; bool b = true; return atomic_read(&a) + atomic_cmpxchg(&a, 1, 2) + b
evl/mutex.h|uatomic_t u; atomic_init(&u, 1U); return EVL_MUTEX_FLCLAIM != 0 && (EVL_CLONE_PRIVATE | EVL_GATE_PI)
evl/event.h|atomic_t a; struct timespec ts; struct evl_mutex m; return EVL_CLOCK_MONOTONIC
evl/sem.h|atomic_t a; struct timespec ts; return EVL_CLOCK_MONOTONIC | EVL_CLONE_PUBLIC
evl/flags.h|atomic_t a; struct timespec ts; return EVL_CLOCK_MONOTONIC | EVL_CLONE_PUBLIC
evl/rwlock.h|atomic_t a; uint32_t u; struct evl_flags f; return evl_post_flags(&f, 1) + evl_close_flags(&f)
evl/rwlock.h|struct evl_flags f; return evl_new_flags(&f, "f") + evl_wait_flags(&f, NULL) + evl_peek_flags(&f, NULL)
evl/clock.h|struct timex t; struct timespec ts; ioctl(0, 0); return ADJ_OFFSET + errno + EINVAL
evl/compiler.h|ssize_t t = PATH_MAX; struct foo { int a; } f; return container_of(&f.a, struct foo, a) == &f && offsetof(struct foo, a) == 0
evl/list.h|struct list_head h; struct item { struct list_head l; } i; list_init(&h); list_append(&i.l, &h); return container_of(&i.l, struct item, l) == &i
evl/heap.h|struct list_head h; struct evl_mutex m; uint32_t u = INT_MAX
evl/compat.h|struct evl_core_info i; return EVL_ABI_LEVEL + EVL_ABI_BASE + EVL_T_WOSS + T_WOSS; __align_to(1, 2)
evl/thread.h|int i = PTHREAD_STACK_MIN > INT_MAX; bool b = true; cpu_set_t *s; struct evl_core_info c; return EVL_CLONE_PRIVATE + SCHED_FIFO
evl/thread.h|struct foo { int a; } f; return container_of(&f.a, struct foo, a) == &f
evl/sched.h|struct sched_param p; size_t s; return SCHED_WEAK + SCHED_QUOTA
evl/version.h|struct evl_version v = evl_get_version(); const char *s = v.version_string; return v.api_level - __EVL__ + v.abi_level - EVL_ABI_PREREQ
evl/sys.h|struct evl_version v = evl_get_version(); siginfo_t *si; void (*f)(int, siginfo_t *, void *) = &evl_sigdebug_handler; return evl_init() + __EVL__ + EVL_T_INBAND
evl/sys.h|va_list ap; struct evl_element_ids eids; return EVL_CLONE_OBSERVABLE
evl/poll.h|struct pollfd p; return POLLIN
evl/proxy.h|va_list ap; FILE *f = stdout; return EVL_CLONE_INPUT
evl/xbuf.h|return EVL_CLONE_PUBLIC; oob_read(0, NULL, 0)
evl/observable.h|struct timespec ts; uint32_t u; return EVL_CLONE_UNICAST
evl/ring_ptr.h|struct evl_ring_cursor c = { 0 }; lfatomic_t a = EVL_RING_ALIGNMENT; lfsatomic_t s = -1; lfatomic_big_t b = a; bool t = b > 0
evl/ring_ptr.h|TYPEOF_EVL_RINGPTR(r, EVL_RINGPTR_MINORDER) ring; char bytes[SIZEOF_EVL_RINGPTR(3)]; return EVL_RING_CACHELINE_BYTES >> EVL_RING_CACHELINE_SHIFT
evl/timer.h|struct itimerspec i; return EVL_CLOCK_REALTIME
evl/evl.h|siginfo_t *si; struct evl_core_info i; int *p = &errno; struct timex t; return INT_MAX - SIGDEBUG
evl/evl.h|fundle_t (*f)(fundle_t) = &evl_get_index; return f(EVL_MUTEX_FLCLAIM | 1) == 1
evl/evl.h|int (*f)(void) = &evl_init; return f()
evl/clock-abi.h|const char *s = EVL_CLOCK_DEV EVL_CLOCK_MONOTONIC_DEV EVL_CLOCK_REALTIME_DEV
evl/monitor-abi.h|const char *s = EVL_MONITOR_DEV
evl/proxy-abi.h|const char *s = EVL_PROXY_DEV
evl/poll-abi.h|const char *s = EVL_POLL_DEV
evl/xbuf-abi.h|const char *s = EVL_XBUF_DEV
evl/thread-abi.h|const char *s = EVL_THREAD_DEV
evl/observable-abi.h|const char *s = EVL_OBSERVABLE_DEV
evl/trace-abi.h|const char *s = EVL_TRACE_DEV
evl/trace.h|const char *s = EVL_TRACE_DEV; return EVL_TRCIOC_SNAPSHOT != 0 && evl_trace_open()
evl/control-abi.h|const char *s = EVL_CONTROL_DEV
SHOWN

# Headers of the kernel may come before and after ours, and an application may
# use what upstream leaves to it: <elf.h> alone has some 2,900 macros.
public=$(cd "$top/include" && find evl -name '*.h' ! -path '*/detail/*' | sort)
kernel='linux/elf.h linux/fcntl.h asm/fcntl.h linux/mman.h linux/auxvec.h linux/uio.h
	linux/prctl.h linux/limits.h linux/types.h linux/ioctl.h linux/errno.h linux/stddef.h'
includes() { for name; do printf '#include <%s>\n' "$name"; done; }
for header in $public; do
	around=$kernel
	case $header in evl/net/*) around=$(echo "$kernel" | sed 's,linux/uio.h,,') ;; esac
	{ includes "$header" $around; echo 'enum e { EV_NONE_OF_OURS = EM_NONE };'; } >"$tmp/before.c"
	{ includes $around "$header"; echo 'enum e { EV_NONE_OF_OURS = EM_NONE };'; } >"$tmp/after.c"
	compiles "${CC:-gcc}" -fsyntax-only "$tmp/before.c"
	compiles "${CC:-gcc}" -fsyntax-only "$tmp/after.c"
done
echo 'enum e { EV_NONE }; enum m { EM_386, PT_LOAD, SHN_UNDEF };
	enum f { O_RDWR, F_GETFL, MAP_SHARED, PROT_READ, RTLD_NOW, AT_SYSINFO_EHDR, UIO_MAXIOV };
	struct iovec { int none; }; struct flock { int none; }; struct list_head { int none; };' >"$tmp/body"
{ includes evl/evl.h; cat "$tmp/body"; } >"$tmp/taken.c"
compiles "${CC:-gcc}" -fsyntax-only "$tmp/taken.c"

# What is defined here has our prefix, or is in the list: names of the interface
# which have another one.
cat >"$tmp/known" <<'KNOWN'
oob_(read|write|ioctl|recvmsg|sendmsg|msghdr|setsockopt|getsockopt)
(list_|LIST_HEAD_|DEFINE_LIST_HEAD)[a-z_A-Z]*|inith|ath|dth
u?atomic_(t|read|cmpxchg|cmpxchg_weak)
container_of|alignof|compiler_barrier
__(stringify|stringify_1|noreturn|must_check|weak|maybe_unused|always_inline|aligned)
__(deprecated|packed|fallthrough|alloc_size|align_to|lzcount|tzcount|force_read_access)
__(memoff|memptr)
T_(WOSS|WOLI|WOSX|WOSO|HMSIG|HMOBS)|proxy_(out|err)fd
SCHED_(WEAK|QUOTA|TP)|sched_(rr_quantum|quota_group|tp_partition)
SIGDEBUG|sigdebug_(code|cause|cause_mask|marker|marker_mask|marked)
(AF|O|SOCK)_OOB|user_oob_msghdr|PR_OOB_SYSCALL|sys_evl_(read|write|ioctl|functl)|NR_EVL_SYSCALLS
(TYPEOF|SIZEOF)_EVL_RINGPTR|lf(s?atomic|atomic_big)_t
fundle_t|(latmus|hectic|HECTIC|spi_ioc|SPI_IOC|GPIOHANDLE)_[a-zA-Z_]*
_DEFAULT_SOURCE
KNOWN
known="^_*(evl|EVL|DEFINE_EVL|UAPI_EVL)_|^_+EVL_*$|^($(tr '\n' '|' <"$tmp/known" | sed 's/|$//'))$"
for header in $(cd "$top" && find include uapi -name '*.h' | sort); do
	sed -n -E -e 's/^#[ \t]*define[ \t]+([A-Za-z_0-9]+).*/\1/p' \
		-e 's/^(struct|union|enum) ([A-Za-z_0-9]+)( \{|;).*/\2/p' \
		-e 's/^typedef .*[ *]([A-Za-z_0-9]+);$/\1/p' \
		-e '/^enum .*\{/,/^\}/s/^\t([A-Za-z_0-9]+).*/\1/p' \
		-e 's/__attribute__\(\([^;]*\)\)//' \
		-e 's/^(__evl[a-z_]*|static|extern|int|const|struct|void|unsigned)[^=(]*[ *]([A-Za-z_0-9]+)\(.*/\2/p' \
		"$top/$header" >"$tmp/defined"
	if grep -vE "$known" "$tmp/defined" >"$tmp/foreign"; then
		echo "headers: $header defines:" $(cat "$tmp/foreign") >&2
		failed=$((failed + 1))
	else
		passed=$((passed + 1))
	fi
done

echo "headers: $passed passed, $failed failed"
test "$failed" -eq 0
