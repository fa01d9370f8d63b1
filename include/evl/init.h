/* SPDX-License-Identifier: MIT */
/* Bringing the library up in a process. */
#ifndef _EVL_INIT_H
#define _EVL_INIT_H

#include <evl/detail/shared.h>
#include <evl/detail/descriptor.h>
#include <evl/detail/element.h>
#include <evl/detail/vdso.h>
#include <evl/detail/attached.h>
#include <evl/syscall.h>
#include <evl/clock-abi.h>
#include <evl/control-abi.h>
#include <evl/proxy-abi.h>

__EVL_BEGIN_DECLS

/*
 * For what programs declare by themselves now and then, and C does not let a
 * static function follow such a declaration. C++ drops all but one of these, C
 * keeps one in each unit.
 */
#if defined(__EVL_HL_LIBRARY)
#define __EVL_HL_DECLARED	__evl_api
#elif defined(__cplusplus)
#define __EVL_HL_DECLARED	inline __attribute__((visibility("hidden")))
#else
#define __EVL_HL_DECLARED	__attribute__((weak, visibility("hidden")))
#endif

/* Room for output until the in-band side gets to print it. */
#define __EVL_HL_STDIO_BUFSZ	16384

/*
 * A child starts afresh: it is not attached, and has to call evl_init(), or
 * to attach, before it uses EVL. The shared memory stays mapped since
 * elements which it inherits point there. The lock may be that of a thread
 * which is not here.
 */
__evl_inline void __evl_hl_reset_child(void)
{
	struct __evl_hl_process *home = __evl_hl_home();
	struct __evl_hl_thread *self = __evl_hl_self();
	const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
	int cancel_state = __evl_hl_hold_cancel(), n;

	home->lock = unlocked;
	home->forking = 0;
	__evl_hl_drop_threads(home);
	home->ready = 0;
	home->booted = 0;
	home->status = 0;
	home->stop_warned = 0;

	__evl_hl_drop_fd(&home->ctlfd, -1);
	for (n = 0; n < 2; n++) {
		__evl_hl_drop_fd(&home->clockfd[n], -ENXIO);
		__evl_hl_drop_fd(&home->proxyfd[n], -EBADF);
	}

	__evl_hl_clear_thread(self);
	__evl_hl_allow_cancel(cancel_state);
}

__evl_inline int __evl_hl_lock_memory(void)
{
	if (__evl_hl_mlockall(__EVL_HL_MCL_ALL) == 0)
		return 0;

	if (errno == EPERM)
		fprintf(stderr, "evl: not allowed to lock memory (see ulimit -l, CAP_IPC_LOCK)\n");
	else if (errno == ENOMEM || errno == EAGAIN)
		fprintf(stderr, "evl: not allowed to lock that much memory (see ulimit -l, CAP_IPC_LOCK)\n");

	return errno == EAGAIN ? -ENOMEM : -errno;
}

/* The core may serve the present form of requests, or the older one only. */
__evl_inline int __evl_hl_match_abi(struct __evl_hl_process *home)
{
	const struct evl_core_info *core = &home->core;

	if (core->abi_base <= EVL_ABI_PREREQ && core->abi_current >= EVL_ABI_PREREQ) {
		home->form = __EVL_HL_FORM_A;
		return 0;
	}

	if (core->abi_base <= EVL_ABI_PREREQ_OLD && core->abi_current == EVL_ABI_PREREQ_OLD) {
		home->form = __EVL_HL_FORM_B;
		return 0;
	}

	fprintf(stderr, "evl: core serves ABI %u..%u, this program needs %d or %d\n",
		core->abi_base, core->abi_current, EVL_ABI_PREREQ, EVL_ABI_PREREQ_OLD);
	return -ENOEXEC;
}

/* Opening the control device also lets the process host EVL threads. */
__evl_inline int __evl_hl_connect(struct __evl_hl_process *home)
{
	int fd;

	fd = __evl_hl_open(EVL_CONTROL_DEV, __EVL_HL_O_RDWR | __EVL_HL_O_CLOEXEC);
	if (fd < 0) {
		if (errno != ENOENT && errno != ENXIO && errno != ENODEV)
			return -errno;
		fprintf(stderr, "evl: no EVL core in this kernel (is evl.ko loaded?)\n");
		return -ENOSYS;
	}

	__evl_hl_mark_fd(fd);
	home->ctlfd = fd;

	/* The size of the answer is part of the request code. */
	if (ioctl(fd, EVL_CTLIOC_GET_COREINFO, &home->core))
		return errno == ENOTTY ? -ENOEXEC : -errno;

	return __evl_hl_match_abi(home);
}

__evl_inline int __evl_hl_open_clock(struct __evl_hl_process *home, int n, const char *name)
{
	int fd = __evl_hl_open_device(EVL_CLOCK_DEV, name);

	if (fd < 0)
		return fd;

	__evl_hl_mark_fd(fd);
	home->clockfd[n] = fd;

	return 0;
}

__evl_inline int __evl_hl_open_clocks(struct __evl_hl_process *home)
{
	int ret = __evl_hl_open_clock(home, 0, EVL_CLOCK_MONOTONIC_DEV);

	return ret ? ret : __evl_hl_open_clock(home, 1, EVL_CLOCK_REALTIME_DEV);
}

