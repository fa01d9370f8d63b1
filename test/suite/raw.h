/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The EVL interface with bare hands: requests in each of the forms they travel in, and the protocols which a library
 * of ABI 32 or 36 follows. Nothing here comes from include/evl. Results are 0 or more, or a negated error code.
 */
#ifndef EVL_TEST_RAW_H
#define EVL_TEST_RAW_H

#include "test.h"
#include <linux/types.h>
#include <evl/types-abi.h>
#include <evl/syscall-abi.h>
#include <evl/factory-abi.h>
#include <evl/control-abi.h>
#include <evl/thread-abi.h>
#include <evl/clock-abi.h>
#include <evl/monitor-abi.h>
#include <evl/poll-abi.h>
#include <evl/xbuf-abi.h>
#include <evl/proxy-abi.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

enum raw_form {
	FORM_A,		/* ABI 36 and up */
	FORM_B,		/* ABI 32 and below */
	FORM_C,		/* ABI 26 and below */
};

static inline long neg_errno(long ret)
{
	return ret == -1 ? -errno : ret;
}

/* Through libc's prctl() for A and B, as libevl does. */
static inline long raw_request(enum raw_form form, int nr, unsigned long a0, unsigned long a1, unsigned long a2)
{
	switch (form) {
	case FORM_A:
		return neg_errno(prctl(PR_OOB_SYSCALL, nr, a0, a1, a2));
	case FORM_B:
		return neg_errno(prctl(nr | EVL_OOB_SYSCALL_BIT, a0, a1, a2, 0UL));
	default:
		return neg_errno(syscall(nr | EVL_OOB_SYSCALL_BIT, a0, a1, a2));
	}
}

static inline long raw_oob_read(enum raw_form form, int fd, void *buf, size_t count)
{
	return raw_request(form, sys_evl_read, fd, (unsigned long)buf, count);
}

static inline long raw_oob_write(enum raw_form form, int fd, const void *buf, size_t count)
{
	return raw_request(form, sys_evl_write, fd, (unsigned long)buf, count);
}

static inline long raw_oob_ioctl(enum raw_form form, int fd, unsigned int request, const void *arg)
{
	return raw_request(form, sys_evl_ioctl, fd, request, (unsigned long)arg);
}

static inline long raw_ioctl(int fd, unsigned int request, const void *arg)
{
	return neg_errno(ioctl(fd, request, arg));
}

/* --- Elements --------------------------------------------------------------- */

static inline __u64 raw_ptr(const void *p)
{
	return (__u64)(unsigned long)p;
}

static inline int raw_open_clone(const char *class)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/evl/%s/clone", class);
	return neg_errno(open(path, O_RDWR | O_CLOEXEC));
}

static inline int raw_open(const char *class, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/dev/evl/%s/%s", class, name);
	return neg_errno(open(path, O_RDWR));
}

static inline long raw_clone(int clonefd, const char *name, const void *attrs, unsigned int flags,
			     struct evl_clone_req *req)
{
	*req = (struct evl_clone_req){
		.name_ptr = raw_ptr(name),
		.attrs_ptr = raw_ptr(attrs),
		.clone_flags = flags,
	};
	return raw_ioctl(clonefd, EVL_IOC_CLONE, req);
}

/* The whole protocol: a descriptor of the new element, and its ids. */
static inline int raw_create(const char *class, const char *name, const void *attrs, unsigned int flags,
			     struct evl_element_ids *eids)
{
	struct evl_clone_req req;
	int clonefd, efd;
	long ret;

	clonefd = raw_open_clone(class);
	if (clonefd < 0)
		return clonefd;
	ret = raw_clone(clonefd, name, attrs, flags, &req);
	if (!ret) {
		if (eids)
			*eids = req.eids;
		efd = flags & EVL_CLONE_PUBLIC ? raw_open(class, name) : (int)req.efd;
	} else {
		efd = ret;
	}
	close(clonefd);
	return efd;
}

static inline int raw_create_xbuf(const char *name, unsigned int i_bufsz, unsigned int o_bufsz, unsigned int flags)
{
	struct evl_xbuf_attrs attrs = { .i_bufsz = i_bufsz, .o_bufsz = o_bufsz };

	return raw_create("xbuf", name, &attrs, flags, NULL);
}

