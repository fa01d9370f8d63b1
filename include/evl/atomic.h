/* SPDX-License-Identifier: MIT */
/* Atomic integers, in C and in C++ alike. */
#ifndef _EVL_ATOMIC_H
#define _EVL_ATOMIC_H

#include <evl/types-abi.h>

typedef __s32 atomic_t;
typedef __u32 uatomic_t;

/* With acquire semantics. */
#define atomic_read(__ptr)	__atomic_load_n(__ptr, __ATOMIC_ACQUIRE)

/*
 * Changes *ptr to new if it is old, and gives what it was. Fully ordered, and
 * never fails without a reason; the weak form may, where that is cheaper.
 */
#define __evl_hl_cmpxchg(__ptr, __old, __new, __weak_form)			\
	__extension__ ({							\
		__typeof__((void)0, *(__ptr)) __evl_hl_seen = (__old);		\
		__atomic_compare_exchange_n(__ptr, &__evl_hl_seen, __new,	\
					    __weak_form, __ATOMIC_SEQ_CST,	\
					    __ATOMIC_SEQ_CST);			\
		__evl_hl_seen;							\
	})

#define atomic_cmpxchg(__ptr, __old, __new)	\
	__evl_hl_cmpxchg(__ptr, __old, __new, 0)

#define atomic_cmpxchg_weak(__ptr, __old, __new)	\
	__evl_hl_cmpxchg(__ptr, __old, __new, 1)

#endif /* _EVL_ATOMIC_H */
