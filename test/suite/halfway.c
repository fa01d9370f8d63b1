// SPDX-License-Identifier: GPL-2.0-only
/* Calls of the library which are half done when somebody forks, the caller is cancelled, or about to end. */
#include "helpers.h"
#include <evl/event.h>
#include <evl/flags.h>
#include <evl/poll.h>
#include <evl/proxy.h>
#include <evl/rwlock.h>
#include <evl/sem.h>
#include <evl/sys.h>
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

/* --- Cancellation ------------------------------------------------------------------------------------ */

static struct evl_mutex mutex;
static struct evl_event event;
static struct evl_sem sem;
static struct evl_flags flags;
static struct evl_rwlock rwlock;
static const struct evl_sem lazy = EVL_SEM_INITIALIZER(NULL, EVL_CLOCK_MONOTONIC, 0, 0);

static int make_mutex(void) { return evl_create_mutex(&mutex, EVL_CLOCK_MONOTONIC, 0, EVL_CLONE_PUBLIC, "shown"); }
static int open_mutex(void) { return evl_open_mutex(&mutex, "shown"); }
static int drop_mutex(int efd) { return (void)efd, evl_close_mutex(&mutex); }
static int make_event(void) { return evl_new_event(&event, NULL); }
static int drop_event(int efd) { return (void)efd, evl_close_event(&event); }
static int make_sem(void) { return evl_new_sem(&sem, NULL); }
static int drop_sem(int efd) { return (void)efd, evl_close_sem(&sem); }
static int make_lazy(void) { return sem = lazy, evl_put_sem(&sem); }
static int make_flags(void) { return evl_new_flags(&flags, NULL); }
static int drop_flags(int efd) { return (void)efd, evl_close_flags(&flags); }
static int make_rwlock(void) { return evl_new_rwlock(&rwlock); }
static int drop_rwlock(int efd) { return (void)efd, evl_destroy_rwlock(&rwlock); }
static int make_xbuf(void) { return evl_new_xbuf(64, NULL); }
static int make_proxy(void) { return evl_new_proxy(1, 64, NULL); }
static int make_poll(void) { return evl_new_poll(); }
static int make_raw(void) { return evl_open_raw(EVL_POLL_DEV); }
static int make_timer(void) { return evl_new_timer(EVL_CLOCK_MONOTONIC); }
static int make_thread(void) { return evl_attach_self(NULL); }
static int drop_thread(int efd) { return (void)efd, evl_detach_self(); }

struct kind {
	const char *name;
	int (*make)(void);
	int (*drop)(int efd);
	bool known;		/* by the structure which the caller has, and not by the result only */
};

static const struct kind kinds[] = {
	{ "mutex", make_mutex, drop_mutex, true },
	{ "event", make_event, drop_event, true },
	{ "sem", make_sem, drop_sem, true },
	{ "sem on first use", make_lazy, drop_sem, true },
	{ "flags", make_flags, drop_flags, true },
	{ "rwlock", make_rwlock, drop_rwlock, true },
	{ "xbuf", make_xbuf, close, false },
	{ "proxy", make_proxy, close, false },
	{ "poll", make_poll, close, false },
	{ "raw device", make_raw, close, false },
	{ "timer", make_timer, close, false },
};

static const struct kind opened = { "mutex by name", open_mutex, drop_mutex, true };
static const struct kind attached = { "thread", make_thread, drop_thread, true };

/* Of a thread which somebody wants to end. */
struct attempt {
	const struct kind *kind;
	bool at_once;		/* asynchronously */
	int efd;
	int dropped;
};

static void cancel_self(unsigned long request)
{
	(void)request;
	pthread_cancel(pthread_self());
}

static void *attempt_to_make(void *arg)
{
	struct attempt *a = arg;

	if (a->at_once)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	else if (!after_ioctl)
		pthread_cancel(pthread_self());
	a->efd = a->kind->make();
	/* Not all of them ask the core for something. */
	pthread_cancel(pthread_self());
	pthread_testcancel();
	return NULL;
}