static inline int raw_create_proxy(const char *name, int fd, unsigned int bufsz, unsigned int granularity,
				   unsigned int flags)
{
	struct evl_proxy_attrs attrs = { .fd = fd, .bufsz = bufsz, .granularity = granularity };

	return raw_create("proxy", name, &attrs, flags, NULL);
}

static inline int raw_create_monitor_on(int clockfd, const char *name, int type, int protocol, unsigned int initval,
					struct evl_element_ids *eids)
{
	struct evl_monitor_attrs attrs = {
		.clockfd = clockfd, .type = type, .protocol = protocol, .initval = initval,
	};

	return raw_create("monitor", name, &attrs, 0, eids);
}

static inline int raw_create_monitor(const char *name, int type, int protocol, unsigned int initval,
				     struct evl_element_ids *eids)
{
	return raw_create_monitor_on(EVL_CLOCK_MONOTONIC, name, type, protocol, initval, eids);
}

/* --- A process ---------------------------------------------------------------- */

struct raw_process {
	int ctlfd, monofd, realfd, outfd, errfd;
	struct evl_core_info info;
	void *shared;
};

/* As evl_init() of a library that requires ABI level @prereq. */
static inline int raw_init(struct raw_process *p, unsigned int prereq)
{
	char name[32];

	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		return -errno;
	p->ctlfd = open(EVL_CONTROL_DEV, O_RDWR);
	if (p->ctlfd < 0)
		return errno == ENOENT ? -ENOSYS : -errno;
	if (ioctl(p->ctlfd, EVL_CTLIOC_GET_COREINFO, &p->info))
		return errno == ENOTTY ? -ENOEXEC : -errno;
	if (prereq < p->info.abi_base || prereq > p->info.abi_current)
		return -ENOEXEC;
	p->monofd = raw_open("clock", "monotonic");
	p->realfd = raw_open("clock", "realtime");
	if (p->monofd < 0 || p->realfd < 0)
		return -ENOENT;
	p->shared = mmap(NULL, p->info.shm_size, PROT_READ | PROT_WRITE, MAP_SHARED, p->ctlfd, 0);
	if (p->shared == MAP_FAILED)
		return -errno;
	snprintf(name, sizeof(name), "stdout:%d", getpid());
	p->outfd = raw_create_proxy(name, 1, 16384, 0, EVL_CLONE_OUTPUT);
	snprintf(name, sizeof(name), "stderr:%d", getpid());
	p->errfd = raw_create_proxy(name, 2, 16384, 0, EVL_CLONE_OUTPUT);

	return 0;
}

struct raw_thread {
	int efd;
	struct evl_element_ids eids;
	volatile struct evl_user_window *window;
};

/* As evl_attach_thread(): create, then apply the policy by a request. */
static inline int raw_attach(struct raw_process *p, struct raw_thread *t, enum raw_form form, const char *name,
			     unsigned int flags)
{
	struct evl_sched_attrs attrs = { 0 };
	struct sched_param param;
	int policy;
	long ret;

	t->efd = raw_create("thread", name, NULL, flags, &t->eids);
	if (t->efd < 0)
		return t->efd;
	t->window = (void *)((char *)p->shared + t->eids.state_offset);
	pthread_getschedparam(pthread_self(), &policy, &param);
	attrs.sched_policy = policy == SCHED_RR || policy == SCHED_OTHER ? policy : SCHED_FIFO;
	attrs.sched_priority = param.sched_priority;
	ret = raw_oob_ioctl(form, t->efd, EVL_THRIOC_SET_SCHEDPARAM, &attrs);
	if (ret) {
		close(t->efd);
		return ret;
	}
	return t->efd;
}

static inline int raw_detach(struct raw_thread *t)
{
	long ret = raw_ioctl(t->efd, EVL_THRIOC_DETACH_SELF, NULL);

	if (!ret)
		close(t->efd);
	return ret;
}

#endif /* !EVL_TEST_RAW_H */
