// SPDX-License-Identifier: GPL-2.0-only
/* Copying in and out of rings: no lock held, hard irqs on for user memory. */
#include <linux/mm.h>
#include <linux/string.h>
#include <evl/uaccess.h>
#include "element/ring.h"

int evl_probe_source(const void __user *src, size_t count)
{
	const void __user *last = src + count - 1;
	char c;

	for (; src < last; src += PAGE_SIZE) {
		if (evl_copy_from_user(&c, src, 1))
			return -EFAULT;
	}

	return evl_copy_from_user(&c, last, 1);
}

int evl_fill_span(struct evl_ring_span *span, struct evl_ring_buf src)
{
	struct kvec *v;
	int n, err = 0;

	for (n = 0, v = span->vec; n < span->nr; n++, v++) {
		if (!src.user) {
			memcpy(v->iov_base, src.ckernel, v->iov_len);
			src.ckernel += v->iov_len;
			continue;
		}
		if (evl_copy_from_user(v->iov_base, src.cubuf, v->iov_len)) {
			memset(v->iov_base, 0, v->iov_len);
			err = -EFAULT;
		}
		src.cubuf += v->iov_len;
	}

	return err;
}

int evl_empty_span(struct evl_ring_span *span, struct evl_ring_buf dst)
{
	struct kvec *v;
	int n;

	for (n = 0, v = span->vec; n < span->nr; n++, v++) {
		if (!dst.user) {
			memcpy(dst.kernel, v->iov_base, v->iov_len);
			dst.kernel += v->iov_len;
			continue;
		}
		if (evl_copy_to_user(dst.ubuf, v->iov_base, v->iov_len))
			return -EFAULT;
		dst.ubuf += v->iov_len;
	}

	return 0;
}
