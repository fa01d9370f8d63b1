/* SPDX-License-Identifier: MIT */
/* Conveniences which applications written for EVL may lean on. */
#ifndef _EVL_COMPILER_H
#define _EVL_COMPILER_H

#include <evl/detail/base.h>
#include <limits.h>

#ifndef container_of
#define container_of(__ptr, __type, __member)	\
	((__type *)(void *)((char *)(__ptr) - offsetof(__type, __member)))
#endif

#if !defined(alignof) && !defined(__cplusplus)
#define alignof(__type)		_Alignof(__type)
#endif

#ifndef __stringify
#define __stringify_1(...)	#__VA_ARGS__
#define __stringify(...)	__stringify_1(__VA_ARGS__)
#endif

#ifndef __noreturn
#define __noreturn		__attribute__((noreturn))
#endif

#ifndef __must_check
#define __must_check		__attribute__((warn_unused_result))
#endif

#ifndef __weak
#define __weak			__attribute__((weak))
#endif

#ifndef __maybe_unused
#define __maybe_unused		__attribute__((unused))
#endif

#ifndef __always_inline
#define __always_inline		inline __attribute__((always_inline))
#endif

#ifndef __aligned
#define __aligned(__n)		__attribute__((aligned(__n)))
#endif

#ifndef __deprecated
#define __deprecated		__attribute__((deprecated))
#endif

#ifndef __packed
#define __packed		__attribute__((packed))
#endif

#ifndef __fallthrough
#define __fallthrough		__attribute__((fallthrough))
#endif

#ifndef __alloc_size
#define __alloc_size(...)	__attribute__((alloc_size(__VA_ARGS__)))
#endif

/* Rounds a size up to a power of two. */
#ifndef __align_to
#define __align_to(__size, __al)	(((__size) + (__al) - 1) & ~((__al) - 1))
#endif

/* Zero bits above the highest, below the lowest one set: all if none is. */
#ifndef __lzcount
#define __lzcount(__x)	((__x) == 0 ? (int)sizeof(__x) * 8 :	\
	sizeof(__x) > 4 ? __builtin_clzll(__x) :		\
	__builtin_clz((unsigned int)(__x)) - (32 - (int)sizeof(__x) * 8))
#endif

#ifndef __tzcount
#define __tzcount(__x)	((__x) == 0 ? (int)sizeof(__x) * 8 :	\
	sizeof(__x) > 4 ? __builtin_ctzll(__x) : __builtin_ctz((unsigned int)(__x)))
#endif

/* Touches a variable, e.g. for its page to be there. */
#ifndef __force_read_access
#define __force_read_access(__var)	\
	__asm__ __volatile__("" : : "r"(*(const volatile char *)&(__var)))
#endif

#ifndef compiler_barrier
#define compiler_barrier()	__asm__ __volatile__("" : : : "memory")
#endif

/* Offset of an address from a base, and back. */
#ifndef __memoff
#define __memoff(__base, __addr)	((char *)(__addr) - (char *)(__base))
#endif

#ifndef __memptr
#define __memptr(__base, __off)		((char *)(__base) + (__off))
#endif

#endif /* _EVL_COMPILER_H */
