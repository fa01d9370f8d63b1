/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Proxies: rings between the out-of-band stage and an ordinary file.
 */
#ifndef _EVL_UAPI_PROXY_ABI_H
#define _EVL_UAPI_PROXY_ABI_H

#include <linux/types.h>
#include <evl/factory-abi.h>

/* A granularity above 1 is the size which each transfer is a multiple of. */
struct evl_proxy_attrs {
	__u32 fd;
	__u32 bufsz;
	__u32 granularity;
};

#endif /* _EVL_UAPI_PROXY_ABI_H */
