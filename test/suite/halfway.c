// SPDX-License-Identifier: GPL-2.0-only
/* Calls of the library which are half done when somebody forks, or the caller is about to end. */
#include "helpers.h"
#include <evl/sem.h>
#include <evl/xbuf.h>

/* The library is headers only, so its calls to ioctl() are ours: a test has something happen right after one. */
static void (*volatile after_ioctl)(unsigned long request);

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;
	int ret, error;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	ret = syscall(SYS_ioctl, fd, request, arg);
	error = errno;
	if (after_ioctl)
		after_ioctl(request);
	errno = error;

	return ret;
}

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

static void do_nothing(void *arg)
{
	(void)arg;
}

/* --- Fork -------------------------------------------------------------------------------------------- */

/* A program with handlers of its own, which came first: in fork(), they are called after those of the library. */
static pthread_mutex_t program_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool program_locked, fork_waits;

static void prepare_program(void)
{
	atomic_store(&fork_waits, true);
	pthread_mutex_lock(&program_lock);
}

static void release_program(void)
{
	pthread_mutex_unlock(&program_lock);
}

static DEFINE_EVL_SEM(lazy_sem);

static void use_evl_locked(struct worker *w)
{
	pthread_mutex_lock(&program_lock);
	atomic_store(&program_locked, true);
	await(atomic_load(&fork_waits));
	check_ok(evl_init());
	attach_worker(w);
	check_ok(evl_put_sem(&lazy_sem));
	check_ok(evl_close_sem(&lazy_sem));
	check_ok(evl_detach_self());
	pthread_mutex_unlock(&program_lock);
}

static void fork_for(struct worker *w)
{
	start_worker(w);
	await(atomic_load(&program_locked));
	wait_success(fork_child(do_nothing, NULL));
	join_worker(w);
}

static void fork_waits_for_program(void)
{
	struct worker w = { .body = use_evl_locked, .name = "locked", .prio = 5 };

	check_eq(pthread_atfork(prepare_program, release_program, release_program), 0);
	check_ok(evl_init());
	fork_for(&w);
}

/* Whoever attached before is none of the child's, whenever that detaches. */
static void detach_locked(struct worker *w)
{
	attach_worker(w);
	pthread_mutex_lock(&program_lock);
	atomic_store(&program_locked, true);
	await(atomic_load(&fork_waits));
	check_ok(evl_detach_self());
	pthread_mutex_unlock(&program_lock);
}

static void detaches_during_fork(void)
{
	struct worker w = { .body = detach_locked, .name = "locked", .prio = 5 };
	int before;

	check_eq(pthread_atfork(prepare_program, release_program, release_program), 0);
	check_ok(evl_init());
	before = count_descriptors();
	fork_for(&w);
	check_eq(count_descriptors(), before);
	attach_weak();
	check_ok(evl_detach_self());
	check_eq(count_descriptors(), before);
}

static void attach_in_child(void *arg)
{
	(void)arg;
	after_ioctl = NULL;
	attach_weak();
	check_ok(evl_new_xbuf(64, "child:%d", getpid()));
}

static void fork_in_handler(int sig)
{
	(void)sig;
	wait_success(fork_child(do_nothing, NULL));
}

static void raise_signal(unsigned long request)
{
	(void)request;
	raise(SIGUSR1);
}

static void handler_forks(void)
{
	signal(SIGUSR1, fork_in_handler);
	after_ioctl = raise_signal;
	check_ok(evl_init());
	attach_weak();
	check_ok(evl_put_sem(&lazy_sem));
	check_ok(evl_detach_self());
	after_ioctl = NULL;
	check_ge(evl_stdout(), 0);
	attach_fifo(5);
}

/* Where the one who initialises waits meanwhile. */
static atomic_bool is_halfway, may_go_on;

static void wait_halfway(unsigned long request)
{
	if (request == EVL_CTLIOC_GET_COREINFO && !atomic_exchange(&is_halfway, true))
		await(atomic_load(&may_go_on));
}

static void initialise(struct worker *w)
{
	w->result = evl_init();
}

