/* SPDX-License-Identifier: MIT */
/*
 * Which descriptors are ours. Programs close descriptors which they do not know of,
 * and their numbers go to other files: what the library keeps, it looks at before it
 * closes it, or has Linux do something with it.
 *
 * What tells is in the open file, where it stays, whoever duplicates or inherits the
 * descriptor, until the file is closed: the signal which Linux would send if the file
 * had input, if it was asked to, which nobody can for ours. No program wants that to
 * be SIGSTKFLT, a signal of coprocessors which are gone. The file of a thread has the
 * thread as the one to be sent it, by which it is told from those of other threads.
 */
#ifndef _EVL_DETAIL_DESCRIPTOR_H
#define _EVL_DETAIL_DESCRIPTOR_H

#include <evl/detail/shared.h>
#include <unistd.h>

#define __EVL_HL_F_SETSIG	10
#define __EVL_HL_F_GETSIG	11
#define __EVL_HL_F_SETOWN_EX	15
#define __EVL_HL_F_GETOWN_EX	16
#define __EVL_HL_F_OWNER_TID	0
#define __EVL_HL_SIGSTKFLT	16

#if defined(__x86_64__)
#define __EVL_HL_NR_GETTID	186
#elif defined(__arm__)
#define __EVL_HL_NR_GETTID	224
#else
#define __EVL_HL_NR_GETTID	178
#endif

__EVL_BEGIN_DECLS

struct __evl_hl_owner {
	int type;
	int tid;
};

__evl_inline int __evl_hl_gettid(void)
{
	return (int)__evl_hl_syscall(__EVL_HL_NR_GETTID);
}

__evl_inline void __evl_hl_mark_fd(int fd)
{
	__evl_hl_fcntl(fd, __EVL_HL_F_SETSIG, __EVL_HL_SIGSTKFLT);
}

/* Takes the in-band stage. */
__evl_inline bool __evl_hl_owns_fd(int fd)
{
	return fd >= 0 && __evl_hl_fcntl(fd, __EVL_HL_F_GETSIG) == __EVL_HL_SIGSTKFLT;
}

__evl_inline void __evl_hl_mark_thread_fd(int efd, int tid)
{
	struct __evl_hl_owner owner = { __EVL_HL_F_OWNER_TID, tid };

	__evl_hl_fcntl(efd, __EVL_HL_F_SETOWN_EX, &owner);
	__evl_hl_mark_fd(efd);
}

/* Linux has no name for a thread which has ended, or is out of sight. */
__evl_inline bool __evl_hl_owns_thread_fd(int efd, int tid)
{
	struct __evl_hl_owner owner = { -1, -1 };

	return __evl_hl_owns_fd(efd) &&
		__evl_hl_fcntl(efd, __EVL_HL_F_GETOWN_EX, &owner) == 0 &&
		owner.type == __EVL_HL_F_OWNER_TID && (owner.tid == tid || owner.tid == 0);
}

/* Closes a descriptor which the process state has, unless the program did. */
__evl_inline void __evl_hl_drop_fd(int *fd, int none)
{
	if (__evl_hl_owns_fd(*fd))
		close(*fd);
	__evl_hl_store(fd, none);
}

/*
 * The proxy to a standard stream, negative if there is none. Out-of-band, Linux cannot
 * be asked: what the core does not serve is no danger there, and who had the library
 * create something else under that number is known, see below.
 */
__evl_inline int __evl_hl_stream(int n)
{
	struct __evl_hl_process *home = __evl_hl_home();
	int fd = __evl_hl_load(&home->proxyfd[n]);

	if (fd < 0 || !__evl_hl_is_inband_in(home) || __evl_hl_owns_fd(fd))
		return fd;

	__evl_hl_store(&home->proxyfd[n], -EBADF);

	return -EBADF;
}

/* A new descriptor with the number of a proxy tells that the proxy was closed. */
__evl_inline int __evl_hl_new_fd(int fd)
{
	struct __evl_hl_process *home = __evl_hl_home();
	int n;

	for (n = 0; n < 2; n++)
		if (fd >= 0 && fd == __evl_hl_load(&home->proxyfd[n]))
			__evl_hl_store(&home->proxyfd[n], -EBADF);

	return fd;
}

__EVL_END_DECLS

#endif /* _EVL_DETAIL_DESCRIPTOR_H */
