/* SPDX-License-Identifier: MIT */
/* How elements are named, created and opened. */
#ifndef _EVL_DETAIL_ELEMENT_H
#define _EVL_DETAIL_ELEMENT_H

#include <evl/detail/shared.h>
#include <evl/detail/descriptor.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <evl/detail/libc.h>
#include <evl/factory-abi.h>

#define __EVL_HL_DEVROOT	"/dev/evl"

/* The longest name which a directory entry may have. */
#define __EVL_HL_NAME_MAX	255

__EVL_BEGIN_DECLS

/*
 * A name is a format, and often enough a variable or an empty text. So the
 * calls which take one do not have it checked, unlike those which print; the
 * shorthands for them, macros, do if it is a literal, by a call which is never
 * made: the format comes first, then all what the shorthand got.
 *
 * gcc looks at the branches which a conditional may take, and nothing is to be
 * said of no format at all. A variable which comes along with arguments stays,
 * since there would be too many of them for no format; past fifteen, the first
 * of these decides, which means nothing bad.
 */
__evl_inline __evl_printf(1, 3) int __evl_hl_never(const char *fmt, const char *same, ...)
{
	(void)fmt;
	(void)same;

	return 0;
}

#define __EVL_HL_FIRST(...)		__EVL_HL_FIRST_OF(__VA_ARGS__, 0)
#define __EVL_HL_FIRST_OF(__fmt, ...)	__fmt
#define __EVL_HL_ALONE(...)	\
	__EVL_HL_SEVENTEENTH(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0)
#define __EVL_HL_SEVENTEENTH(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14,	\
			     _15, _16, __seventeenth, ...)	__seventeenth

#ifdef __cplusplus
#define __EVL_HL_NO_FORMAT	static_cast<const char *>(NULL)
#else
#define __EVL_HL_NO_FORMAT	((const char *)NULL)
#endif

#ifdef __clang__
#define __evl_hl_named(__call, ...)						\
	(0 ? _Pragma("clang diagnostic push")					\
	     _Pragma("clang diagnostic ignored \"-Wformat-security\"")		\
	     _Pragma("clang diagnostic ignored \"-Wformat-nonliteral\"")	\
	     _Pragma("clang diagnostic ignored \"-Wformat-zero-length\"")	\
	     __evl_hl_never(__EVL_HL_FIRST(__VA_ARGS__), __VA_ARGS__)		\
	     _Pragma("clang diagnostic pop") : (__call))
#else
#define __evl_hl_named(__call, ...)						\
	(0 ? __evl_hl_never(__builtin_constant_p(__EVL_HL_FIRST(__VA_ARGS__)) ?	\
			    (sizeof(__EVL_HL_FIRST(__VA_ARGS__)) > 1 ?		\
			     __EVL_HL_FIRST(__VA_ARGS__) : __EVL_HL_NO_FORMAT) :	\
			    (__EVL_HL_ALONE(__VA_ARGS__) ? __EVL_HL_NO_FORMAT :	\
			     __EVL_HL_FIRST(__VA_ARGS__)), __VA_ARGS__) : (__call))
#endif

struct __evl_hl_name {
	char text[__EVL_HL_NAME_MAX + 1];
};