/* In a child, to where the parent has it: see __evl_hl_reset_child(). */
__evl_inline int __evl_hl_map_shared(struct __evl_hl_process *home)
{
	int flags = __EVL_HL_MAP_SHARED | (home->shm ? __EVL_HL_MAP_FIXED : 0);
	void *shm;

	shm = __evl_hl_mmap(home->shm, (size_t)home->core.shm_size, __EVL_HL_PROT_RW, flags,
			    home->ctlfd, 0);
	if (__evl_hl_map_failed(shm))
		return -errno;

	home->shm = (unsigned char *)shm;
	return 0;
}

/*
 * A proxy to a standard stream. Without one, output is discarded with an
 * error, the program works. The name may be taken by another instance of
 * this library in the process, an anonymous proxy is as good.
 */
__evl_inline void __evl_hl_open_stream(struct __evl_hl_process *home, int fd,
				       const char *name)
{
	struct evl_proxy_attrs attrs;
	char buf[32];
	int efd;

	attrs.fd = (__u32)fd;
	attrs.bufsz = __EVL_HL_STDIO_BUFSZ;
	attrs.granularity = 0;
	snprintf(buf, sizeof(buf), "%s:%d", name, (int)getpid());

	efd = __evl_hl_clone(EVL_PROXY_DEV, buf, &attrs, EVL_CLONE_OUTPUT, NULL);
	if (efd == -EEXIST)
		efd = __evl_hl_clone(EVL_PROXY_DEV, NULL, &attrs, EVL_CLONE_OUTPUT, NULL);

	if (efd < 0)
		return;

	__evl_hl_mark_fd(efd);
	__evl_hl_store(&home->proxyfd[fd - 1], efd);
}

__evl_inline void __evl_hl_disconnect(struct __evl_hl_process *home)
{
	int n;

	for (n = 0; n < 2; n++)
		__evl_hl_drop_fd(&home->clockfd[n], -ENXIO);
	__evl_hl_drop_fd(&home->ctlfd, -1);
}

/*
 * Pages of the vDSO are not locked as others are: the kernel maps them when they are
 * touched. Whoever reads a clock out-of-band would be sent in-band for that.
 */
__evl_inline void __evl_hl_touch_clock(void)
{
	struct timespec now;

	__evl_hl_find_gettime()(CLOCK_MONOTONIC, &now);
}

__evl_inline int __evl_hl_bootstrap(struct __evl_hl_process *home)
{
	int ret;

	ret = __evl_hl_lock_memory();
	if (ret)
		return ret;

	__evl_hl_touch_clock();

	ret = __evl_hl_connect(home);
	if (ret == 0)
		ret = __evl_hl_open_clocks(home);
	if (ret == 0)
		ret = __evl_hl_map_shared(home);
	if (ret) {
		__evl_hl_disconnect(home);
		return ret;
	}

	/* There are as many keys as the C library has. Without, threads which do not
	 * detach leave their descriptors behind. */
	if (!home->keyed)
		home->keyed = pthread_key_create(&home->key, __evl_hl_end_thread) == 0;
	__evl_hl_open_stream(home, 1, "stdout");
	__evl_hl_open_stream(home, 2, "stderr");

	return 0;
}

/*
 * Before anything which a child would have to know of, the process lock to begin with.
 * Two threads may do it both, which is no harm. Handlers are inherited: a child must
 * not add to them.
 */
__evl_inline int __evl_hl_handle_forks(struct __evl_hl_process *home)
{
	int ret = 0;

	if (!__evl_hl_load(&home->atfork))
		ret = -pthread_atfork(__evl_hl_prepare_fork, __evl_hl_finish_fork,
				      __evl_hl_reset_child);
	if (ret == 0)
		__evl_hl_store(&home->atfork, 1);

	return ret;
}

__evl_inline int __evl_hl_init_once(struct __evl_hl_process *home)
{
	int cancel_state, ret;

	ret = __evl_hl_handle_forks(home);
	if (ret)
		return ret;

	cancel_state = __evl_hl_lock_process(home);

	if (!home->booted) {
		home->status = __evl_hl_bootstrap(home);
		home->booted = 1;
		if (home->status == 0)
			__evl_hl_store(&home->ready, 1);
	}
	ret = home->status;

	__evl_hl_unlock_process(home, cancel_state);

	return ret;
}

/*
 * Brings the library up: locks the memory of the process, connects to the
 * core, checks that both speak the same ABI, sets up printing. Only the first
 * call in a process does so, the next ones return its status; attaching a
 * thread calls it as well. In-band, any thread. Returns 0, or:
 *
 *   -EPERM    not allowed to lock memory
 *   -ENOMEM   could not lock the memory of the process, or short of memory
 *   -ENOSYS   no EVL core in the kernel
 *   -ENOEXEC  the core does not serve our ABI level
 *
 * or what opening the devices of the core gave (-EACCES, -EMFILE, ...).
 */
int evl_init(void);
__EVL_HL_DECLARED int evl_init(void)
{
	struct __evl_hl_process *home = __evl_hl_home();
	int cancel_state, ret;

	if (__evl_hl_load(&home->ready))
		return 0;

	/* The dynamic linker opens files as well. */
	cancel_state = __evl_hl_hold_cancel();
	ret = __evl_hl_init_once(__evl_hl_find_home(1));
	__evl_hl_allow_cancel(cancel_state);

	return ret;
}

__EVL_END_DECLS

#endif /* _EVL_INIT_H */
