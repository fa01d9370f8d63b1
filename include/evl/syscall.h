/* SPDX-License-Identifier: MIT */
/*
 * Out-of-band requests. A file served by the core, or by a driver which knows
 * of it, has handlers of its own for these.
 */
#ifndef _EVL_SYSCALL_H
#define _EVL_SYSCALL_H

#include <evl/detail/shared.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <evl/syscall-abi.h>

__EVL_BEGIN_DECLS

/*
 * libc says that prctl() never throws, but here, a thread may be cancelled
 * inside, which unwinds the stack in C++.
 */
extern int __evl_hl_prctl(int option, ...) __asm__("prctl");

/*
 * The core knows of cancellation as of any other signal, which unblocks the
 * request. For this to end the thread, asynchronous cancellation has to be
 * on meanwhile.
 */
__evl_inline int __evl_hl_request(unsigned int nr, unsigned long a0,
				  unsigned long a1, unsigned long a2)
{
	struct __evl_hl_process *home = __evl_hl_home();
	int cancel_type, ret;

	/* Nobody is attached then, and there may be no core to tell. */
	if (__evl_unlikely(!__evl_hl_load(&home->ready))) {
		errno = EPERM;
		return -1;
	}

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &cancel_type);
	if (__evl_likely(home->form == __EVL_HL_FORM_A))
		ret = __evl_hl_prctl(PR_OOB_SYSCALL, (unsigned long)nr, a0, a1, a2);
	else
		ret = __evl_hl_prctl((int)(nr | EVL_OOB_SYSCALL_BIT), a0, a1, a2, 0UL);
	pthread_setcanceltype(cancel_type, NULL);

	return ret;
}

/*
 * The out-of-band twins of read(2), write(2) and ioctl(2): same results, -1
 * and errno on failure. The caller moves to the out-of-band stage. Errors:
 * EPERM for a thread which is not attached, EBADF for a file without
 * out-of-band operations, EINVAL (read, write) or ENOTTY (ioctl) for a file
 * which does not have this one, and those of the file.
 */
__evl_inline ssize_t oob_read(int efd, void *buf, size_t count)
{
	return __evl_hl_request(sys_evl_read, (unsigned long)efd,
				(unsigned long)buf, count);
}

__evl_inline ssize_t oob_write(int efd, const void *buf, size_t count)
{
	return __evl_hl_request(sys_evl_write, (unsigned long)efd,
				(unsigned long)buf, count);
}

__evl_inline int oob_ioctl(int efd, unsigned long request, ...)
{
	unsigned long arg;
	va_list ap;

	va_start(ap, request);
	arg = va_arg(ap, unsigned long);
	va_end(ap);

	return __evl_hl_request(sys_evl_ioctl, (unsigned long)efd,
				request & 0xffffffffUL, arg);
}

/*
 * For the rest of the library: zero or positive, or a negated error code.
 * The suffix tells the stage: out-of-band, or that of the caller, which may
 * not be attached.
 */
__evl_inline int __evl_hl_ioctl_oob(int efd, unsigned long request, void *arg)
{
	int ret;

	/* Told here, since the other stage would be taken for nothing. */
	if (__evl_hl_self()->window == NULL)
		return -EPERM;

	ret = __evl_hl_request(sys_evl_ioctl, (unsigned long)efd, request,
			       (unsigned long)arg);
	return ret < 0 ? -errno : ret;
}

__evl_inline int __evl_hl_ioctl_inband(int efd, unsigned long request, void *arg)
{
	int ret = ioctl(efd, request, arg);

	return ret < 0 ? -errno : ret;
}

__evl_inline int __evl_hl_ioctl(int efd, unsigned long request, void *arg)
{
	if (__evl_hl_is_inband())
		return __evl_hl_ioctl_inband(efd, request, arg);

	return __evl_hl_ioctl_oob(efd, request, arg);
}

__EVL_END_DECLS

#endif /* _EVL_SYSCALL_H */
