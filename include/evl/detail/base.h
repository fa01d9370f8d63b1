/* SPDX-License-Identifier: MIT */
/*
 * What every header of the library starts with. It brings no name into the
 * application but those with our prefix.
 */
#ifndef _EVL_DETAIL_BASE_H
#define _EVL_DETAIL_BASE_H

/* A core of 64 bits serves programs of 64 bits, its requests are laid out so. */
#if defined(__i386__) || (defined(__x86_64__) && !defined(__LP64__))
#error "EVL does not serve 32-bit x86 programs: please build for 64 bits"
#endif

/*
 * A strict -std=c11 hides POSIX, which this library is about. We may ask for
 * it as long as no libc header was seen; GNU extensions are not asked for,
 * since they would change the meaning of some calls of the application.
 */
#if defined(__STRICT_ANSI__) && !defined(__cplusplus) && \
	!defined(_FEATURES_H) && !defined(_DEFAULT_SOURCE) && \
	!defined(_POSIX_C_SOURCE) && !defined(_XOPEN_SOURCE) && !defined(_GNU_SOURCE)
#define _DEFAULT_SOURCE 1
#endif

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <sys/types.h>
#include <evl/types-abi.h>

#ifndef CLOCK_MONOTONIC
#error "POSIX is hidden: include EVL headers first, or define _POSIX_C_SOURCE=200809L"
#endif

/*
 * Marks each function of this library: private to the translation unit, and
 * no harm if that unit does not use it. What must be shared is not in
 * functions, but in evl/detail/shared.h.
 */
#define __evl_inline		static inline __attribute__((unused))

/*
 * Same, for the calls which applications make. The library for languages which
 * cannot include C, libevl.a, is a unit which makes real functions of them.
 */
#ifdef __EVL_HL_LIBRARY
#define __evl_api		__attribute__((visibility("default")))
#else
#define __evl_api		__evl_inline
#endif

/* For what is a handful of instructions, and would be as many more to call. */
#define __evl_always		static inline __attribute__((unused, always_inline))

/*
 * For what a fast path does not come to: kept out of it, so that it does not
 * pay for the registers, and far away if it happens once in a while only.
 */
#define __evl_slow		static __attribute__((unused, noinline))
#define __evl_cold		static __attribute__((unused, noinline, cold))

#define __evl_likely(__x)	__builtin_expect(!!(__x), 1)
#define __evl_unlikely(__x)	__builtin_expect(!!(__x), 0)

/* Checks the arguments of a call against its format. */
#define __evl_printf(__fmt, __args)	__attribute__((format(printf, __fmt, __args)))

/*
 * The warnings which an application asks for are about its code, and apply to
 * ours since it is compiled along. These would have us write something else
 * than what is both C and C++, or check calls which shall not be checked.
 */
#if defined(__clang__)
#define __EVL_HL_WARNINGS_OFF	\
	_Pragma("clang diagnostic push")	\
	_Pragma("clang diagnostic ignored \"-Wformat-nonliteral\"")	\
	_Pragma("clang diagnostic ignored \"-Wold-style-cast\"")	\
	_Pragma("clang diagnostic ignored \"-Wzero-as-null-pointer-constant\"")
#define __EVL_HL_WARNINGS_ON	_Pragma("clang diagnostic pop")
#elif defined(__cplusplus)
#define __EVL_HL_WARNINGS_OFF	\
	_Pragma("GCC diagnostic push")	\
	_Pragma("GCC diagnostic ignored \"-Wsuggest-attribute=format\"")	\
	_Pragma("GCC diagnostic ignored \"-Wold-style-cast\"")	\
	_Pragma("GCC diagnostic ignored \"-Wuseless-cast\"")	\
	_Pragma("GCC diagnostic ignored \"-Wzero-as-null-pointer-constant\"")
#define __EVL_HL_WARNINGS_ON	_Pragma("GCC diagnostic pop")
#else
#define __EVL_HL_WARNINGS_OFF	\
	_Pragma("GCC diagnostic push")	\
	_Pragma("GCC diagnostic ignored \"-Wsuggest-attribute=format\"")
#define __EVL_HL_WARNINGS_ON	_Pragma("GCC diagnostic pop")
#endif

#ifdef __cplusplus
#define __EVL_BEGIN_DECLS	__EVL_HL_WARNINGS_OFF extern "C" {
#define __EVL_END_DECLS		} __EVL_HL_WARNINGS_ON
#else
#define __EVL_BEGIN_DECLS	__EVL_HL_WARNINGS_OFF
#define __EVL_END_DECLS		__EVL_HL_WARNINGS_ON
#endif

/*
 * The value of a static initialiser, which may be assigned as well. (That this
 * initialises a static variable is an extension of C, of which -Wpedantic tells.)
 */
#if defined(__cplusplus)
#define __EVL_HL_INIT(__type, ...)	__type{ __VA_ARGS__ }
#else
#define __EVL_HL_INIT(__type, ...)	(struct __type){ __VA_ARGS__ }
#endif

/* Addresses travel as 64-bit integers in requests. */
#define __evl_hl_ptr64(__ptr)	((__u64)(uintptr_t)(__ptr))

/*
 * Words shared with the core, and with other threads: always 32-bit. The
 * fast paths pair an acquiring exchange with a releasing one.
 */
#define __evl_hl_load(__p)		__atomic_load_n(__p, __ATOMIC_ACQUIRE)
#define __evl_hl_store(__p, __v)	__atomic_store_n(__p, __v, __ATOMIC_RELEASE)
#define __evl_hl_or(__p, __v)		__atomic_fetch_or(__p, __v, __ATOMIC_SEQ_CST)
#define __evl_hl_and(__p, __v)		__atomic_fetch_and(__p, __v, __ATOMIC_SEQ_CST)

/* On failure, *old becomes the present value. Never fails spuriously. */
#define __evl_hl_cas(__p, __old, __new)	\
	__atomic_compare_exchange_n(__p, __old, __new, false, \
				    __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE)

/*
 * Dates have 64-bit members in requests. Where struct timespec is the same,
 * it goes as it is, so that the core may tell a bad address from a good one.
 */
#if defined(__LP64__)
#define __evl_hl_date(__bounce, __ts)	((void)(__bounce), __evl_hl_ptr64(__ts))
#else
__evl_inline __u64 __evl_hl_date(struct __evl_timespec *bounce, const struct timespec *ts)
{
	if (ts == NULL)
		return 0;

	bounce->tv_sec = ts->tv_sec;
	bounce->tv_nsec = ts->tv_nsec;
	return __evl_hl_ptr64(bounce);
}
#endif

/* It has a call of its own, which takes what is above. */
#include <evl/version.h>

#endif /* _EVL_DETAIL_BASE_H */
