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

__evl_inline long __evl_hl_libc_prctl(int option, unsigned long a1, unsigned long a2,
				      unsigned long a3, unsigned long a4)
{
	int ret = __evl_hl_prctl(option, a1, a2, a3, a4);

	return ret < 0 ? -errno : ret;
}

/*
 * The same call without the detour through libc and errno, which would be a
 * good part of what a request costs. EVL_LIBC_PRCTL is for those who want to
 * see our requests by redefining prctl().
 */
#if defined(__x86_64__) && defined(__LP64__) && !defined(EVL_LIBC_PRCTL)

#define __EVL_HL_NR_PRCTL	157

__evl_always long __evl_hl_direct_prctl(int option, unsigned long a1, unsigned long a2,
					unsigned long a3, unsigned long a4)
{
	register unsigned long r10 __asm__("r10") = a3;
	register unsigned long r8 __asm__("r8") = a4;
	long ret;

	__asm__ __volatile__("syscall"
			     : "=a"(ret)
			     : "0"((long)__EVL_HL_NR_PRCTL), "D"((long)option), "S"(a1),
			       "d"(a2), "r"(r10), "r"(r8)
			     : "rcx", "r11", "memory", "cc");
	return ret;
}

/* What an instruction throws, handlers of exceptions do not expect. */
#if !defined(__EXCEPTIONS)
#define __evl_hl_cancellable_prctl	__evl_hl_direct_prctl
#endif

#else

#define __evl_hl_direct_prctl		__evl_hl_libc_prctl

#endif

#ifndef __evl_hl_cancellable_prctl
#define __evl_hl_cancellable_prctl	__evl_hl_libc_prctl
#endif

/* Issues a request in the way that this core knows of. */
#define __evl_hl_submit(__prctl, __home, __nr, __a0, __a1, __a2)			\
	(__evl_likely((__home)->form == __EVL_HL_FORM_A) ?				\
	 __prctl(PR_OOB_SYSCALL, (unsigned long)(__nr), __a0, __a1, __a2) :		\
	 __prctl((int)((__nr) | EVL_OOB_SYSCALL_BIT), __a0, __a1, __a2, 0UL))

/*
 * A cancellation point. The core knows of cancellation as of any other signal,
 * which unblocks the request. For this to end the thread, asynchronous
 * cancellation has to be on meanwhile. The thread may also end there with the
 * request done: see __evl_hl_ioctl_undo().
 */
__evl_always long __evl_hl_wait_in(struct __evl_hl_process *home, unsigned int nr,
				   unsigned long a0, unsigned long a1, unsigned long a2)
{
	int cancel_type;
	long ret;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &cancel_type);
	ret = __evl_hl_submit(__evl_hl_cancellable_prctl, home, nr, a0, a1, a2);
	pthread_setcanceltype(cancel_type, NULL);

	return ret;
}

/* As users call it: -1 and errno. */
__evl_inline long __evl_hl_request(unsigned int nr, unsigned long a0, unsigned long a1,
				   unsigned long a2)
{
	struct __evl_hl_process *home = __evl_hl_home();
	long ret = -EPERM;

	/* Else nobody is attached, and there may be no core to tell. */
	if (__evl_likely(__evl_hl_load(&home->ready)))
		ret = __evl_hl_wait_in(home, nr, a0, a1, a2);

	if (__evl_likely(ret >= 0))
		return ret;

	errno = (int)-ret;
	return -1;
}

/*
 * The out-of-band twins of read(2), write(2) and ioctl(2). Out-of-band, attached
 * threads: the caller moves there. Returns what these do, or -1 with errno: EPERM
 * for a thread which is not attached, EBADF for a file without out-of-band
 * operations, EINVAL (read, write) or ENOTTY (ioctl) for a file which does not have
 * this one, and those of the file.
 *
 * Cancellation points. As with read(2), what a thread has just read when it is
 * cancelled is lost: data, bits of flags, ticks of a timer, notices of an observable.
 */
__evl_api ssize_t oob_read(int efd, void *buf, size_t count)
{
	return __evl_hl_request(sys_evl_read, (unsigned long)efd,
				(unsigned long)buf, count);
}

__evl_api ssize_t oob_write(int efd, const void *buf, size_t count)
{
	return __evl_hl_request(sys_evl_write, (unsigned long)efd,
				(unsigned long)buf, count);
}

__evl_api int oob_ioctl(int efd, unsigned long request, ...)
{
	unsigned long arg;
	va_list ap;

	va_start(ap, request);
	arg = va_arg(ap, unsigned long);
	va_end(ap);

	return (int)__evl_hl_request(sys_evl_ioctl, (unsigned long)efd,
				     request & 0xffffffffUL, arg);
}

