// SPDX-License-Identifier: GPL-2.0-only
/* Requests whose memory is not there when they get to it. They sleep in Linux, and go on as if nothing had happened. */
#include "helpers.h"
#include "fault.h"
#include <evl/event.h>
#include <evl/mutex.h>
#include <evl/sem.h>

/* What the page of a request is to hold. */
static char content[4096] __attribute__((aligned(4096)));
static struct fault_page page;
static atomic_bool ready;
static int request_fd;
static unsigned int request;
static int64_t woken;

static void make_request(struct worker *w)
{
	attach_worker(w);
	await(atomic_load(&ready));
	check_ok(evl_switch_oob());
	w->result = oob_ioctl(request_fd, request, page.addr) ? -errno : 0;
	woken = now();
}

/* A thread which has memory locked in gets no page that is not there. */
static void start_request(struct worker *w, void (*body)(struct worker *w), int fd, unsigned int cmd)
{
	*w = (struct worker){ .body = body, .name = "late", .prio = 10, .cpu = other_cpu() };
	request_fd = fd;
	request = cmd;
	start_worker(w);
	await(atomic_load(&w->attached));
	check_sys(munlockall());
	new_fault_page(&page);
}

static void late_date_is_slept_for(void)
{
	struct __evl_timespec *date = (struct __evl_timespec *)content;
	int64_t wanted;
	struct worker w;

	check_ok(evl_init());
	start_request(&w, make_request, check_sys(open("/dev/evl/clock/monotonic", O_RDWR | O_CLOEXEC)), EVL_CLKIOC_SLEEP);
	atomic_store(&ready, true);
	await_fault(&page);
	wanted = now() + 300 * NSEC_PER_MSEC;
	date->tv_sec = wanted / NSEC_PER_SEC;
	date->tv_nsec = wanted % NSEC_PER_SEC;
	resolve_fault(&page, content);
	join_worker(&w);
	check_eq(w.result, 0);
	check_reached(woken, wanted);
}

static struct evl_mutex gate;

static void regain_gate(struct worker *w)
{
	make_request(w);
	check_eq(w->result, 0);
	check_ok(evl_unlock_mutex(&gate));
}

static void late_way_back_to_a_gate(void)
{
	struct evl_monitor_unwaitreq *req = (struct evl_monitor_unwaitreq *)content;
	struct evl_event event;
	struct worker w;

	check_ok(evl_init());
	req->gatefd = check_ok(evl_new_mutex(&gate, "%s", own_name("late")));
	start_request(&w, regain_gate, check_ok(evl_new_event(&event, "%s", own_name("lateev"))), EVL_MONIOC_UNWAIT);
	atomic_store(&ready, true);
	await_fault(&page);
	resolve_fault(&page, content);
	join_worker(&w);
}

/* The request was there as the wait began, and is gone when it is to be told how that ended. */
static void end_wait_which_cannot_be_told(int (*end)(int efd))
{
	struct evl_monitor_waitreq *req = (struct evl_monitor_waitreq *)content;
	static const struct __evl_timespec no_limit;
	struct evl_sem sem;
	struct worker w;

	check_ok(evl_init());
	req->timeout_ptr = (uintptr_t)&no_limit;
	req->gatefd = -1;
	start_request(&w, make_request, check_ok(evl_new_sem(&sem, "%s", own_name("late"))), EVL_MONIOC_WAIT);
	resolve_fault(&page, content);
	atomic_store(&ready, true);
	await((worker_bits(&w) & (EVL_T_PEND | EVL_T_INBAND)) == EVL_T_PEND);
	check_sys(madvise(page.addr, 4096, MADV_DONTNEED));
	check_ok(end(w.efd));
	await_fault(&page);
	resolve_fault(&page, content);
	await(atomic_load(&w.done));
	join_worker(&w);
	check_eq(w.result, -EINTR);
}

static void unblock_is_told_late(void)
{
	end_wait_which_cannot_be_told(evl_unblock_thread);
}

static void demotion_is_told_late(void)
{
	end_wait_which_cannot_be_told(evl_demote_thread);
}

static const struct CMUnitTest tests[] = {
	TEST(late_date_is_slept_for, "a date which has to be fetched first is slept for"),
	TEST(late_way_back_to_a_gate, "a request for a gate which has to be fetched first gets it"),
	TEST(unblock_is_told_late, "a wait which was ended is over, although its end takes time to tell"),
	TEST(demotion_is_told_late, "so is one which a demotion ended"),
};

TEST_MAIN("late-memory", tests)
