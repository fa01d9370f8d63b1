// SPDX-License-Identifier: GPL-2.0-only
/* What requests, stage and thread switches, and cross-buffers cost. */
#include "bench.h"
#include <evl/sem.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

static volatile int stop;

/* --- A thread of Linux ---------------------------------------------------- */

/* Before the core is there: what it costs those who do not use it is the difference. */
static void run_without_core(void)
{
	measure("getppid_without_evl_loaded", 1000, syscall(SYS_getppid));
}

static void run_plain(void)
{
	struct timespec ts;

	measure("clock_gettime_vdso", 1000, clock_gettime(CLOCK_MONOTONIC, &ts));
	measure("getppid_plain_thread", 1000, syscall(SYS_getppid));
	measure("ioctl_badfd_plain_thread", 1000, ioctl(-1, EVL_THRIOC_GET_STATE, NULL));
}

/* --- An attached thread on either stage ----------------------------------- */

static void run_inband(int efd)
{
	struct evl_thread_state state;

	must(evl_switch_inband());
	measure("getppid_evl_thread_inband", 1000, syscall(SYS_getppid));
	measure("getstate_ioctl_inband", 1000, ioctl(efd, EVL_THRIOC_GET_STATE, &state));
	measure("evl_is_inband_user", 1000, __asm__ volatile("" : : "r"(evl_is_inband())));
}

static void run_oob(int efd)
{
	const struct timespec past = { .tv_sec = 0, .tv_nsec = 1 };
	struct evl_thread_state state;
	struct timespec ts;

	must(evl_switch_oob());
	measure("oob_ioctl_get_state", 1000, oob_ioctl(efd, EVL_THRIOC_GET_STATE, &state));
	measure("oob_ioctl_badreq", 1000, oob_ioctl(efd, _IO('?', 99), NULL));
	measure("oob_ioctl_badfd", 1000, oob_ioctl(-1, EVL_THRIOC_GET_STATE, &state));
	measure("evl_read_clock_mono", 1000, evl_read_clock(EVL_CLOCK_MONOTONIC, &ts));
	measure("evl_yield_alone", 1000, evl_yield());
	measure("sleep_until_past", 1000, evl_sleep_until(EVL_CLOCK_MONOTONIC, &past));
	/* Reports print in-band. */
	must(evl_switch_oob());
}

static void run_stages(void)
{
	measure("stage_switch_roundtrip", 100, (evl_switch_inband(), evl_switch_oob()));
	must(evl_switch_oob());
	measure("demote_by_getppid_and_back_oob", 100, (syscall(SYS_getppid), evl_switch_oob()));
}

/* --- Two threads ---------------------------------------------------------- */

static void *yield_back(void *arg)
{
	must(evl_attach_self("bench-yield:%d", getpid()));
	/* From then on Linux does not get the CPU any more. */
	must(evl_switch_oob());
	must(evl_put_sem(arg));
	while (!stop)
		evl_yield();

	return NULL;
}

static void run_yield(void)
{
	struct series series;
	struct evl_sem ready;
	pthread_t thread;

	stop = 0;
	must(evl_new_sem(&ready, NULL));
	must(evl_switch_inband());
	thread = start_thread(MAIN_PRIO, yield_back, &ready);
	must(evl_get_sem(&ready));
	sample(&series, 200, evl_yield());
	stop = 1;
	report("yield_pingpong_roundtrip(2 yields+2 switches)", settle(&series, 200));
	pthread_join(thread, NULL);
	must(evl_close_sem(&ready));
}

/* --- Cross-buffers -------------------------------------------------------- */

#define RING_SIZE	(128 * 1024)
#define BATCH		25

static char message[4096];