/*
 * For the rest of the library: zero or positive, or a negated error code.
 * The suffix tells the stage: out-of-band, or that of the caller, which may
 * not be attached. Those which come with "quick" are no cancellation points.
 */
__evl_inline int __evl_hl_ioctl_oob(int efd, unsigned long request, void *arg)
{
	struct __evl_hl_process *home = __evl_hl_home();

	/* Told here, since the other stage would be taken for nothing. */
	if (__evl_unlikely(__evl_hl_self_in(home)->window == NULL))
		return -EPERM;

	return (int)__evl_hl_wait_in(home, sys_evl_ioctl, (unsigned long)efd, request,
				     (unsigned long)arg);
}

/*
 * In C without exceptions, the handler of pthread_cleanup_push() is jumped to,
 * so each wait saves a context first, in vain but for the last one. glibc still
 * has what it did before, a list of functions to call.
 */
#if defined(__GLIBC_PREREQ) && !defined(__cplusplus) && !defined(__EXCEPTIONS)
#if __GLIBC_PREREQ(2, 34)
#define __EVL_HL_CLEANUP_LIST	1
#endif
#endif

/*
 * A wait which takes something away from others, for instance a unit. The
 * signal of cancellation may come when the thread has it already, on its way
 * back from the core: undo() finds out, from what the core left in memory, and
 * gives it back. It runs before the handlers of the application do. It is a
 * function of its own since handlers and long jumps are no good to inline.
 */
#ifdef __EVL_HL_CLEANUP_LIST
extern void __evl_hl_cleanup_push(struct _pthread_cleanup_buffer *buffer,
				  void (*handler)(void *arg), void *arg)
	__asm__("_pthread_cleanup_push");
extern void __evl_hl_cleanup_pop(struct _pthread_cleanup_buffer *buffer, int execute)
	__asm__("_pthread_cleanup_pop");

__evl_slow int __evl_hl_ioctl_undo(int efd, unsigned long request, void *arg,
				   void (*undo)(void *wait), void *wait)
{
	struct _pthread_cleanup_buffer buffer;
	int ret;

	__evl_hl_cleanup_push(&buffer, undo, wait);
	ret = __evl_hl_ioctl_oob(efd, request, arg);
	__evl_hl_cleanup_pop(&buffer, 0);

	return ret;
}
#else
__evl_slow int __evl_hl_ioctl_undo(int efd, unsigned long request, void *arg,
				   void (*undo)(void *wait), void *wait)
{
	int ret;

	pthread_cleanup_push(undo, wait);
	ret = __evl_hl_ioctl_oob(efd, request, arg);
	pthread_cleanup_pop(0);

	return ret;
}
#endif

__evl_always int __evl_hl_quick_in(struct __evl_hl_process *home, int efd,
				   unsigned long request, void *arg)
{
	return (int)__evl_hl_submit(__evl_hl_direct_prctl, home, sys_evl_ioctl,
				    (unsigned long)efd, request, (unsigned long)arg);
}

__evl_inline int __evl_hl_quick_oob(int efd, unsigned long request, void *arg)
{
	struct __evl_hl_process *home = __evl_hl_home();

	if (__evl_unlikely(__evl_hl_self_in(home)->window == NULL))
		return -EPERM;

	return __evl_hl_quick_in(home, efd, request, arg);
}

__evl_inline int __evl_hl_ioctl_inband(int efd, unsigned long request, void *arg)
{
	int ret = ioctl(efd, request, arg);

	return ret < 0 ? -errno : ret;
}

__evl_inline int __evl_hl_quick(int efd, unsigned long request, void *arg)
{
	struct __evl_hl_process *home = __evl_hl_home();

	if (__evl_hl_is_inband_in(home))
		return __evl_hl_ioctl_inband(efd, request, arg);

	return __evl_hl_quick_in(home, efd, request, arg);
}

/* A file which does not know of requests to threads is none of a thread. */
__evl_inline int __evl_hl_thread_code(int ret)
{
	return ret == -ENOTTY ? -EBADF : ret;
}

/*
 * Requests to a thread. Those which come without data have codes of two bytes, which
 * terminals know as theirs: TCFLSH and the like. In-band, they are for what answers to
 * another request like a thread, alive or not.
 */
__evl_inline int __evl_hl_quick_thread(int efd, unsigned long request, void *arg)
{
	struct evl_thread_state state;
	int ret;

	if (arg == NULL && request < 0x10000 && __evl_hl_is_inband()) {
		ret = __evl_hl_ioctl_inband(efd, EVL_THRIOC_GET_STATE, &state);
		if (ret)
			return __evl_hl_thread_code(ret);
	}

	return __evl_hl_thread_code(__evl_hl_quick(efd, request, arg));
}

__EVL_END_DECLS

#endif /* _EVL_SYSCALL_H */
