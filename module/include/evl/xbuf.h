/* SPDX-License-Identifier: GPL-2.0-only */
/* Cross-buffers: the out-of-band end of them, for drivers. */
#ifndef EVL_XBUF_H
#define EVL_XBUF_H

#include <linux/types.h>

struct evl_file;
struct evl_xbuf;

struct evl_xbuf *evl_get_xbuf(int efd, struct evl_file **efilpp);
void evl_put_xbuf(struct evl_file *efilp);
ssize_t evl_read_xbuf(struct evl_xbuf *xbuf, void *buf, size_t count,
		      int f_flags);
ssize_t evl_write_xbuf(struct evl_xbuf *xbuf, const void *buf, size_t count,
		       int f_flags);

#endif /* !EVL_XBUF_H */
