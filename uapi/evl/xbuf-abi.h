/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Cross-buffers: rings between the two stages.
 */
#ifndef _EVL_UAPI_XBUF_ABI_H
#define _EVL_UAPI_XBUF_ABI_H

#include <linux/types.h>
#include <evl/factory-abi.h>

/* i_bufsz: out-of-band writes to in-band reads; o_bufsz: the other way. */
struct evl_xbuf_attrs {
	__u32 i_bufsz;
	__u32 o_bufsz;
};

#endif /* _EVL_UAPI_XBUF_ABI_H */
