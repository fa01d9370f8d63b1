// SPDX-License-Identifier: GPL-2.0-only
/* Copying in and out of rings where the data wrap around, in two pieces. */
#include <linux/string.h>
#include "element/ring/ring.h"

/* Which of the members it is does not matter. */
static struct evl_ring_buf rest_of(struct evl_ring_buf buf, size_t len)
{
	buf.kernel += len;

	return buf;
}

int evl_wrap_into_ring(struct evl_ring *ring, size_t pos, struct evl_ring_buf src,
		       size_t len)
{
	size_t head = ring->size - pos;
	int err, err2;

	/* Both, even so: what cannot be read is zeroed. */
	err = evl_copy_into_ring(ring->mem + pos, src, head);
	err2 = evl_copy_into_ring(ring->mem, rest_of(src, head), len - head);

	return err ?: err2;
}

int evl_wrap_from_ring(struct evl_ring *ring, struct evl_ring_buf dst, size_t pos,
		       size_t len)
{
	size_t head = ring->size - pos;

	return evl_copy_from_ring(dst, ring->mem + pos, head) ?:
		evl_copy_from_ring(rest_of(dst, head), ring->mem, len - head);
}
