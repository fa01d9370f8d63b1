/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A core for the library to talk to, without a kernel: the calls which reach
 * it are redirected, recorded, and answered from a script. To be included
 * before any EVL header.
 */
#ifndef _EVL_TEST_FAKE_CORE_H
#define _EVL_TEST_FAKE_CORE_H

/* Have the library call prctl(), which is ours. */
#define EVL_LIBC_PRCTL

#include "unit.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <evl/clock-abi.h>
#include <evl/control-abi.h>
#include <evl/factory-abi.h>
#include <evl/monitor-abi.h>
#include <evl/syscall-abi.h>
#include <evl/thread-abi.h>
#include <evl/detail/libc.h>

enum stage { INBAND, OOB };

struct fake_request {
	enum stage stage;
	unsigned int nr;	/* sys_evl_* */
	int fd;
	unsigned long request;
	int form;		/* 'A', 'B', or 0 in-band */
};

/* The answer to a request is -1 and errno, if fail is set for it. */
struct fake_failure {
	unsigned long request;
	enum stage stage;
	int error;
	int times;
};

#define FAKE_SHM_SIZE	4096
#define FAKE_LOG	256

static struct fake_core {
	struct evl_core_info info;
	unsigned char shm[FAKE_SHM_SIZE] __attribute__((aligned(16)));
	struct fake_request log[FAKE_LOG];
	int nr_log;
	char opened[FAKE_LOG][300];
	int nr_opened;
	const char *missing;		/* path which does not open */
	int missing_error;
	struct fake_failure failures[4];
	struct evl_clone_req clone;	/* the last one */
	char clone_name[512];
	unsigned int clone_attrs[3];
	int nr_clones;
	struct evl_monitor_binding binding;
	struct evl_sched_attrs attrs;	/* of SET_SCHEDPARAM */
	unsigned int mode;		/* argument of SET/CLEAR_MODE */
	int (*on_request)(struct fake_request *req, void *arg);
	unsigned int next_fundle;
	unsigned int next_offset;
	int nr_atfork;
	int nr_mmap;
	int policy;
	int priority;
	pthread_mutex_t lock;
} fake;

__attribute__((unused)) static void fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.info.abi_base = 32;
	fake.info.abi_current = 37;
	fake.info.shm_size = FAKE_SHM_SIZE;
	fake.next_fundle = 1;
	fake.next_offset = 64;
	pthread_mutex_init(&fake.lock, NULL);
}

__attribute__((unused)) static void fake_fail(unsigned long request, enum stage stage,
					      int error, int times)
{
	int n;

	for (n = 0; n < 4; n++) {
		if (fake.failures[n].times == 0) {
			fake.failures[n].request = request;
			fake.failures[n].stage = stage;
			fake.failures[n].error = error;
			fake.failures[n].times = times;
			return;
		}
	}
	abort();
}

__attribute__((unused)) static int fake_count(unsigned long request, enum stage stage)
{
	int n, count = 0;

	for (n = 0; n < fake.nr_log; n++)
		count += fake.log[n].request == request && fake.log[n].stage == stage;

	return count;
}

/* How many descriptors are open: leaks show as a difference. */
__attribute__((unused)) static int fake_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);

	return count;
}

static int fake_open(const char *path, int flags, ...)
{
	pthread_mutex_lock(&fake.lock);
	snprintf(fake.opened[fake.nr_opened++ % FAKE_LOG], 300, "%s", path);
	pthread_mutex_unlock(&fake.lock);

	if (fake.missing && strcmp(path, fake.missing) == 0) {
		errno = fake.missing_error;
		return -1;
	}

	return open("/dev/null", flags);
}

static int fake_clone(struct evl_clone_req *req)
{
	const char *name = (const char *)(uintptr_t)req->name_ptr;

	fake.clone = *req;
	fake.nr_clones++;
	snprintf(fake.clone_name, sizeof(fake.clone_name), "%s", name ? name : "(null)");
	if (req->attrs_ptr)
		memcpy(fake.clone_attrs, (void *)(uintptr_t)req->attrs_ptr, 12);

	req->eids.minor = 0;
	req->eids.fundle = fake.next_fundle++;
	req->eids.state_offset = fake.next_offset;
	fake.next_offset += 16;
	req->efd = req->clone_flags & EVL_CLONE_PUBLIC ? ~0U :
		(__u32)open("/dev/null", O_RDWR | O_CLOEXEC);

	return 0;
}