/* A name is that of a directory in sysfs, and of a node if public. */
__evl_inline int __evl_hl_check_name(const char *name)
{
	if (*name == '\0' || strchr(name, '/') ||
	    strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;

	return strlen(name) > __EVL_HL_NAME_MAX ? -ENAMETOOLONG : 0;
}

/*
 * Formats a name. A leading slash is not part of it, but asks for a public
 * element, which the caller is told in *flags.
 */
__evl_inline __evl_printf(3, 0) int __evl_hl_format_name(struct __evl_hl_name *name,
							   int *flags, const char *fmt,
							   va_list ap)
{
	char text[__EVL_HL_NAME_MAX + 2];
	const char *start = text;
	int len;

	len = vsnprintf(text, sizeof(text), fmt, ap);
	if (len < 0)
		return -EINVAL;

	if (*start == '/') {
		*flags |= EVL_CLONE_PUBLIC;
		start++;
		len--;
	}

	if (len > __EVL_HL_NAME_MAX)
		return -ENAMETOOLONG;

	memcpy(name->text, start, (size_t)len + 1);
	return __evl_hl_check_name(name->text);
}

/* Opens a device of the core, the last part of its path may be absent. */
__evl_inline int __evl_hl_open_device(const char *type, const char *name)
{
	char path[PATH_MAX];
	int cancel_state, ret;

	ret = snprintf(path, sizeof(path), "%s/%s%s%s", __EVL_HL_DEVROOT, type,
		       name ? "/" : "", name ? name : "");
	if (ret < 0 || ret >= (int)sizeof(path))
		return -ENAMETOOLONG;

	cancel_state = __evl_hl_hold_cancel();
	ret = __evl_hl_open(path, __EVL_HL_O_RDWR | __EVL_HL_O_CLOEXEC);
	ret = ret < 0 ? -errno : __evl_hl_new_fd(ret);
	__evl_hl_allow_cancel(cancel_state);

	return ret;
}

/* The flags which live in the descriptor. */
__evl_inline int __evl_hl_set_fd_flags(int efd, int clone_flags)
{
	int flags;

	if (__evl_hl_fcntl(efd, __EVL_HL_F_SETFD, __EVL_HL_FD_CLOEXEC) < 0)
		return -errno;

	if (!(clone_flags & EVL_CLONE_NONBLOCK))
		return 0;

	flags = __evl_hl_fcntl(efd, __EVL_HL_F_GETFL);
	if (flags < 0 ||
	    __evl_hl_fcntl(efd, __EVL_HL_F_SETFL, flags | __EVL_HL_O_NONBLOCK) < 0)
		return -errno;

	return 0;
}

/* Once per process: each further creation would only repeat it. */
__evl_inline void __evl_hl_warn_stopped(void)
{
	if (__atomic_exchange_n(&__evl_hl_home()->stop_warned, 1, __ATOMIC_RELAXED) == 0)
		fprintf(stderr, "evl: the core is stopped: write start to /sys/devices/virtual/evl/control/state\n");
}

__evl_inline int __evl_hl_clone_by(int clonefd, const char *type, const char *name,
				   void *attrs, int clone_flags, struct evl_element_ids *eids)
{
	struct evl_clone_req req;
	int efd, ret;

	memset(&req, 0, sizeof(req));
	req.name_ptr = __evl_hl_ptr64(name);
	req.attrs_ptr = __evl_hl_ptr64(attrs);
	req.clone_flags = (__u32)clone_flags & EVL_CLONE_MASK & ~(__u32)EVL_CLONE_NONBLOCK;

	if (ioctl(clonefd, EVL_IOC_CLONE, &req)) {
		ret = -errno;
		if (ret == -ENXIO)
			__evl_hl_warn_stopped();
		return ret;
	}

	efd = (int)req.efd;
	if (clone_flags & EVL_CLONE_PUBLIC)
		efd = __evl_hl_open_device(type, name);

	ret = efd;
	if (efd >= 0) {
		ret = __evl_hl_set_fd_flags(efd, clone_flags);
		if (ret == 0) {
			ret = efd;
			if (eids)
				*eids = req.eids;
		} else {
			close(efd);
		}
	}

	return ret;
}

/*
 * Creates an element. The clone device goes last: it holds the reference
 * which keeps a public element alive until its node is open.
 */
__evl_inline int __evl_hl_clone(const char *type, const char *name, void *attrs,
				int clone_flags, struct evl_element_ids *eids)
{
	int cancel_state = __evl_hl_hold_cancel(), clonefd, ret;

	ret = clonefd = __evl_hl_open_device(type, "clone");
	if (clonefd >= 0) {
		ret = __evl_hl_clone_by(clonefd, type, name, attrs, clone_flags, eids);
		close(clonefd);
	}
	ret = __evl_hl_new_fd(ret);
	__evl_hl_allow_cancel(cancel_state);

	return ret;
}

/* Same, once the library is up, with a name which may ask to be public. */
__evl_inline int __evl_hl_create_named(const char *type, const char *name, void *attrs,
				       int clone_flags, struct evl_element_ids *eids)
{
	int ret;

	if (!__evl_hl_ready())
		return -ENXIO;

	if (name && *name == '/') {
		clone_flags |= EVL_CLONE_PUBLIC;
		name++;
	}

	if (name) {
		ret = __evl_hl_check_name(name);
		if (ret)
			return ret;
	} else if (clone_flags & EVL_CLONE_PUBLIC) {
		return -EINVAL;
	}

	return __evl_hl_clone(type, name, attrs, clone_flags, eids);
}

__evl_inline __evl_printf(5, 0) int __evl_hl_create_vargs(const char *type, void *attrs,
							    int clone_flags,
							    struct evl_element_ids *eids,
							    const char *fmt, va_list ap)
{
	struct __evl_hl_name name;
	int ret;

	if (!__evl_hl_ready())
		return -ENXIO;

	if (fmt == NULL)
		return __evl_hl_create_named(type, NULL, attrs, clone_flags, eids);

	ret = __evl_hl_format_name(&name, &clone_flags, fmt, ap);
	if (ret)
		return ret;

	return __evl_hl_clone(type, name.text, attrs, clone_flags, eids);
}

/* Opens a public element. A leading slash is fine, and means nothing here. */
__evl_inline __evl_printf(2, 0) int __evl_hl_open_vargs(const char *type, const char *fmt,
							  va_list ap)
{
	struct __evl_hl_name name;
	int flags = 0, ret;

	if (!__evl_hl_ready())
		return -ENXIO;

	if (fmt == NULL)
		return -EINVAL;

	ret = __evl_hl_format_name(&name, &flags, fmt, ap);
	if (ret)
		return ret;

	return __evl_hl_open_device(type, name.text);
}

__EVL_END_DECLS

#endif /* _EVL_DETAIL_ELEMENT_H */
