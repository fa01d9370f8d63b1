/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/* What the driver and the program which uses it agree upon. */
#ifndef XBUF_DRIVER_H
#define XBUF_DRIVER_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Written to the cross-buffer by the program. */
struct sampling_request {
	__u32 period_us;
	__u32 count;
};

/* Written to it by the driver, as many times as asked for. */
struct sampling_record {
	__u64 date;		/* when the sample was to be taken, in ns */
	__s64 latency;		/* how late it was, in ns; negative if a bit early */
};

/* Serve requests from the cross-buffer whose descriptor is the argument. */
#define XBUF_DRIVER_START	_IO('X', 0)

#endif /* !XBUF_DRIVER_H */
