/* SPDX-License-Identifier: GPL-2.0-only */
/* A thread which means no good, and what it means no good to. */
#ifndef EVL_TEST_HOSTILE_H
#define EVL_TEST_HOSTILE_H

#include "raw.h"

static struct raw_process process;
static struct raw_thread self;

__attribute__((unused))
static void attach(const char *name)
{
	struct sched_param param = { .sched_priority = 10 };

	check_ok(raw_init(&process, 36));
	check_eq(pthread_setschedparam(pthread_self(), SCHED_FIFO, &param), 0);
	check_ok(raw_attach(&process, &self, FORM_A, name, 0));
}

struct monitor {
	int fd;
	unsigned int fundle;
	volatile struct evl_monitor_state *state;
};

static struct monitor new_monitor(const char *name, int type, int protocol, unsigned int initval)
{
	struct evl_element_ids eids = { 0 };
	struct monitor mon;

	mon.fd = check_ok(raw_create_monitor(name, type, protocol, initval, &eids));
	mon.fundle = eids.fundle;
	mon.state = (void *)((char *)process.shared + eids.state_offset);
	return mon;
}

static struct monitor gate, event, semaphore, flags;
static int group;

__attribute__((unused))
static void new_monitors(int units, int bits)
{
	gate = new_monitor("gate", EVL_MONITOR_GATE, EVL_GATE_PI, 0);
	event = new_monitor("event", EVL_MONITOR_EVENT, EVL_EVENT_GATED, 0);
	semaphore = new_monitor("semaphore", EVL_MONITOR_EVENT, EVL_EVENT_COUNT, units);
	flags = new_monitor("flags", EVL_MONITOR_EVENT, EVL_EVENT_MASK, bits);
}

__attribute__((unused))
static void new_group(void)
{
	group = check_sys(open("/dev/evl/poll", O_RDWR));
}

__attribute__((unused))
static long control_group(int action, int fd)
{
	struct evl_poll_ctlreq req = { .action = action, .fd = fd, .events = 5 };

	return raw_oob_ioctl(FORM_A, group, EVL_POLIOC_CTL, &req);
}

/* What is ready in the group now. */
__attribute__((unused))
static long look_at_group(struct evl_poll_event *evs, int nrset)
{
	struct __evl_timespec past = { .tv_nsec = 1 };
	struct evl_poll_waitreq req = { raw_ptr(&past), raw_ptr(evs), nrset };
	long ret = raw_oob_ioctl(FORM_A, group, EVL_POLIOC_WAIT, &req);

	return ret ? ret : req.nrset;
}

#endif /* !EVL_TEST_HOSTILE_H */
