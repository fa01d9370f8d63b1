/* SPDX-License-Identifier: MIT */
/*
 * Cross-buffers: one side uses read(2), write(2) and poll(2), the other
 * oob_read(), oob_write() and evl_poll().
 */
#ifndef _EVL_XBUF_H
#define _EVL_XBUF_H

#include <evl/syscall.h>
#include <evl/detail/element.h>
#include <evl/xbuf-abi.h>

__EVL_BEGIN_DECLS

/*
 * Creates a cross-buffer. i_bufsz is the size in bytes of the ring from
 * oob_write() to read(2), o_bufsz of the one from write(2) to oob_read(); a
 * direction of size 0 does not exist (-ENOBUFS). flags: EVL_CLONE_PUBLIC,
 * _PRIVATE, _NONBLOCK. In-band, any thread. Returns a descriptor, or -ENXIO
 * before evl_init(), -EINVAL (both sizes 0, a size above 2^30, flags, name),
 * -EEXIST, -ENAMETOOLONG, -EMFILE, -ENFILE, -ENOMEM.
 */
__evl_api int evl_create_xbuf(size_t i_bufsz, size_t o_bufsz,
			      int flags, const char *fmt, ...)
{
	const size_t limit = (size_t)1 << 30;
	struct evl_xbuf_attrs attrs;
	va_list ap;
	int ret;

	if (!__evl_hl_ready())
		return -ENXIO;

	/* Sizes travel as 32-bit words: nothing may get lost. */
	if (i_bufsz > limit || o_bufsz > limit)
		return -EINVAL;

	attrs.i_bufsz = (__u32)i_bufsz;
	attrs.o_bufsz = (__u32)o_bufsz;

	va_start(ap, fmt);
	ret = __evl_hl_create_vargs(EVL_XBUF_DEV, &attrs, flags, NULL, fmt, ap);
	va_end(ap);

	return ret;
}

/* int evl_new_xbuf(size_t bufsz, const char *fmt, ...): the same, of one size both ways. */
#define evl_new_xbuf(__bufsz, ...)	\
	__evl_hl_named(evl_create_xbuf(__bufsz, __bufsz, EVL_CLONE_PRIVATE, __VA_ARGS__), \
		       __VA_ARGS__)

__EVL_END_DECLS

#endif /* _EVL_XBUF_H */
