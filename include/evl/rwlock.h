/* SPDX-License-Identifier: MIT */
/*
 * Read-write locks: many readers, or one writer. A waiting writer keeps new
 * readers out, and goes first when another writer leaves. No priority
 * inheritance, no recursion, no owner.
 */
#ifndef _EVL_RWLOCK_H
#define _EVL_RWLOCK_H

#include <evl/sem.h>
#include <evl/flags.h>

__EVL_BEGIN_DECLS

/*
 * All about the lock is in one word: who holds it, how many wait. Who leaves
 * passes the lock on in the same exchange, then posts one unit for each
 * waiter it has chosen: nobody gets in between, nobody is missed.
 */
#define __EVL_HL_RW_READER	((__u64)1)		/* readers inside */
#define __EVL_HL_RW_RWAIT	((__u64)1 << 21)	/* readers waiting */
#define __EVL_HL_RW_WWAIT	((__u64)1 << 42)	/* writers waiting */
#define __EVL_HL_RW_WRITER	((__u64)1 << 63)	/* writer inside */
#define __EVL_HL_RW_COUNT	((__u64)0x1fffff)

#define __EVL_HL_RW_MAGIC	0x4d585450U

struct evl_rwlock {
	__u32 magic;
	__u64 word;
	struct evl_sem readers;
	struct evl_sem writers;
};

#define __EVL_HL_RW_LAZY	\
	__EVL_HL_RW_MAGIC, 0,	\
	{ __EVL_HL_MONITOR_LAZY(__EVL_HL_SEM, NULL, EVL_CLOCK_MONOTONIC, 0, 0) },	\
	{ __EVL_HL_MONITOR_LAZY(__EVL_HL_SEM, NULL, EVL_CLOCK_MONOTONIC, 0, 0) }

/* A lock which asks the core for what it needs on first use. */
#define EVL_RWLOCK_INITIALIZER()	__EVL_HL_INIT(evl_rwlock, __EVL_HL_RW_LAZY)

#define DEFINE_EVL_RWLOCK(__name)	struct evl_rwlock __name = { __EVL_HL_RW_LAZY }

__evl_inline int __evl_hl_create_rwlock(struct evl_rwlock *rwlock)
{
	int ret;

	ret = evl_new_sem(&rwlock->readers, NULL);
	if (ret < 0)
		return ret;

	ret = evl_new_sem(&rwlock->writers, NULL);
	if (ret < 0) {
		evl_close_sem(&rwlock->readers);
		return ret;
	}

	rwlock->word = 0;
	__evl_hl_store(&rwlock->magic, __EVL_HL_RW_MAGIC);

	return 0;
}

/*
 * Creates a lock. In-band, any thread. Returns 0, or -ENXIO before
 * evl_init(), -EMFILE, -ENFILE, -ENOMEM, -EAGAIN.
 */
__evl_api int evl_create_rwlock(struct evl_rwlock *rwlock)
{
	int cancel_state = __evl_hl_hold_cancel(), ret;

	ret = __evl_hl_create_rwlock(rwlock);
	__evl_hl_allow_cancel(cancel_state);

	return ret;
}

/* int evl_new_rwlock(struct evl_rwlock *rwlock): the same. */
#define evl_new_rwlock(__rwlock)	evl_create_rwlock(__rwlock)

/* Destroys a lock, which nobody may hold. In-band, any thread. -EINVAL. */
__evl_api int evl_destroy_rwlock(struct evl_rwlock *rwlock)
{
	int cancel_state = __evl_hl_hold_cancel(), ret = -EINVAL;

	if (__atomic_exchange_n(&rwlock->magic, 0, __ATOMIC_ACQ_REL) == __EVL_HL_RW_MAGIC) {
		evl_close_sem(&rwlock->readers);
		evl_close_sem(&rwlock->writers);
		ret = 0;
	}
	__evl_hl_allow_cancel(cancel_state);

	return ret;
}

/* Both semaphores exist before anybody may depend on them. */
__evl_inline int __evl_hl_use_rwlock(struct evl_rwlock *rwlock)
{
	int ret;

	if (__evl_unlikely(__evl_hl_load(&rwlock->magic) != __EVL_HL_RW_MAGIC))
		return -EINVAL;

	ret = __evl_hl_monitor_use(&rwlock->readers.monitor, __EVL_HL_SEM);
	if (ret)
		return ret;

	return __evl_hl_monitor_use(&rwlock->writers.monitor, __EVL_HL_SEM);
}

/*
 * One more inside, if nobody forbids: forbidding is a set of bits. Otherwise,
 * one more waiting, unless there is no waiting. Positive if so.
 */
__evl_inline int __evl_hl_enter_rwlock(struct evl_rwlock *rwlock, __u64 forbidding,
				       __u64 inside, __u64 waiting)
{
	__u64 word, next, limit;

	word = __evl_hl_load(&rwlock->word);
	do {
		if (!(word & forbidding)) {
			next = word + inside;
		} else if (waiting) {
			limit = waiting * __EVL_HL_RW_COUNT;
			if ((word & limit) == limit)
				return -EAGAIN;
			next = word + waiting;
		} else {
			return -EAGAIN;
		}
	} while (!__evl_hl_cas(&rwlock->word, &word, next));

	return word & forbidding ? 1 : 0;
}

