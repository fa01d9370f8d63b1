/* SPDX-License-Identifier: MIT */
/*
 * Which threads of the process are attached, for the sake of its children: they shall
 * have no descriptor of them.
 *
 * Whoever forks must not wait for threads which attach or detach, nor they for it: other
 * handlers of fork() wait for locks of the program, and such a lock may be held by who
 * attaches. Nor does a handler of signals which forks find a lock taken by the thread which
 * it interrupted. So there is no lock. Each thread has a word of a table which only grows,
 * and a child takes from that whatever it finds: its memory may have been copied in the
 * middle of any of this, page by page. The files tell which words are true.
 */
#ifndef _EVL_DETAIL_ATTACHED_H
#define _EVL_DETAIL_ATTACHED_H

#include <evl/detail/shared.h>
#include <evl/detail/descriptor.h>
#include <evl/syscall.h>

__EVL_BEGIN_DECLS

/* A word has the thread and its descriptor. Zero is nobody's. */
#define __EVL_HL_SLOT_GONE	((__u64)1 << 63)	/* detached while somebody forked */
#define __EVL_HL_NR_FIRST	((unsigned int)16)	/* words in the first part */

__evl_inline __u64 __evl_hl_slot_word(int tid, int efd)
{
	return (__u64)(__u32)tid << 32 | (__u32)efd;
}

__evl_inline int __evl_hl_slot_tid(__u64 word)
{
	return (int)((word & ~__EVL_HL_SLOT_GONE) >> 32);
}

__evl_inline int __evl_hl_slot_fd(__u64 word)
{
	return (int)(__u32)word;
}

/* The part of the table which has a word, each twice as large as the one before. */
__evl_inline unsigned int __evl_hl_slot_part(unsigned int *n)
{
	unsigned int part = 0, size = __EVL_HL_NR_FIRST;

	for (; *n >= size; size *= 2, part++)
		*n -= size;

	return part;
}

/* The words in turn, NULL past the last one. */
__evl_inline __u64 *__evl_hl_slot(struct __evl_hl_process *home, unsigned int n)
{
	unsigned int part = __evl_hl_slot_part(&n);
	__u64 *slots = part < __EVL_HL_NR_PARTS ? __evl_hl_load(&home->attached[part]) : NULL;

	return slots ? slots + n : NULL;
}

/* Adds the part which the word comes first in. */
__evl_inline int __evl_hl_add_slots(struct __evl_hl_process *home, unsigned int n)
{
	unsigned int part = __evl_hl_slot_part(&n);
	size_t size = sizeof(__u64) * ((size_t)__EVL_HL_NR_FIRST << part);
	__u64 *slots, *none = NULL;

	if (part >= __EVL_HL_NR_PARTS)
		return -EAGAIN;

	slots = (__u64 *)__evl_hl_malloc(size);
	if (slots == NULL)
		return -ENOMEM;

	memset(slots, 0, size);
	if (!__evl_hl_cas(&home->attached[part], &none, slots))
		__evl_hl_free(slots);	/* Somebody else was first. */

	return 0;
}

/* What was left for a child goes once no child is on its way. */
__evl_inline bool __evl_hl_claim_slot(struct __evl_hl_process *home, __u64 *slot, __u64 word)
{
	__u64 old = __evl_hl_load(slot);

	if (old && (!(old & __EVL_HL_SLOT_GONE) || __evl_hl_load(&home->forking)))
		return false;

	return __evl_hl_cas(slot, &old, word);
}

/* Reserves a word for the calling thread, which has no descriptor yet. */
__evl_inline int __evl_hl_take_slot(struct __evl_hl_process *home, __u64 **slotp)
{
	const __u64 word = __evl_hl_slot_word(__evl_hl_gettid(), -1);
	unsigned int n;
	__u64 *slot;
	int ret;

	for (n = 0; ; n++) {
		slot = __evl_hl_slot(home, n);
		if (slot == NULL) {
			ret = __evl_hl_add_slots(home, n);
			if (ret)
				return ret;
			slot = __evl_hl_slot(home, n);
		}
		if (__evl_hl_claim_slot(home, slot, word)) {
			*slotp = slot;
			return 0;
		}
	}
}

/*
 * The descriptor was closed. Whoever forks since before that may have copied the table of
 * descriptors already, and the memory not yet: the child is to find the word.
 */
__evl_inline void __evl_hl_give_slot(struct __evl_hl_process *home, __u64 *slot)
{
	if (__atomic_load_n(&home->forking, __ATOMIC_SEQ_CST))
		__evl_hl_or(slot, __EVL_HL_SLOT_GONE);
	else
		__evl_hl_store(slot, 0);
}

__evl_inline void __evl_hl_clear_thread(struct __evl_hl_thread *self)
{
	self->handle = EVL_NO_HANDLE;
	self->efd = -1;
	self->window = NULL;
	self->slot = NULL;
}