static void child_of_half_initialised(void)
{
	struct worker w = { .body = initialise };

	after_ioctl = wait_halfway;
	start_worker(&w);
	await(atomic_load(&is_halfway));
	wait_success(fork_child(attach_in_child, NULL));
	atomic_store(&may_go_on, true);
	join_worker(&w);
	check_eq(w.result, 0);
	attach_weak();
}

#define NR_THREADS	60

static atomic_bool stop;

static void stay(struct worker *w)
{
	attach_worker(w);
	while (!atomic_load(&stop))
		nap();
}

static void find_no_thread(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < NR_THREADS; i++)
		check_errno(fcntl(w[i].efd, F_GETFD), EBADF);
}

static void fork_with_many_threads(void)
{
	static struct worker w[NR_THREADS];
	static char names[NR_THREADS][16];

	for (int i = 0; i < NR_THREADS; i++) {
		snprintf(names[i], sizeof(names[i]), "stays.%d", i);
		w[i] = (struct worker){ .body = stay, .name = names[i] };
		start_worker(&w[i]);
		await(atomic_load(&w[i].attached));
	}
	wait_success(fork_child(find_no_thread, w));
	atomic_store(&stop, true);
	for (int i = 0; i < NR_THREADS; i++) {
		join_worker(&w[i]);
		check_errno(fcntl(w[i].efd, F_GETFD), EBADF);
	}
}

/* --- Threads which attach when they end -------------------------------------------------------------- */

struct late {
	int round;		/* of destructors in which it attaches, from 1 */
	bool before;		/* attached before, and detached */
	int calls;
	int efd;
};

static pthread_key_t late_key;

static void attach_late(void *arg)
{
	struct late *late = arg;

	if (++late->calls < late->round)
		check_eq(pthread_setspecific(late_key, late), 0);
	else
		late->efd = check_ok(evl_attach_self("late:%d", getpid()));
}

static void *end_late(void *arg)
{
	struct late *late = arg;

	check_eq(pthread_setspecific(late_key, late), 0);
	if (late->before) {
		attach_weak();
		check_ok(evl_detach_self());
	}
	return NULL;
}

static void check_late(int round, bool attached_before)
{
	struct late late = { .round = round, .before = attached_before, .efd = -1 };
	int before = count_descriptors();
	pthread_t thread;

	check_eq(pthread_create(&thread, NULL, end_late, &late), 0);
	check_eq(pthread_join(thread, NULL), 0);
	check_ge(late.efd, 0);
	if (count_descriptors() != before)
		check_fail("round %d%s: %d descriptors, %d before", round,
			   attached_before ? ", attached before" : "", count_descriptors(), before);
	await(!has_element("thread", own_name("late")));
}

static void check_rounds(void)
{
	for (int round = 1; round < PTHREAD_DESTRUCTOR_ITERATIONS; round++) {
		check_late(round, false);
		check_late(round, true);
	}
}

/* The destructor of the program has its turn after the one of the library, or ahead of it. */
static void attaches_in_destructor(void)
{
	check_ok(evl_init());
	check_eq(pthread_key_create(&late_key, attach_late), 0);
	check_rounds();
}

static void attaches_in_early_destructor(void)
{
	check_eq(pthread_key_create(&late_key, attach_late), 0);
	check_ok(evl_init());
	check_rounds();
	check_late(PTHREAD_DESTRUCTOR_ITERATIONS, false);
}

static const struct CMUnitTest tests[] = {
	TEST_WITHIN(fork_waits_for_program, 20, "who forks may wait for somebody who uses EVL meanwhile"),
	TEST_WITHIN(detaches_during_fork, 20, "or detaches"),
	TEST_WITHIN(handler_forks, 20, "a handler of signals forks in the middle of any call"),
	TEST_WITHIN(child_of_half_initialised, 20, "a child starts over if another thread was about to initialise"),
	TEST(fork_with_many_threads, "and inherits no thread, however many there are"),
	TEST(attaches_in_destructor, "a thread which attaches when it ends leaves nothing, whichever destructor does"),
	TEST(attaches_in_early_destructor, "not even in the last round, if that one comes first"),
};

TEST_MAIN("halfway", tests)