/* Writes on a stage, then reads on the other one, or the converse, so that the ring is never empty nor full. */
static void run_transfers(int fd, size_t size)
{
	struct series oob_write_s, inband_read_s, inband_write_s, oob_read_s;
	char name[64];
	int n;

	for (n = -3; n < ROUNDS; n++) {
		int64_t t[4];

		must(evl_switch_oob());
		t[0] = time_loop(BATCH, oob_write(fd, message, size));
		must(evl_switch_inband());
		t[1] = time_loop(BATCH, if (read(fd, message, size) != (ssize_t)size) die("short read"));
		t[2] = time_loop(BATCH, if (write(fd, message, size) != (ssize_t)size) die("short write"));
		must(evl_switch_oob());
		t[3] = time_loop(BATCH, if (oob_read(fd, message, size) != (ssize_t)size) die("short read"));
		if (n < 0)
			continue;
		oob_write_s.rounds[n] = t[0];
		inband_read_s.rounds[n] = t[1];
		inband_write_s.rounds[n] = t[2];
		oob_read_s.rounds[n] = t[3];
	}

	must(evl_switch_inband());
	snprintf(name, sizeof(name), "xbuf_oob_write_%zu", size);
	report(name, settle(&oob_write_s, BATCH));
	snprintf(name, sizeof(name), "xbuf_inband_read_%zu", size);
	report(name, settle(&inband_read_s, BATCH));
	snprintf(name, sizeof(name), "xbuf_inband_write_%zu", size);
	report(name, settle(&inband_write_s, BATCH));
	snprintf(name, sizeof(name), "xbuf_oob_read_%zu", size);
	report(name, settle(&oob_read_s, BATCH));
}

struct echo {
	int fd;
	size_t size;
};

/* A thread of Linux. */
static void *echo_inband(void *arg)
{
	static char buf[4096];
	struct echo *echo = arg;

	for (;;) {
		must(read(echo->fd, buf, echo->size));
		if (buf[0])
			return NULL;
		must(write(echo->fd, buf, echo->size));
	}
}

static void run_pingpong(int fd, size_t size)
{
	struct echo echo = { .fd = fd, .size = size };
	pthread_t thread;
	char name[64];

	snprintf(name, sizeof(name), "xbuf_pingpong_roundtrip_oob_inband_%zu", size);
	message[0] = 0;
	must(evl_switch_inband());
	thread = start_thread(MAIN_PRIO - 1, echo_inband, &echo);
	must(evl_switch_oob());
	measure(name, 100, (oob_write(fd, message, size), oob_read(fd, message, size)));
	must(evl_switch_oob());
	message[0] = 1;
	must(oob_write(fd, message, size));
	pthread_join(thread, NULL);
	message[0] = 0;
}

static void run_xbuf(void)
{
	static const size_t sizes[] = { 16, 256, 4096 };
	unsigned int n;
	int fd;

	must(evl_switch_inband());
	fd = must(evl_new_xbuf(RING_SIZE, "bench-xbuf:%d", getpid()));
	for (n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
		run_transfers(fd, sizes[n]);
		run_pingpong(fd, sizes[n]);
	}
	close(fd);
}

/* --- The trace of the kernel ------------------------------------------------- */

#define EVENTS	"/sys/kernel/tracing/events/evl/"

static int set_event(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);
	int ret = fd < 0 || write(fd, value, 1) != 1 ? -1 : 0;

	close(fd);

	return ret;
}

/* As oob_ioctl_badfd, with some events on. */
static void run_traced(const char *name, const char *path)
{
	must(evl_switch_inband());
	must(set_event(path, "1"));
	must(evl_switch_oob());
	measure(name, 1000, oob_ioctl(-1, EVL_THRIOC_GET_STATE, NULL));
	must(set_event(path, "0"));
}

/* Any argument means that evl.ko is yet to be loaded. */
int main(int argc, char *argv[])
{
	int efd;

	(void)argv;
	setvbuf(stdout, NULL, _IONBF, 0);
	must(mlockall(MCL_CURRENT | MCL_FUTURE));
	become_fifo(MAIN_PRIO);
	if (argc > 1) {
		run_without_core();
		return 0;
	}
	run_plain();

	efd = must(evl_attach_self("bench-operations:%d", getpid()));
	must(evl_switch_inband());
	clear_gravity();
	run_inband(efd);
	run_oob(efd);
	run_stages();
	run_yield();
	run_xbuf();
	run_traced("oob_ioctl_badfd_1_event_recorded", EVENTS "evl_oob_sysentry/enable");
	run_traced("oob_ioctl_badfd_all_events_on", EVENTS "enable");

	return 0;
}