static void *attempt_to_drop(void *arg)
{
	struct attempt *a = arg;

	a->efd = a->kind->make();
	pthread_cancel(pthread_self());
	a->dropped = a->kind->drop(a->efd);
	pthread_testcancel();
	return NULL;
}

static void run_attempt(struct attempt *a, void *(*body)(void *))
{
	pthread_t thread;
	void *result;

	a->efd = -EINPROGRESS;
	a->dropped = -EINPROGRESS;
	check_eq(pthread_create(&thread, NULL, body, a), 0);
	check_eq(pthread_join(thread, &result), 0);
	check(result == PTHREAD_CANCELED);
}

/* What was asked for is there, and the caller is told. */
static void creator_is_cancelled(void)
{
	struct attempt a;
	int before;

	check_ok(evl_init());
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		before = count_descriptors();
		a = (struct attempt){ .kind = &kinds[i] };
		run_attempt(&a, attempt_to_make);
		if (a.efd < 0)
			check_fail("%s: %d", kinds[i].name, a.efd);
		check_gt(count_descriptors(), before);
		check_eq(kinds[i].drop(a.efd), 0);
		if (count_descriptors() != before)
			check_fail("%s: %d descriptors, %d before", kinds[i].name, count_descriptors(), before);
	}
}

/* The request comes while the core is at it: at the end, nothing is open which nobody knows of. */
static void cancelled_on_the_way(void)
{
	struct attempt a;
	int before;

	check_ok(evl_init());
	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(kinds); i++) {
		a = (struct attempt){ .kind = &kinds[i / 2], .at_once = i & 1 };
		if (a.at_once && !a.kind->known)
			continue;
		before = count_descriptors();
		after_ioctl = cancel_self;
		run_attempt(&a, attempt_to_make);
		after_ioctl = NULL;
		check_eq(a.kind->drop(a.efd), 0);
		if (count_descriptors() != before)
			check_fail("%s: %d descriptors, %d before", a.kind->name, count_descriptors(), before);
	}
}

static void opener_is_cancelled(void)
{
	struct evl_mutex creator;
	struct attempt a;
	int before;

	check_ok(evl_init());
	check_ok(make_mutex());
	creator = mutex;
	for (int i = 0; i < 2; i++) {
		before = count_descriptors();
		after_ioctl = i ? cancel_self : NULL;
		a = (struct attempt){ .kind = &opened, .at_once = i };
		run_attempt(&a, attempt_to_make);
		after_ioctl = NULL;
		check_eq(drop_mutex(a.efd), 0);
		check_eq(count_descriptors(), before);
	}
	check_ok(evl_close_mutex(&creator));
}

static void check_dropped(const struct kind *kind)
{
	int before = count_descriptors();
	struct attempt a = { .kind = kind };

	run_attempt(&a, attempt_to_drop);
	if (a.dropped)
		check_fail("%s: %d", kind->name, a.dropped);
	if (count_descriptors() != before)
		check_fail("%s: %d descriptors, %d before", kind->name, count_descriptors(), before);
}

static void closer_is_cancelled(void)
{
	check_ok(evl_init());
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].known)
			check_dropped(&kinds[i]);
	}
	check_dropped(&attached);
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
	TEST(creator_is_cancelled, "whoever is cancelled gets what it creates first"),
	TEST(cancelled_on_the_way, "at whatever time the request comes"),
	TEST(opener_is_cancelled, "the same if it opens"),
	TEST(closer_is_cancelled, "nothing stays open if it closes"),
	TEST(attaches_in_destructor, "a thread which attaches when it ends leaves nothing, whichever destructor does"),
	TEST(attaches_in_early_destructor, "not even in the last round, if that one comes first"),
};

TEST_MAIN("halfway", tests)
