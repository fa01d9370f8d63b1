/* SPDX-License-Identifier: MIT */
/*
 * Proxies: out-of-band access to an ordinary file, and printing based on
 * them.
 */
#ifndef _EVL_PROXY_H
#define _EVL_PROXY_H

#include <evl/syscall.h>
#include <evl/detail/element.h>
#include <evl/proxy-abi.h>

__EVL_BEGIN_DECLS

/* The longest text which a single print call sends, in bytes. */
#define __EVL_HL_PRINT_MAX	1023

/*
 * Creates a proxy to targetfd. flags: EVL_CLONE_INPUT, _OUTPUT (default),
 * _PUBLIC, _PRIVATE, _NONBLOCK. bufsz is the size in bytes of a ring, 0 for a
 * proxy which is only to be mapped. With a granularity above 1, bufsz and
 * each transfer have to be multiples of it. In-band, any thread. Returns a
 * descriptor, or -ENXIO before evl_init(), -EINVAL, -EBADF for a bad target,
 * -EEXIST, -ENAMETOOLONG, -EMFILE, -ENFILE, -ENOMEM, -EAGAIN if the user has
 * too many (RLIMIT_NPROC).
 */
__evl_api int evl_create_proxy(int targetfd, size_t bufsz,
			       size_t granularity, int flags,
			       const char *fmt, ...)
{
	const size_t limit = (size_t)1 << 30;
	struct evl_proxy_attrs attrs;
	va_list ap;
	int ret;

	if (!__evl_hl_ready())
		return -ENXIO;

	if (bufsz > limit || granularity > limit)
		return -EINVAL;

	attrs.fd = (__u32)targetfd;
	attrs.bufsz = (__u32)bufsz;
	attrs.granularity = (__u32)granularity;

	va_start(ap, fmt);
	ret = __evl_hl_create_vargs(EVL_PROXY_DEV, &attrs, flags, NULL, fmt, ap);
	va_end(ap);

	return ret;
}

/* int evl_new_proxy(int targetfd, size_t bufsz, const char *fmt, ...) */
#define evl_new_proxy(__targetfd, __bufsz, ...)	\
	__evl_hl_named(evl_create_proxy(__targetfd, __bufsz, 0, EVL_CLONE_PRIVATE, __VA_ARGS__), \
		       __VA_ARGS__)

/*
 * Sends count bytes to the target file, all or nothing. Any stage, any
 * thread. Returns count, or -EFBIG if it exceeds the ring, -EINVAL if not a
 * multiple of the granularity, -EAGAIN (O_NONBLOCK) if the ring has no room,
 * -ENXIO without an output side, -EBADF, -EINTR.
 */
__evl_api ssize_t evl_write_proxy(int proxyfd, const void *buf, size_t count)
{
	ssize_t ret;

	if (__evl_hl_is_inband())
		ret = write(proxyfd, buf, count);
	else
		ret = oob_write(proxyfd, buf, count);

	return ret < 0 ? -errno : ret;
}

/*
 * Waits for count bytes from the target file; fewer may come at its end, or
 * with O_NONBLOCK. Any stage, any thread. Returns the number of bytes, or
 * the errors above, -ENXIO without an input side, and those of the target.
 */
__evl_api ssize_t evl_read_proxy(int proxyfd, void *buf, size_t count)
{
	ssize_t ret;

	if (__evl_hl_is_inband())
		ret = read(proxyfd, buf, count);
	else
		ret = oob_read(proxyfd, buf, count);

	return ret < 0 ? -errno : ret;
}

/* Sends as evl_write_proxy() does, whose name this was before revision 26. */
__evl_api ssize_t evl_send_proxy(int proxyfd, const void *buf, size_t count)
{
	return evl_write_proxy(proxyfd, buf, count);
}

__evl_inline ssize_t __evl_hl_write_stderr(const char *text, size_t count)
{
	size_t done = 0;
	ssize_t ret;

	while (done < count) {
		ret = write(2, text + done, count - done);
		if (ret < 0 && errno == EINTR)
			continue;
		if (ret <= 0)
			return done > 0 ? (ssize_t)done : ret < 0 ? -errno : -EIO;
		done += (size_t)ret;
	}

	return (ssize_t)done;
}

/*
 * Formats a text and sends it to a proxy. The text is cut at 1023 bytes.
 * Without a proxy (negative descriptor), it goes to the standard error
 * stream, but only from in-band: -EBADFD out-of-band. Any stage, any thread.
 * Returns the number of bytes sent, or the errors of evl_write_proxy().
 */
__evl_api __evl_printf(2, 0) ssize_t evl_vprint_proxy(int proxyfd, const char *fmt,
		       va_list ap)
{
	char text[__EVL_HL_PRINT_MAX + 1];
	int len;

	len = vsnprintf(text, sizeof(text), fmt, ap);
	if (len < 0)
		return -EINVAL;

	if (len > __EVL_HL_PRINT_MAX)
		len = __EVL_HL_PRINT_MAX;

	if (proxyfd >= 0)
		return evl_write_proxy(proxyfd, text, (size_t)len);

	if (!__evl_hl_is_inband())
		return -EBADFD;

	return __evl_hl_write_stderr(text, (size_t)len);
}

__evl_api __evl_printf(2, 3) ssize_t evl_print_proxy(int proxyfd, const char *fmt, ...)
{
	va_list ap;
	ssize_t ret;

	va_start(ap, fmt);
	ret = evl_vprint_proxy(proxyfd, fmt, ap);
	va_end(ap);

	return ret;
}

/*
 * The proxies to the standard streams. Any stage, any thread. Returns a descriptor, or
 * -EBADF before evl_init(), if the stream was closed by then, or if the program closed
 * the proxy since, as by closefrom().
 */
__evl_api int evl_stdout(void)
{
	return __evl_hl_stream(0);
}

__evl_api int evl_stderr(void)
{
	return __evl_hl_stream(1);
}

/*
 * Print to the standard streams, as evl_print_proxy() does on the proxies above, hence
 * to standard error without them.
 */
__evl_api __evl_printf(1, 0) ssize_t evl_vprintf(const char *fmt, va_list ap)
{
	return evl_vprint_proxy(evl_stdout(), fmt, ap);
}

__evl_api __evl_printf(1, 2) ssize_t evl_printf(const char *fmt, ...)
{
	va_list ap;
	ssize_t ret;

	va_start(ap, fmt);
	ret = evl_vprint_proxy(evl_stdout(), fmt, ap);
	va_end(ap);

	return ret;
}

__evl_api __evl_printf(1, 2) ssize_t evl_eprintf(const char *fmt, ...)
{
	va_list ap;
	ssize_t ret;

	va_start(ap, fmt);
	ret = evl_vprint_proxy(evl_stderr(), fmt, ap);
	va_end(ap);

	return ret;
}

__EVL_END_DECLS

#endif /* _EVL_PROXY_H */
