/* SPDX-License-Identifier: GPL-2.0-only */
/* Cross-buffers: the out-of-band end of them, for drivers. */
#ifndef EVL_XBUF_H
#define EVL_XBUF_H

#include <linux/types.h>

struct evl_file;
struct evl_xbuf;

/*
 * The cross-buffer behind a descriptor of current, NULL if there is none. It
 * lasts until evl_put_xbuf() is given what *@efilpp was set to, which is not the
 * file of the application: that may be closed meanwhile. Any stage.
 */
struct evl_xbuf *evl_get_xbuf(int efd, struct evl_file **efilpp);
void evl_put_xbuf(struct evl_file *efilp);
/*
 * As oob_read(2) and oob_write(2) with @f_flags: O_NONBLOCK or 0. A read with
 * O_NONBLOCK differs: it is -EAGAIN if there is less than @count, rather than short.
 * What is read is less than @count, with or without that flag, only if a writer waits
 * for the space which the data takes, or if nobody is there to write more. -EIDRM if the
 * caller has to wait, or waits, when an application closes its file; and from
 * then on, once what is there was read, unless somebody opens it again.
 */
ssize_t evl_read_xbuf(struct evl_xbuf *xbuf, void *buf, size_t count,
		      int f_flags);
ssize_t evl_write_xbuf(struct evl_xbuf *xbuf, const void *buf, size_t count,
		       int f_flags);

#endif /* !EVL_XBUF_H */