/* Closes the descriptor of the calling thread, unless the program did. In-band. */
__evl_inline void __evl_hl_forget_thread(struct __evl_hl_thread *self)
{
	__u64 *slot = self->slot;
	int cancel_state = __evl_hl_hold_cancel();

	if (__evl_hl_owns_thread_fd(self->efd, __evl_hl_slot_tid(*slot)))
		close(self->efd);
	__evl_hl_clear_thread(self);
	__evl_hl_give_slot(__evl_hl_home(), slot);

	__evl_hl_allow_cancel(cancel_state);
}

/* The last switch in-band is no surprise to warn of, and out-of-band, none is. */
__evl_inline void __evl_hl_leave_oob(struct __evl_hl_thread *self)
{
	if (!__evl_hl_is_inband())
		__evl_hl_quick_oob(self->efd, EVL_THRIOC_SWITCH_INBAND, NULL);
}

/*
 * A thread ends without having detached. Destructors of the program may want to use
 * EVL, to unlock a mutex for instance: ours is the last one, having passed on all
 * others which it may. If the descriptor was closed, the core has the thread detach.
 */
#define __EVL_HL_ROUNDS	4	/* _POSIX_THREAD_DESTRUCTOR_ITERATIONS */

__evl_inline void __evl_hl_end_thread(void *arg)
{
	struct __evl_hl_thread *self = (struct __evl_hl_thread *)arg;
	struct __evl_hl_process *home = __evl_hl_home();

	/* It first attached when destructors were running already, nobody knows since when. */
	if (self->watch == __EVL_HL_WATCHED)
		self->rounds = __EVL_HL_ROUNDS;

	self->rounds++;
	if (self->slot == NULL)
		return;

	if (self->rounds < __EVL_HL_ROUNDS && pthread_setspecific(home->key, self) == 0)
		return;

	__evl_hl_leave_oob(self);
	if (__evl_hl_owns_thread_fd(self->efd, __evl_hl_slot_tid(*self->slot)))
		__evl_hl_ioctl_inband(self->efd, EVL_THRIOC_DETACH_SELF, NULL);
	__evl_hl_forget_thread(self);
}

/*
 * Has the end of the calling thread noticed, by an object of the thread as C++ has them:
 * these go ahead of any key, but for the first thread, which keeps them until the process
 * exits. From then on, rounds of destructors are counted, and whoever attaches in one is
 * detached in the next, which may be the last that there is.
 */
__evl_inline void __evl_hl_watch_thread(struct __evl_hl_process *home,
					struct __evl_hl_thread *self)
{
	if (self->watch == __EVL_HL_UNWATCHED && __evl_hl_thread_atexit &&
	    __evl_hl_gettid() != (int)getpid() &&
	    __evl_hl_thread_atexit(home->ends, self, home) == 0)
		self->watch = __EVL_HL_WATCHED;

	if (self->rounds)
		self->rounds = __EVL_HL_ROUNDS;

	if (home->keyed)
		pthread_setspecific(home->key, self);
}

/* Makes the calling thread known as attached, by a descriptor. In-band. */
__evl_inline void __evl_hl_remember_thread(struct __evl_hl_thread *self, __u64 *slot, int efd,
					   const struct evl_element_ids *eids)
{
	struct __evl_hl_process *home = __evl_hl_home();
	const int tid = __evl_hl_slot_tid(*slot);

	__evl_hl_mark_thread_fd(efd, tid);
	__evl_hl_store(slot, __evl_hl_slot_word(tid, efd));

	self->slot = slot;
	self->efd = efd;
	self->handle = eids->fundle;
	self->window = (struct evl_user_window *)(void *)(home->shm + eids->state_offset);

	__evl_hl_watch_thread(home, self);
}

/* What earlier children were to find is out of date, the numbers may be others' by now. */
__evl_inline void __evl_hl_prepare_fork(void)
{
	struct __evl_hl_process *home = __evl_hl_home();
	unsigned int n;
	__u64 *slot, word;

	if (__atomic_fetch_add(&home->forking, 1, __ATOMIC_SEQ_CST))
		return;

	for (n = 0; (slot = __evl_hl_slot(home, n)) != NULL; n++) {
		word = __evl_hl_load(slot);
		if (word & __EVL_HL_SLOT_GONE)
			__evl_hl_cas(slot, &word, 0);
	}
}

__evl_inline void __evl_hl_finish_fork(void)
{
	__atomic_fetch_sub(&__evl_hl_home()->forking, 1, __ATOMIC_SEQ_CST);
}

/* The threads of the parent are none of the child's: neither does it hold them. */
__evl_inline void __evl_hl_drop_threads(struct __evl_hl_process *home)
{
	unsigned int n;
	__u64 *slot;
	int efd;

	for (n = 0; (slot = __evl_hl_slot(home, n)) != NULL; n++) {
		efd = __evl_hl_slot_fd(*slot);
		if (*slot && __evl_hl_owns_thread_fd(efd, __evl_hl_slot_tid(*slot)))
			close(efd);
		*slot = 0;
	}
}

__EVL_END_DECLS

#endif /* _EVL_DETAIL_ATTACHED_H */
