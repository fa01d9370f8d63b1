/* SPDX-License-Identifier: GPL-2.0-only */
/* What the suites that go through the library have in common. */
#ifndef EVL_TEST_HELPERS_H
#define EVL_TEST_HELPERS_H

#include "test.h"
#include <evl/evl.h>
#include <evl/timer.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/* --- Time ----------------------------------------------------------------- */

__attribute__((unused))
static int64_t ts_ns(struct timespec ts)
{
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

__attribute__((unused))
static struct timespec ns_ts(int64_t ns)
{
	return (struct timespec){ .tv_sec = ns / NSEC_PER_SEC, .tv_nsec = ns % NSEC_PER_SEC };
}

/* Any stage: clock reads do not enter the kernel. */
__attribute__((unused))
static int64_t now_on(int clockfd)
{
	struct timespec ts;

	check_ok(evl_read_clock(clockfd, &ts));
	return ts_ns(ts);
}

__attribute__((unused))
static int64_t now(void)
{
	return now_on(EVL_CLOCK_MONOTONIC);
}

__attribute__((unused))
static int sleep_until(int64_t date)
{
	struct timespec ts = ns_ts(date);

	return evl_sleep_until(EVL_CLOCK_MONOTONIC, &ts);
}

/*
 * Timers are set off ahead of their date by the time which a wakeup is expected to take (the gravity of the clock), so
 * somebody quick may be there that much early.
 */
#define GRAVITY		3000
#define check_reached(__now, __date)	check_ge((__now) + GRAVITY, __date)

/* Keep the CPU busy, on whichever stage the caller is. */
__attribute__((unused))
static void spin_until(int64_t date)
{
	while (now() < date)
		__builtin_ia32_pause();
}

/*
 * Real-time threads which never tire leave Linux nothing of a slow machine, not even the time to bury the dead. Who is
 * one of @crowd such threads on a CPU, and at work since @start, rests for @crowd times as long: there is a bit of the CPU
 * left then, however long their work takes on this machine. Out-of-band for an out-of-band thread, if @oob.
 */
__attribute__((unused))
static void rest_from(int64_t start, int crowd, bool oob)
{
	int64_t ns = (now() - start) * crowd;
	struct timespec ts = ns_ts(ns < 50 * NSEC_PER_MSEC ? ns : 50 * NSEC_PER_MSEC);

	if (oob)
		evl_usleep(ts.tv_nsec / 1000);
	else
		nanosleep(&ts, NULL);
}

/* --- In-band side of threads ----------------------------------------------- */

__attribute__((unused))
static void become(int policy, int prio)
{
	struct sched_param param = { .sched_priority = prio };

	check_eq(pthread_setschedparam(pthread_self(), policy, &param), 0);
}

__attribute__((unused))
static pid_t get_tid(void)
{
	return syscall(SYS_gettid);
}

/*
 * The CPU which the caller runs on. sched_getcpu() has it from a record (of rseq)
 * which Linux writes when a task returns to user space in-band: out-of-band it may
 * be an old one.
 */
__attribute__((unused))
static int this_cpu(void)
{
	unsigned int cpu;

	check_sys(getcpu(&cpu, NULL));
	return cpu;
}

/* A thread of a test. @prio 0 makes it SCHED_OTHER, else it is SCHED_FIFO. */
struct worker {
	void (*body)(struct worker *w);
	const char *name;
	int prio;
	int cpu;
	int flags;	/* EVL_CLONE_*, to attach with */
	void *arg;
	int efd;
	atomic_int tid;
	atomic_bool attached;
	atomic_bool done;
	int result;
	pthread_t thread;
};

__attribute__((unused))
static void attach_worker(struct worker *w)
{
	w->efd = check_ok(evl_attach_thread(w->flags, "%s:%d", w->name, getpid()));
	atomic_store(&w->attached, true);
}

static void *run_worker(void *arg)
{
	struct worker *w = arg;

	atomic_store(&w->tid, get_tid());
	pin_to(w->cpu);
	if (w->prio)
		become(SCHED_FIFO, w->prio);
	w->body(w);
	atomic_store(&w->done, true);

	return NULL;
}

__attribute__((unused))
static void start_worker(struct worker *w)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, EVL_STACK_DEFAULT);
	check_eq(pthread_create(&w->thread, &attr, run_worker, w), 0);
	pthread_attr_destroy(&attr);
}

/*
 * One which leaves Linux nothing of its CPU, for us to end. We are not to wait for our turn there, until the watchdog ends it
 * instead.
 */
__attribute__((unused))
static void start_hog(struct worker *w)
{
	pin_to(0);
	start_worker(w);
}

__attribute__((unused))
static void join_worker(struct worker *w)
{
	check_eq(pthread_join(w->thread, NULL), 0);
}

