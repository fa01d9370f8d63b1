/* SPDX-License-Identifier: GPL-2.0-only */
/* What xbuf.c and kernel.c share. */
#ifndef EVL_ELEMENT_XBUF_H
#define EVL_ELEMENT_XBUF_H

#include <linux/mutex.h>
#include <evl/factory.h>
#include <evl/file.h>
#include <evl/xbuf.h>
#include "element/ring/ring.h"

struct evl_xbuf {
	struct evl_element element;
	struct mutex lock;		/* of nr_files */
	unsigned int nr_files;		/* open ones; drivers do without */
	struct evl_file driver_end;	/* what drivers know it by; not a file */
	struct evl_ring in;		/* out-of-band writes, in-band reads */
	struct evl_ring out;		/* in-band writes, out-of-band reads */
};

extern const struct file_operations evl_xbuf_fops;

ssize_t evl_read_xbuf_ring(struct evl_ring *ring, struct evl_ring_buf dst,
			   size_t count, int mode);
ssize_t evl_write_xbuf_ring(struct evl_ring *ring, struct evl_ring_buf src,
			    size_t count, int mode);

#endif /* !EVL_ELEMENT_XBUF_H */