#define __EVL_HL_RW_NO_READER	\
	(__EVL_HL_RW_WRITER | __EVL_HL_RW_WWAIT * __EVL_HL_RW_COUNT)
#define __EVL_HL_RW_NO_WRITER	\
	(__EVL_HL_RW_WRITER | __EVL_HL_RW_READER * __EVL_HL_RW_COUNT)

__evl_inline int __evl_hl_lock_rwlock(struct evl_rwlock *rwlock, struct evl_sem *sem,
				      __u64 forbidding, __u64 inside, __u64 waiting)
{
	int ret, cancel_state;

	ret = __evl_hl_use_rwlock(rwlock);
	if (ret)
		return ret;

	/* Others may not wait, so they must not be counted as if they did. */
	if (__evl_hl_self()->window == NULL) {
		ret = __evl_hl_enter_rwlock(rwlock, forbidding, inside, 0);
		return ret == -EAGAIN ? -EPERM : ret;
	}

	ret = __evl_hl_enter_rwlock(rwlock, forbidding, inside, waiting);
	if (ret <= 0)
		return ret;

	/* Whoever leaves counts on us to take the unit, and to leave in turn. */
	cancel_state = __evl_hl_hold_cancel();
	do
		ret = evl_get_sem(sem);
	while (ret == -EINTR);
	__evl_hl_allow_cancel(cancel_state);

	return ret;
}

/*
 * Lock for reading, for writing. Neither forced unblocking ends the wait, nor
 * being cancelled: these are no cancellation points.
 * Out-of-band, attached threads; others succeed if there is no need to wait,
 * else get -EPERM. -EIDRM, -EBADF if destroyed, -EAGAIN if two million
 * threads wait already, -EINVAL, and what creating on first use gives.
 */
__evl_api int evl_lock_read(struct evl_rwlock *rwlock)
{
	return __evl_hl_lock_rwlock(rwlock, &rwlock->readers, __EVL_HL_RW_NO_READER,
				    __EVL_HL_RW_READER, __EVL_HL_RW_RWAIT);
}

__evl_api int evl_lock_write(struct evl_rwlock *rwlock)
{
	return __evl_hl_lock_rwlock(rwlock, &rwlock->writers, __EVL_HL_RW_NO_WRITER,
				    __EVL_HL_RW_WRITER, __EVL_HL_RW_WWAIT);
}

/* Same, -EAGAIN instead of waiting. Any stage, any thread. */
__evl_api int evl_trylock_read(struct evl_rwlock *rwlock)
{
	int ret = __evl_hl_use_rwlock(rwlock);

	return ret ? ret : __evl_hl_enter_rwlock(rwlock, __EVL_HL_RW_NO_READER,
						 __EVL_HL_RW_READER, 0);
}

__evl_api int evl_trylock_write(struct evl_rwlock *rwlock)
{
	int ret = __evl_hl_use_rwlock(rwlock);

	return ret ? ret : __evl_hl_enter_rwlock(rwlock, __EVL_HL_RW_NO_WRITER,
						 __EVL_HL_RW_WRITER, 0);
}

/* Unlock after reading. Any stage, any thread. -EINVAL if nobody reads. */
__evl_api int evl_unlock_read(struct evl_rwlock *rwlock)
{
	const __u64 readers = __EVL_HL_RW_READER * __EVL_HL_RW_COUNT;
	const __u64 writers = __EVL_HL_RW_WWAIT * __EVL_HL_RW_COUNT;
	__u64 word, next;
	bool pass_on;

	if (__evl_hl_load(&rwlock->magic) != __EVL_HL_RW_MAGIC)
		return -EINVAL;

	word = __evl_hl_load(&rwlock->word);
	do {
		if (!(word & readers))
			return -EINVAL;
		next = word - __EVL_HL_RW_READER;
		pass_on = !(next & readers) && (next & writers);
		if (pass_on)
			next = next - __EVL_HL_RW_WWAIT + __EVL_HL_RW_WRITER;
	} while (!__evl_hl_cas(&rwlock->word, &word, next));

	return pass_on ? evl_put_sem(&rwlock->writers) : 0;
}

/* Unlock after writing. Any stage, any thread. -EINVAL if nobody writes. */
__evl_api int evl_unlock_write(struct evl_rwlock *rwlock)
{
	const __u64 writers = __EVL_HL_RW_WWAIT * __EVL_HL_RW_COUNT;
	__u64 word, next, count;
	int ret = 0;

	if (__evl_hl_load(&rwlock->magic) != __EVL_HL_RW_MAGIC)
		return -EINVAL;

	word = __evl_hl_load(&rwlock->word);
	do {
		if (!(word & __EVL_HL_RW_WRITER))
			return -EINVAL;
		count = word / __EVL_HL_RW_RWAIT & __EVL_HL_RW_COUNT;
		if (word & writers)	/* It stays locked, for the next one. */
			next = word - __EVL_HL_RW_WWAIT;
		else			/* All who wait to read may. */
			next = count * __EVL_HL_RW_READER;
	} while (!__evl_hl_cas(&rwlock->word, &word, next));

	if (word & writers)
		return evl_put_sem(&rwlock->writers);

	while (count-- > 0 && ret == 0)
		ret = evl_put_sem(&rwlock->readers);

	return ret;
}

__EVL_END_DECLS

#endif /* _EVL_RWLOCK_H */
