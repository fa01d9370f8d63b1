/* SPDX-License-Identifier: MIT */
/*
 * Marks among the events which the core leaves in the trace of the kernel. Up to
 * level 36, this is also the name of that part of the ABI.
 */
#ifndef _EVL_TRACE_H
#define _EVL_TRACE_H

#include <evl/syscall.h>
#include <evl/detail/element.h>
#include <evl/trace-abi.h>
#include <stdio.h>

__EVL_BEGIN_DECLS

/* The longest mark, in bytes: what goes beyond is cut off. */
#define __EVL_HL_MARK_MAX	127

/*
 * A descriptor to leave marks by, for all threads of the program, to be closed by
 * close(2). In-band, any thread. Returns it, or -ENXIO before evl_init(), -ENOENT if
 * the core has no such device, -EACCES, -EMFILE, -ENFILE, -ENOMEM.
 */
__evl_api int evl_trace_open(void)
{
	if (!__evl_hl_ready())
		return -ENXIO;

	return __evl_hl_open_device(EVL_TRACE_DEV, NULL);
}

/*
 * Leaves the text at buf as a mark, event evl_trace: up to 127 bytes of it, as one
 * line. It goes nowhere unless somebody traces that event. Any stage, any thread.
 * Returns how many bytes were kept, or -EBADF, -EFAULT.
 */
__evl_api ssize_t evl_trace_write(int tracefd, const void *buf, size_t count)
{
	ssize_t ret;

	if (__evl_hl_is_inband())
		ret = write(tracefd, buf, count);
	else
		ret = oob_write(tracefd, buf, count);

	return ret < 0 ? -errno : ret;
}

/* The same for a text to be formatted; -EINVAL for a bad format. */
__evl_api __evl_printf(2, 0) ssize_t evl_trace_vprintf(int tracefd, const char *fmt,
						       va_list ap)
{
	char text[__EVL_HL_MARK_MAX + 1];
	int len;

	len = vsnprintf(text, sizeof(text), fmt, ap);
	if (len < 0)
		return -EINVAL;

	if (len > __EVL_HL_MARK_MAX)
		len = __EVL_HL_MARK_MAX;

	return evl_trace_write(tracefd, text, (size_t)len);
}

__evl_api __evl_printf(2, 3) ssize_t evl_trace_printf(int tracefd, const char *fmt, ...)
{
	va_list ap;
	ssize_t ret;

	va_start(ap, fmt);
	ret = evl_trace_vprintf(tracefd, fmt, ap);
	va_end(ap);

	return ret;
}

/*
 * Asks for what was recorded so far to be put aside: that is event evl_trigger, on which
 * root sets up what is to happen, such as a snapshot ("evl trace" does, doc/tracing.md).
 * Nothing happens without. Any stage, any thread. Returns 0 or -EBADF.
 */
__evl_api int evl_trace_snapshot(int tracefd)
{
	int ret;

	if (__evl_hl_is_inband())
		ret = ioctl(tracefd, EVL_TRCIOC_SNAPSHOT);
	else
		ret = oob_ioctl(tracefd, EVL_TRCIOC_SNAPSHOT, 0UL);

	return ret ? -errno : 0;
}

__EVL_END_DECLS

#endif /* _EVL_TRACE_H */
