/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A byte ring between the two stages: out-of-band threads wait on one side of
 * it only, in-band tasks on either.
 */
#ifndef EVL_ELEMENT_RING_H
#define EVL_ELEMENT_RING_H

#include <linux/rbtree.h>
#include <linux/uio.h>
#include <evl/poll_head.h>
#include <evl/uaccess.h>
#include <evl/wait.h>
#include "element/inband.h"

#define EVL_RING_MAX	(1UL << 30)
#define EVL_RING_SLOTS	8

/* A run of transfers in progress, see ring.c. */
struct evl_ring_slot {
	size_t len;
	unsigned int users;
};

/* All of one direction, in their order. */
struct evl_ring_queue {
	unsigned int first;
	unsigned int nr;
	struct evl_ring_slot slots[EVL_RING_SLOTS];
};

struct evl_ring {
	struct evl_wait_queue oob;	/* out-of-band waiters */
	struct evl_inband_waiters inband;	/* of any sort */
	struct evl_poll_head poll;	/* out-of-band pollers */
	bool oob_reads;			/* what the former want */

	void *mem;
	size_t size;			/* 0: no such ring */
	size_t grain;			/* reads are a multiple of it */
	size_t rd, wr;			/* offsets in mem */
	size_t fill;			/* bytes which can be read */
	size_t taken;			/* bytes being read, ahead of rd */
	size_t reserved;		/* bytes being written, behind them */
	size_t demand;			/* bytes that waiting readers asked for */
	bool drain;			/* do not wait for more, read what is there */
	bool closed;			/* nobody is at the other end: never wait */
	struct rb_root_cached blocked;	/* in-band writers waiting for space */
	unsigned int removals;		/* times the waiters were sent away */

	struct evl_ring_queue reads;
	struct evl_ring_queue writes;
};

/* How to transfer. */
#define EVL_RING_OOB		1	/* wait out-of-band */
#define EVL_RING_NONBLOCK	2
#define EVL_RING_DEMAND		4	/* the count is part of ring->demand until data are taken */
#define EVL_RING_WHOLE		8	/* not blocking is no reason for a short read */

/* One end of a transfer: user memory if @user is set. */
struct evl_ring_buf {
	union {
		void *kernel;
		const void *ckernel;
		void __user *ubuf;
		const void __user *cubuf;
	};
	bool user;
};

#define evl_user_buf(__p)	((struct evl_ring_buf){ .cubuf = (__p), .user = true })
#define evl_kernel_buf(__p)	((struct evl_ring_buf){ .ckernel = (__p) })

/* A part of the ring in hand; two pieces when it wraps around. */
struct evl_ring_span {
	struct kvec vec[2];
	int nr;
	size_t pos, len;
	unsigned int slot;
};

/* In-band, may sleep; @size may be 0 for no ring at all. 0 or -ENOMEM. */
int evl_init_ring(struct evl_ring *ring, size_t size, size_t grain,
		  bool oob_reads, const char *name);
void evl_destroy_ring(struct evl_ring *ring);

/*
 * @count is not above the size. Writes are all or nothing. Reads are complete
 * but for EVL_RING_NONBLOCK (unless EVL_RING_WHOLE), a writer which waits for space,
 * or ring->drain; 0 means that nothing is left in that last case. -EAGAIN, -EFAULT, -EIDRM when
 * the waiters were sent away, -EINTR out-of-band, -ERESTARTSYS in-band.
 */
ssize_t evl_write_ring(struct evl_ring *ring, struct evl_ring_buf src,
		       size_t count, int mode);
ssize_t evl_read_ring(struct evl_ring *ring, struct evl_ring_buf dst,
		      size_t count, int mode);

/* For whoever moves the data by itself: up to @max bytes, never waits. The
 * number in hand, of which @done are put in or removed at the end. There must
 * be nobody else who goes the same direction. */
size_t evl_begin_ring_read(struct evl_ring *ring, size_t max,
			   struct evl_ring_span *span);
void evl_end_ring_read(struct evl_ring *ring, struct evl_ring_span *span,
		       size_t done);
size_t evl_begin_ring_write(struct evl_ring *ring, size_t max,
			    struct evl_ring_span *span);
void evl_end_ring_write(struct evl_ring *ring, struct evl_ring_span *span,
			size_t done);

/* Have all waiters look again at what they wait for. */
void evl_kick_ring(struct evl_ring *ring);
/* Send waiters away with -EIDRM: those which wait in requests by @file, or all,
 * drivers included, if none of @nr_files is open. In-band. */
void evl_flush_ring(struct evl_ring *ring, struct evl_file *file,
		    const atomic_t *nr_files);
/* From now on nobody waits, or somebody may again. */
void evl_close_ring(struct evl_ring *ring, bool closed);

/* --- Copying (copy.c): no lock held, hard irqs on for user memory -------- */

/* 0 or -EFAULT, with zeroes in place of what could not be read then. */
int evl_wrap_into_ring(struct evl_ring *ring, size_t pos, struct evl_ring_buf src,
		       size_t len);
/* 0 or -EFAULT. */
int evl_wrap_from_ring(struct evl_ring *ring, struct evl_ring_buf dst, size_t pos,
		       size_t len);

/* The same for what does not wrap around. */
static __always_inline int evl_copy_into_ring(void *to, struct evl_ring_buf src,
					      size_t len)
{
	if (!src.user) {
		memcpy(to, src.ckernel, len);
		return 0;
	}
	if (likely(!evl_copy_from_user(to, src.cubuf, len)))
		return 0;
	memset(to, 0, len);

	return -EFAULT;
}

static __always_inline int evl_copy_from_ring(struct evl_ring_buf dst, const void *from,
					      size_t len)
{
	if (dst.user)
		return evl_copy_to_user(dst.ubuf, from, len);
	memcpy(dst.kernel, from, len);

	return 0;
}

/* Is all of user memory at @src readable at the moment? */
static __always_inline bool evl_ring_source_ok(const void __user *src, size_t count)
{
	const char __user *byte = src, *last = byte + count - 1;
	char c;

	if (unlikely(!user_access_begin(src, count)))
		return false;
	for (; byte < last; byte += PAGE_SIZE)
		unsafe_get_user(c, byte, fault);
	unsafe_get_user(c, last, fault);
	user_access_end();

	return true;
fault:
	user_access_end();

	return false;
}

/* --- Looking, without the lock ------------------------------------------------ */

static inline size_t evl_ring_fill(struct evl_ring *ring)
{
	return READ_ONCE(ring->fill);
}

/* Bytes that no write may use at the moment. */
static inline size_t evl_ring_busy(struct evl_ring *ring)
{
	return READ_ONCE(ring->fill) + READ_ONCE(ring->taken) + READ_ONCE(ring->reserved);
}

static inline bool evl_ring_full(struct evl_ring *ring)
{
	return evl_ring_busy(ring) >= ring->size;
}

#endif /* !EVL_ELEMENT_RING_H */
