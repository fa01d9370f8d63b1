// SPDX-License-Identifier: GPL-2.0-only
/*
 * What shell suites have done by a program. Each command tells its outcome in a word, and exits with 0 unless it could
 * not be carried out.
 *   init          status of evl_init()
 *   request       error code of an out-of-band request by a thread which is not attached
 *   attach        status of attaching, then wait for the end of standard input
 *   cpu N         CPU where a thread attached on CPU N runs
 *   open PATH     open a file, then wait for the end of standard input
 *   grab PATH     the same, trying until it succeeds or standard input ends
 *   xbuf          have a cross-buffer and nothing else, not even memory of the core, then wait likewise
 *   mutex         the same with a mutex, which was locked
 *   group         the same with a poll group, which has a member
 *   keep WHAT FD  what the three above go on with
 *   cycle         attach, sleep, exchange data, detach
 *   drop          the same, but exit attached
 *   load MODULE [PARAMETERS]   in one attempt, which insmod of busybox does not promise
 */
#include <errno.h>
#include <evl/evl.h>
#include <evl/mutex.h>
#include <evl/poll.h>
#include <evl/proxy.h>
#include <evl/timer.h>
#include <evl/xbuf.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int say(const char *word, int value)
{
	printf("%s %d\n", word, value);
	fflush(stdout);
	return value < 0;
}

static void wait_for_end(void)
{
	char c;

	while (read(STDIN_FILENO, &c, 1) > 0)
		;
}

static int attach(void)
{
	struct sched_param param = { .sched_priority = 10 };

	pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
	return evl_attach_self("/holder:%d", getpid());
}

static int do_attach(void)
{
	int efd = attach();

	say("attach", efd < 0 ? efd : 0);
	if (efd < 0)
		return 1;
	wait_for_end();
	return 0;
}

static int do_cpu(int cpu)
{
	struct evl_thread_state state;
	cpu_set_t set;
	int efd;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return say("cpu", -errno);
	efd = attach();
	if (efd < 0)
		return say("cpu", efd);
	evl_get_state(efd, &state);
	return say("cpu", state.cpu == (unsigned int)sched_getcpu() ? (int)state.cpu : -EXDEV);
}

static int do_open(const char *path)
{
	int fd = open(path, O_RDWR);

	say("open", fd < 0 ? -errno : 0);
	wait_for_end();
	return fd < 0;
}

static int do_grab(const char *path)
{
	struct pollfd end = { .fd = STDIN_FILENO };

	while (open(path, O_RDWR) < 0) {
		if (poll(&end, 1, 0))
			return 1;
	}
	say("grab", 0);
	wait_for_end();
	return 0;
}

/* All other descriptors are closed, and with this program its memory goes. */
static int keep_only(const char *what, int fd)
{
	char number[16];

	if (fd < 0)
		return say(what, fd);
	snprintf(number, sizeof(number), "%d", fd);
	fcntl(fd, F_SETFD, 0);
	for (int other = 3; other < 64; other++) {
		if (other != fd)
			close(other);
	}
	execl("/proc/self/exe", "holder", "keep", what, number, NULL);
	return 1;
}

static int do_keep(const char *what, int fd)
{
	int flags = fcntl(fd, F_GETFD);

	say(what, flags < 0 ? -errno : flags);
	wait_for_end();
	return 0;
}

static int do_xbuf(void)
{
	if (evl_init())
		return 1;
	return keep_only("xbuf", evl_new_xbuf(1024, "holder:%d", getpid()));
}

static int do_mutex(void)
{
	struct evl_mutex mutex;
	int fd;

	if (attach() < 0)
		return 1;
	fd = evl_new_mutex(&mutex, "holder:%d", getpid());
	if (evl_lock_mutex(&mutex))
		return 1;
	return keep_only("mutex", fd);
}

static int do_group(void)
{
	int fd;

	if (attach() < 0)
		return 1;
	fd = evl_new_poll();
	if (evl_add_pollfd(fd, evl_new_timer(EVL_CLOCK_MONOTONIC), POLLIN, evl_intval(0)))
		return 1;
	return keep_only("group", fd);
}

static int do_cycle(bool detach)
{
	struct itimerspec its = { .it_value = { .tv_nsec = 1 } };
	unsigned long long ticks;
	char buf[64] = "";
	int xfd, tfd;

	if (attach() < 0)
		return 1;
	xfd = evl_new_xbuf(256, "holder:%d", getpid());
	tfd = evl_new_timer(EVL_CLOCK_MONOTONIC);
	if (xfd < 0 || tfd < 0 || evl_usleep(100) || evl_set_timer(tfd, &its, NULL) ||
	    oob_read(tfd, &ticks, sizeof(ticks)) != sizeof(ticks) ||
	    oob_write(xfd, buf, sizeof(buf)) != sizeof(buf) || read(xfd, buf, sizeof(buf)) != sizeof(buf) ||
	    evl_eprintf("%s", "") != 0)
		return 2;
	if (detach && evl_detach_self())
		return 3;
	return 0;
}

static int do_load(const char *path, const char *parameters)
{
	int fd = open(path, O_RDONLY);

	return fd < 0 || syscall(SYS_finit_module, fd, parameters, 0);
}

int main(int argc, char *argv[])
{
	const char *what = argc > 1 ? argv[1] : "";
	const char *arg = argc > 2 ? argv[2] : "";

	if (!strcmp(what, "init"))
		return say("init", evl_init()), 0;
	if (!strcmp(what, "request"))
		return say("request", prctl(PR_OOB_SYSCALL, sys_evl_ioctl, 0, 0, 0) ? -errno : 0), 0;
	if (!strcmp(what, "attach"))
		return do_attach();
	if (!strcmp(what, "cpu"))
		return do_cpu(atoi(arg));
	if (!strcmp(what, "open"))
		return do_open(arg);
	if (!strcmp(what, "grab"))
		return do_grab(arg);
	if (!strcmp(what, "xbuf"))
		return do_xbuf();
	if (!strcmp(what, "mutex"))
		return do_mutex();
	if (!strcmp(what, "group"))
		return do_group();
	if (!strcmp(what, "keep"))
		return do_keep(arg, argc > 3 ? atoi(argv[3]) : -1);
	if (!strcmp(what, "cycle"))
		return do_cycle(true);
	if (!strcmp(what, "drop"))
		return do_cycle(false);
	if (!strcmp(what, "load"))
		return do_load(arg, argc > 3 ? argv[3] : "");
	return 2;
}