static int fake_answer(struct fake_request *req, void *arg)
{
	int n, ret = 0;

	pthread_mutex_lock(&fake.lock);
	fake.log[fake.nr_log++ % FAKE_LOG] = *req;

	for (n = 0; n < 4; n++) {
		struct fake_failure *f = &fake.failures[n];

		if (f->times && f->request == req->request && f->stage == req->stage) {
			f->times--;
			pthread_mutex_unlock(&fake.lock);
			errno = f->error;
			return -1;
		}
	}

	if (req->request == EVL_CTLIOC_GET_COREINFO)
		memcpy(arg, &fake.info, sizeof(fake.info));
	else if (req->request == EVL_IOC_CLONE)
		ret = fake_clone((struct evl_clone_req *)arg);
	else if (req->request == EVL_MONIOC_BIND)
		memcpy(arg, &fake.binding, sizeof(fake.binding));
	else if (req->request == EVL_THRIOC_SET_SCHEDPARAM)
		memcpy(&fake.attrs, arg, sizeof(fake.attrs));
	else if (req->request == EVL_THRIOC_SET_MODE ||
		 req->request == EVL_THRIOC_CLEAR_MODE)
		memcpy(&fake.mode, arg, sizeof(fake.mode));
	else if (req->request == EVL_MONIOC_WAIT || req->request == EVL_MONIOC_WAIT_EXACT)
		((struct evl_monitor_waitreq *)arg)->status = 0;
	else if (req->request == EVL_CLKIOC_NEW_TIMER)
		*(int *)arg = open("/dev/null", O_RDWR);
	pthread_mutex_unlock(&fake.lock);

	if (fake.on_request)
		ret = fake.on_request(req, arg);

	return ret;
}

static int fake_ioctl(int fd, unsigned long request, ...)
{
	struct fake_request req = { INBAND, sys_evl_ioctl, fd, request & 0xffffffff, 0 };
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);

	return fake_answer(&req, arg);
}

/* Takes the place of the one of libc, which the library uses by its name. */
int fake_prctl(int option, ...) __asm__("prctl");
int fake_prctl(int option, ...)
{
	struct fake_request req = { OOB, 0, -1, 0, 'A' };
	unsigned long arg[4];
	va_list ap;
	int n;

	va_start(ap, option);
	for (n = 0; n < 4; n++)
		arg[n] = va_arg(ap, unsigned long);
	va_end(ap);

	if (option == PR_OOB_SYSCALL) {
		req.nr = (unsigned int)arg[0];
		memmove(arg, arg + 1, 3 * sizeof(arg[0]));
	} else if (evl_is_oob_prctl_b(option)) {
		req.nr = (unsigned int)option & ~EVL_OOB_SYSCALL_BIT;
		req.form = 'B';
	} else {
		errno = EINVAL;
		return -1;
	}

	req.fd = (int)arg[0];
	if (req.nr == sys_evl_ioctl) {
		req.request = arg[1];
		return fake_answer(&req, (void *)arg[2]);
	}

	pthread_mutex_lock(&fake.lock);
	fake.log[fake.nr_log++ % FAKE_LOG] = req;
	pthread_mutex_unlock(&fake.lock);

	return (int)arg[2];
}

static void *fake_mmap(void *addr, size_t length, int prot, int flags, int fd, long offset)
{
	(void)prot;
	(void)fd;
	(void)offset;
	fake.nr_mmap++;
	if (length != FAKE_SHM_SIZE || !(flags & MAP_SHARED) ||
	    (addr && (addr != fake.shm || !(flags & MAP_FIXED)))) {
		errno = EINVAL;
		return MAP_FAILED;
	}

	return fake.shm;
}

static int fake_mlockall(int flags)
{
	(void)flags;
	return 0;
}

static int fake_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
	fake.nr_atfork++;
	return pthread_atfork(prepare, parent, child);
}

static int fake_getscheduler(pid_t pid)
{
	(void)pid;
	return fake.policy;
}

static int fake_getparam(pid_t pid, struct sched_param *param)
{
	(void)pid;
	param->sched_priority = fake.priority;

	return 0;
}

#define __evl_hl_open		fake_open
#define ioctl			fake_ioctl
#define __evl_hl_mmap		fake_mmap
#define __evl_hl_mlockall	fake_mlockall
#define pthread_atfork		fake_atfork
#define sched_getscheduler	fake_getscheduler
#define sched_getparam		fake_getparam

#include <evl/evl.h>

/* Brings the library up, and attaches the caller, running out-of-band. */
__attribute__((unused)) static struct __evl_hl_thread *fake_attach(void)
{
	struct __evl_hl_thread *self;

	if (evl_init())
		abort();
	if (evl_get_self() < 0 && evl_attach_self(NULL) < 0)
		abort();
	self = __evl_hl_self();
	self->window->state = EVL_T_USER;
	fake.nr_log = 0;

	return self;
}

#endif /* _EVL_TEST_FAKE_CORE_H */
