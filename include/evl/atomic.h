/* SPDX-License-Identifier: MIT */
/*
 * Atomic integers. In C, they are those of <stdatomic.h>, which comes along; in
 * C++, where <atomic> is no match for that, plain ones for the calls below only.
 */
#ifndef _EVL_ATOMIC_H
#define _EVL_ATOMIC_H

#include <evl/detail/base.h>

#ifndef __cplusplus

#include <stdatomic.h>

typedef _Atomic(__s32) atomic_t;
typedef _Atomic(__u32) uatomic_t;

/* With acquire semantics. */
#define atomic_read(__ptr)	atomic_load_explicit(__ptr, memory_order_acquire)

#define __evl_hl_exchange(__ptr, __seen, __new, __form)				\
	atomic_compare_exchange_##__form##_explicit(__ptr, __seen, __new,	\
		memory_order_seq_cst, memory_order_seq_cst)

#else

typedef __s32 atomic_t;
typedef __u32 uatomic_t;

#define atomic_read(__ptr)	__atomic_load_n(__ptr, __ATOMIC_ACQUIRE)

#define __EVL_HL_FORM_strong	false
#define __EVL_HL_FORM_weak	true
#define __evl_hl_exchange(__ptr, __seen, __new, __form)				\
	__atomic_compare_exchange_n(__ptr, __seen, __new, __EVL_HL_FORM_##__form,	\
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

#endif

/* The comma takes the qualifiers off, _Atomic among them. */
#define __evl_hl_cmpxchg(__ptr, __old, __new, __form)				\
	__extension__ ({							\
		__typeof__((void)0, *(__ptr)) __evl_hl_seen = (__old);		\
		__evl_hl_exchange(__ptr, &__evl_hl_seen, __new, __form);	\
		__evl_hl_seen;							\
	})

/*
 * Changes *ptr to new if it is old, and gives what it was. Fully ordered, and
 * never fails without a reason; the weak form may, where that is cheaper.
 */
#define atomic_cmpxchg(__ptr, __old, __new)	\
	__evl_hl_cmpxchg(__ptr, __old, __new, strong)

#define atomic_cmpxchg_weak(__ptr, __old, __new)	\
	__evl_hl_cmpxchg(__ptr, __old, __new, weak)

#endif /* _EVL_ATOMIC_H */