/* Descriptors of this process, more by a few which are there each time. */
__attribute__((unused))
static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	check(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* --- What can be seen of a thread ------------------------------------------- */

/* Text of a sysfs attribute without its newline, in a buffer of this thread. */
__attribute__((unused))
static const char *read_attr(const char *class, const char *name, const char *attr)
{
	static __thread char buf[256];
	char path[384];
	ssize_t count;
	int fd;

	snprintf(path, sizeof(path), "/sys/devices/virtual/%s/%s/%s", class, name, attr);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		check_fail("%s: %s", path, strerror(errno));
	count = read(fd, buf, sizeof(buf) - 1);
	if (count < 0)
		check_fail("%s: %s", path, strerror(errno));
	close(fd);
	buf[count] = '\0';
	if (count && buf[count - 1] == '\n')
		buf[count - 1] = '\0';
	return buf;
}

/* Of a thread which is a worker of process @pid. */
__attribute__((unused))
static const char *attr_of(pid_t pid, const char *name, const char *attr)
{
	char full[64];

	snprintf(full, sizeof(full), "%s:%d", name, pid);
	return read_attr("thread", full, attr);
}

__attribute__((unused))
static const char *worker_attr(struct worker *w, const char *attr)
{
	return attr_of(getpid(), w->name, attr);
}

/* EVL_T_* state bits, as sysfs has them. */
__attribute__((unused))
static unsigned int worker_bits(struct worker *w)
{
	return strtoul(worker_attr(w, "state"), NULL, 0);
}

__attribute__((unused))
static bool worker_sleeps(struct worker *w)
{
	return atomic_load(&w->attached) &&
	       (worker_bits(w) & (EVL_T_PEND | EVL_T_DELAY | EVL_T_WAIT));
}

/* Is a thread of this process in @state, as proc(5) has it? 0 is a thread yet to start. */
__attribute__((unused))
static bool task_is(pid_t tid, char state)
{
	char path[64], stat[256], *p;
	ssize_t len;
	int fd;

	if (!tid)
		return false;
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	len = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	if (len <= 0)
		return false;
	stat[len] = '\0';
	p = strrchr(stat, ')');
	return p && p[2] == state;
}

/* True once it sleeps in a system call, as a plain thread does. */
__attribute__((unused))
static bool task_sleeps(pid_t tid)
{
	return task_is(tid, 'S');
}

__attribute__((unused))
static struct evl_thread_state state_of(int efd)
{
	struct evl_thread_state state;

	check_ok(evl_get_state(efd, &state));
	return state;
}

__attribute__((unused))
static struct evl_sched_attrs attrs_of(int efd)
{
	struct evl_sched_attrs attrs;

	check_ok(evl_get_schedattr(efd, &attrs));
	return attrs;
}

__attribute__((unused))
static int set_fifo(int efd, int prio)
{
	struct evl_sched_attrs attrs = { .sched_policy = SCHED_FIFO, .sched_priority = prio };

	return evl_set_schedattr(efd, &attrs);
}

/* Is there a node for it, or a directory in sysfs? */
__attribute__((unused))
static bool has_node(const char *class, const char *name)
{
	char path[384];

	snprintf(path, sizeof(path), "/dev/evl/%s/%s", class, name);
	return access(path, F_OK) == 0;
}

__attribute__((unused))
static bool has_element(const char *class, const char *name)
{
	char path[384];

	snprintf(path, sizeof(path), "/sys/devices/virtual/%s/%s", class, name);
	return access(path, F_OK) == 0;
}

/* A name which no other test uses. */
__attribute__((unused))
static const char *own_name(const char *stem)
{
	static __thread char name[64];

	snprintf(name, sizeof(name), "%s:%d", stem, getpid());
	return name;
}

/* --- Shorthands -------------------------------------------------------------- */

/* Make the caller a SCHED_FIFO thread which runs out-of-band on CPU 0. */
__attribute__((unused))
static int attach_fifo(int prio)
{
	int efd;

	pin_to(0);
	become(SCHED_FIFO, prio);
	efd = check_ok(evl_attach_self("fifo:%d", get_tid()));
	check(!evl_is_inband());
	return efd;
}

__attribute__((unused))
static int attach_weak(void)
{
	int efd = check_ok(evl_attach_self("weak:%d", get_tid()));

	check(evl_is_inband());
	return efd;
}

__attribute__((unused))
static bool is_nonblocking(int fd)
{
	return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

__attribute__((unused))
static void set_nonblocking(int fd, bool on)
{
	int flags = check_sys(fcntl(fd, F_GETFL));

	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	check_sys(fcntl(fd, F_SETFL, flags));
}

/* Handler for a signal, counting it; the mask of SA_ flags is up to the test. */
static atomic_int signal_count;

__attribute__((unused))
static void count_signal(int sig)
{
	(void)sig;
	atomic_fetch_add(&signal_count, 1);
}

__attribute__((unused))
static void catch_signal(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = count_signal, .sa_flags = flags };

	check_sys(sigaction(sig, &sa, NULL));
}

__attribute__((unused))
static void signal_worker(struct worker *w, int sig)
{
	check_sys(syscall(SYS_tgkill, getpid(), atomic_load(&w->tid), sig));
}

/* SIGDEBUG: how often each cause was reported to the process. */
#define NR_CAUSES	16
static atomic_int sigdebug_seen[NR_CAUSES];
static atomic_int sigdebug_foreign;

__attribute__((unused))
static void count_sigdebug(int sig, siginfo_t *si, void *context)
{
	unsigned int cause = sigdebug_cause(si);

	(void)sig;
	(void)context;
	if (!sigdebug_marked(si) || si->si_code != SI_QUEUE || cause >= NR_CAUSES)
		atomic_fetch_add(&sigdebug_foreign, 1);
	else
		atomic_fetch_add(&sigdebug_seen[cause], 1);
}

__attribute__((unused))
static void catch_sigdebug(void)
{
	struct sigaction sa = { .sa_sigaction = count_sigdebug, .sa_flags = SA_SIGINFO | SA_RESTART };

	check_sys(sigaction(SIGDEBUG, &sa, NULL));
}

/* Put @count, then forget: the reports of @cause so far. */
__attribute__((unused))
static int take_sigdebug(int cause)
{
	return atomic_exchange(&sigdebug_seen[cause], 0);
}

/* An address where there is nothing, which the compiler does not warn of. */
__attribute__((unused))
static void *bad_address(uintptr_t address)
{
	volatile uintptr_t hidden = address;

	return (void *)hidden;
}

#endif /* !EVL_TEST_HELPERS_H */
