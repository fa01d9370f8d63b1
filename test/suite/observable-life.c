// SPDX-License-Identifier: GPL-2.0-only
/* Observables: how subscriptions end, crowds of subscribers, threads which are observable. */
#include "notices.h"
#include "puppet.h"
#include <evl/poll.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/resource.h>

/* --- Ends of a subscription --------------------------------------------------------------- */

static void subscribe_and_leave(struct worker *w)
{
	check_ok(evl_subscribe(*(int *)w->arg, 4, 0));
}

/* Linux tells of the end of a task some time after others may know of it. */
static void ends_with_its_task(void)
{
	struct worker w = { .body = subscribe_and_leave, .name = "leaver", .cpu = 0 };
	int fd;

	check_ok(evl_init());
	fd = new_observable(0);
	w.arg = &fd;
	start_worker(&w);
	join_worker(&w);
	await(send_value(fd, TAG, 1) == 0);
	w = (struct worker){ .body = subscribe_and_leave, .name = "leaver", .cpu = 0, .arg = &fd };
	start_worker(&w);
	join_worker(&w);
	await(send_value(fd, TAG, 1) == 0);
}

static int go_on[2];

/* The child goes on as another program, with the same descriptor. */
static void exec_itself(void *arg)
{
	int fd = *(int *)arg;
	char c;

	check_ok(evl_subscribe(fd, 4, 0));
	check_eq(send_value(fd, TAG, 1), 1);
	check_sys(fcntl(fd, F_SETFD, 0));
	check_eq(read(go_on[0], &c, 1), 1);
	execl("/bin/busybox", "busybox", "sleep", "1000", NULL);
	check_fail("busybox: %s", strerror(errno));
}

static void ends_with_its_program(void)
{
	pid_t pid;
	int fd;

	check_ok(evl_init());
	fd = new_observable(0);
	check_sys(pipe(go_on));
	pid = fork_child(exec_itself, &fd);
	await(send_value(fd, TAG, 1) == 1);
	check_eq(write(go_on[1], "", 1), 1);
	await(send_value(fd, TAG, 1) == 0);
	check_eq(kill(pid, 0), 0);
	check_sys(kill(pid, SIGKILL));
	wait_signal(pid, SIGKILL);
}

static atomic_bool reborn;

static void *keep_workers_away(void *arg)
{
	pin_to(other_cpu());
	become(SCHED_FIFO, 50);
	while (!atomic_load(&reborn))
		;
	return arg;
}

/* What it goes on as has the descriptor only. */
static void be_reborn(void *arg)
{
	int fd = *(int *)arg;
	char text[16];

	pin_to(0);
	become(SCHED_FIFO, 50);
	check_ok(evl_subscribe(fd, 4, 0));
	check_eq(send_value(fd, TAG, 1), 1);
	check_sys(fcntl(fd, F_SETFD, 0));
	snprintf(text, sizeof(text), "%d", fd);
	execl("/test/reborn", "reborn", text, NULL);
	check_fail("reborn: %s", strerror(errno));
}

/* Not even if those who clear away what it had do not get a CPU meanwhile. */
static void unknown_to_its_next_program(void)
{
	pthread_t thread;
	int fd;

	check_ok(evl_init());
	fd = new_observable(0);
	check_eq(pthread_create(&thread, NULL, keep_workers_away, NULL), 0);
	wait_success(fork_child(be_reborn, &fd));
	atomic_store(&reborn, true);
	check_eq(pthread_join(thread, NULL), 0);
}

static void child_does_not_inherit(void *arg)
{
	struct evl_notification nf;
	int fd = *(int *)arg;

	check_eq(evl_read_observable(fd, &nf, 1), -ENXIO);
	check_eq(evl_unsubscribe(fd), -ENOENT);
	check_ok(evl_subscribe(fd, 4, 0));
	check_eq(send_value(fd, TAG, 1), 1);
	check_received(fd, TAG, 1);
}

static void not_inherited(void)
{
	int fd;

	check_ok(evl_init());
	fd = new_observable(0);
	check_ok(evl_subscribe(fd, 4, 0));
	wait_success(fork_child(child_does_not_inherit, &fd));
	check_received(fd, TAG, 1);
}

/* --- Ends of an observable ------------------------------------------------------------------- */

struct waiter {
	struct worker w;
	int fd;
	int result;
	atomic_bool ready;
};

static void wait_for_end(struct worker *w)
{
	struct waiter *wt = w->arg;
	struct evl_notification nf;

	if (w->prio)
		attach_worker(w);
	check_ok(evl_subscribe(wt->fd, 4, 0));
	atomic_store(&wt->ready, true);
	wt->result = evl_read_observable(wt->fd, &nf, 1);
}

/* A reader which came by another file stays. */
static void close_ends_waits(void)
{
	struct waiter mine = { }, other = { };
	int fd;

	check_ok(evl_init());
	fd = check_ok(evl_create_observable(EVL_CLONE_PUBLIC, "obs:%d", getpid()));
	mine.fd = check_ok(evl_open_element("observable", "obs:%d", getpid()));
	other.fd = fd;
	mine.w = (struct worker){ .body = wait_for_end, .name = "mine", .prio = 20,
				  .cpu = other_cpu(), .arg = &mine };
	other.w = (struct worker){ .body = wait_for_end, .name = "other", .prio = 20,
				   .cpu = other_cpu(), .arg = &other };
	start_worker(&mine.w);
	start_worker(&other.w);
	await(worker_sleeps(&mine.w) && atomic_load(&mine.ready));
	await(worker_sleeps(&other.w) && atomic_load(&other.ready));
	close(mine.fd);
	join_worker(&mine.w);
	check_eq(mine.result, -EBADF);
	check(worker_sleeps(&other.w));
	check_eq(send_value(fd, TAG, 1), 1);
	join_worker(&other.w);
	check_eq(other.result, 1);
}

/* Subscriptions to many things which are not there any more. */
static void gone_while_subscribed(void)
{
	int n, fd;

	check_ok(evl_init());
	for (n = 0; n < 200; n++) {
		fd = check_ok(evl_new_observable("obs:%d", getpid()));
		check_ok(evl_subscribe(fd, 4, 0));
		send_value(fd, TAG, 1);
		close(fd);
	}
	fd = check_ok(evl_new_observable("obs:%d", getpid()));
	check_ok(evl_subscribe(fd, 4, 0));
}

/* --- Crowds ------------------------------------------------------------------------------------- */

#define CROWD		300

struct member {
	struct worker w;
	int fd;
	int count;
	int seen;
	atomic_bool ready;
};

static void follow(struct worker *w)
{
	struct member *m = w->arg;
	struct evl_notification nf;
	unsigned int serial;
	int n;

	if (w->prio)
		attach_worker(w);
	check_ok(evl_subscribe(m->fd, 2000, 0));
	atomic_store(&m->ready, true);
	nf = receive(m->fd);
	serial = nf.serial;
	for (n = 1; n < m->count; n++) {
		nf = receive(m->fd);
		check_eq(nf.serial, ++serial);
	}
	m->seen = n;
}

static struct member *start_crowd(int fd, int nr, int count)
{
	struct member *m = calloc(nr, sizeof(*m));
	static char names[CROWD][8];
	int n;

	for (n = 0; n < nr; n++) {
		snprintf(names[n], sizeof(names[n]), "m%d", n);
		m[n] = (struct member){ .fd = fd, .count = count };
		m[n].w = (struct worker){ .body = follow, .name = names[n], .prio = n % 3 ? 1 + n % 50 : 0,
					  .cpu = n % 2 ? other_cpu() : 0, .arg = m + n };
		start_worker(&m[n].w);
	}
	for (n = 0; n < nr; n++)
		await(atomic_load(&m[n].ready));
	return m;
}

static void join_crowd(struct member *m, int nr, int count)
{
	int n;

	for (n = 0; n < nr; n++) {
		join_worker(&m[n].w);
		check_eq(m[n].seen, count);
	}
	free(m);
}

static void many_readers(void)
{
	struct member *m;
	int fd, n;

	check_ok(evl_init());
	fd = new_observable(0);
	m = start_crowd(fd, CROWD, 5);
	attach_fifo(10);
	for (n = 0; n < 5; n++)
		check_eq(send_value(fd, TAG, n), 1);
	join_crowd(m, CROWD, 5);
}

struct sender {
	struct worker w;
	int fd;
	int count;
};

static void send_many(struct worker *w)
{
	struct sender *s = w->arg;
	int n;

	if (w->prio)
		attach_worker(w);
	for (n = 0; n < s->count; n++)
		check_eq(send_value(s->fd, TAG, n), 1);
}

/* Whoever sends, everybody sees all in the same order: serial numbers without a gap. */
static void many_senders(void)
{
	struct sender s[6];
	struct member *m;
	int fd, n;

	check_ok(evl_init());
	fd = new_observable(0);
	m = start_crowd(fd, 60, 6 * 100);
	for (n = 0; n < 6; n++) {
		static char names[6][4] = { "s0", "s1", "s2", "s3", "s4", "s5" };

		s[n] = (struct sender){ .fd = fd, .count = 100 };
		s[n].w = (struct worker){ .body = send_many, .name = names[n], .prio = n % 2 ? 60 + n : 0,
					  .cpu = n % 4 < 2 ? other_cpu() : 0, .arg = s + n };
		start_worker(&s[n].w);
	}
	for (n = 0; n < 6; n++)
		join_worker(&s[n].w);
	join_crowd(m, 60, 6 * 100);
}

/* --- Order of importance ------------------------------------------------------------------------------ */

#define IN_BETWEEN	200		/* subscribers which never read */
#define BATCH		16
#define MUCH		100000		/* notices: more than are sent while nobody reads */
#define ROUNDS		12

static struct {
	int fd, pfd;
	sem_t leave;
	atomic_bool stop;
	atomic_int nr;			/* subscribers so far */
	atomic_long last;		/* serial number the important reader has seen */
} order;

static void subscribe_only(struct worker *w)
{
	(void)w;
	check_ok(evl_subscribe(order.fd, 1, 0));
	atomic_fetch_add(&order.nr, 1);
	while (sem_wait(&order.leave))
		;
}

/* Until nothing is sent any more, and all is read. */
static void read_as_it_comes(struct worker *w)
{
	struct evl_notification nf[BATCH];
	int n;

	attach_worker(w);
	check_ok(evl_subscribe(order.fd, MUCH, 0));
	atomic_fetch_add(&order.nr, 1);
	for (;;) {
		n = evl_read_observable(order.fd, nf, BATCH);
		if (n < 0)
			break;
		atomic_store(&order.last, nf[n - 1].serial);
	}
	check_eq(n, -EBADF);
}

static void poll_as_it_comes(struct worker *w)
{
	struct evl_notification nf[BATCH];
	struct evl_poll_event ev;
	int pfd, n;

	attach_worker(w);
	check_ok(evl_subscribe(order.fd, MUCH, 0));
	check_sys(fcntl(order.fd, F_SETFL, O_NONBLOCK));
	pfd = check_ok(evl_new_poll());
	check_ok(evl_add_pollfd(pfd, order.fd, POLLIN, evl_nil));
	atomic_fetch_add(&order.nr, 1);
	while (evl_poll(pfd, &ev, 1) == 1 && ev.events == POLLIN) {
		n = check_ok(evl_read_observable(order.fd, nf, BATCH));
		atomic_store(&order.last, nf[n - 1].serial);
	}
}

static void keep_sending(struct worker *w)
{
	struct evl_notice batch[BATCH];
	int n;

	(void)w;
	for (n = 0; n < BATCH; n++)
		batch[n] = notice(TAG, n);
	/* Whoever reads goes on with most of it, ahead of all else on its CPU: leave that some time. */
	for (n = 0; !atomic_load(&order.stop); n++) {
		check_ge(evl_update_observable(order.fd, batch, BATCH), 0);
		if (n % 4 == 3)
			nap();
	}
}

/* Some other thread takes the CPU of whoever sends, again and again, and often in the middle of it. */
static void check_not_held_up(void (*important)(struct worker *w))
{
	static struct worker others[IN_BETWEEN];
	static struct evl_notification nf[MUCH];
	struct worker reader = { .body = important, .name = "reader", .prio = 95 };
	struct worker sender = { .body = keep_sending, .name = "sender", .cpu = other_cpu() };
	struct hog hog;
	int fd, n, round, shown = 0;

	check_ok(evl_init());
	order.fd = new_observable(EVL_CLONE_PUBLIC);
	/* Linux may not have the CPU from which those who wait in-band are to be woken up. */
	fd = check_ok(evl_open_element("observable", "obs:%d", getpid()));
	check_sys(fcntl(fd, F_SETFL, O_NONBLOCK));
	sem_init(&order.leave, 0, 0);
	check_ok(evl_subscribe(fd, MUCH, 0));
	for (n = 0; n < IN_BETWEEN; n++) {
		others[n] = (struct worker){ .body = subscribe_only, .name = "other" };
		start_worker(others + n);
	}
	await(atomic_load(&order.nr) == IN_BETWEEN);
	start_worker(&reader);
	await(atomic_load(&order.nr) == IN_BETWEEN + 1);
	start_worker(&sender);
	for (round = 0; round < ROUNDS; round++) {
		evl_read_observable(fd, nf, MUCH);
		take_cpu(&hog, other_cpu());
		/* As many as there are, without a look at what may be under way. */
		n = evl_read_observable(fd, nf, MUCH);
		if (n > 0)
			await(atomic_load(&order.last) >= nf[n - 1].serial);
		give_cpu(&hog);
		shown += n > 0 && n < MUCH;
	}
	/* With a full backlog, the last ones are not there. */
	check_gt(shown, 0);
	atomic_store(&order.stop, true);
	join_worker(&sender);
	check_sys(close(order.fd));
	check_sys(close(fd));
	join_worker(&reader);
	for (n = 0; n < IN_BETWEEN; n++)
		sem_post(&order.leave);
	for (n = 0; n < IN_BETWEEN; n++)
		join_worker(others + n);
}

static void readers_go_on(void)
{
	check_not_held_up(read_as_it_comes);
}

static void pollers_go_on(void)
{
	check_not_held_up(poll_as_it_comes);
}

static atomic_bool over;

static void come_and_go(struct worker *w)
{
	int fd = *(int *)w->arg;

	while (!atomic_load(&over)) {
		check_ok(evl_subscribe(fd, 3, 0));
		sched_yield();
		check_ok(evl_unsubscribe(fd));
	}
}

static void subscribers_come_and_go(void)
{
	struct worker w[8];
	int fd, n;

	check_ok(evl_init());
	fd = new_observable(0);
	for (n = 0; n < 8; n++) {
		w[n] = (struct worker){ .body = come_and_go, .name = "fickle",
					.cpu = n % 2 ? other_cpu() : 0, .arg = &fd };
		start_worker(w + n);
	}
	for (n = 0; n < 2000; n++) {
		check_ge(send_value(fd, TAG, n), 0);
		if (n % 50 == 0)
			nap();
	}
	atomic_store(&over, true);
	for (n = 0; n < 8; n++)
		join_worker(w + n);
	check_eq(send_value(fd, TAG, n), 0);
}

/* One task, ten thousand observables, or as many as a slow machine makes in some seconds: it ends, and takes nobody along. */
#define MANY_SECONDS	15

struct many {
	int fds[10000];
	int nr;
};

static void subscribe_to_all(void *arg)
{
	struct many *m = arg;
	int n;

	for (n = 0; n < m->nr; n++)
		check_ok(evl_subscribe(m->fds[n], 1, 0));
	check_eq(send_value(m->fds[0], TAG, 1), 1);
	check_eq(send_value(m->fds[m->nr - 1], TAG, 1), 1);
}

static void ten_thousand(void)
{
	struct rlimit lim = { 20000, 20000 };
	static struct many m;
	int64_t start;

	check_sys(setrlimit(RLIMIT_NOFILE, &lim));
	check_ok(evl_init());
	start = now();
	while (m.nr < 10000 && now() < start + MANY_SECONDS * NSEC_PER_SEC) {
		m.fds[m.nr] = check_ok(evl_create_observable(0, "obs%d:%d", m.nr, getpid()));
		m.nr++;
	}
	wait_success(fork_child(subscribe_to_all, &m));
	await(send_value(m.fds[0], TAG, 1) == 0);
	await(send_value(m.fds[m.nr - 1], TAG, 1) == 0);
}

/* --- Observable threads ------------------------------------------------------------------------------ */

static int attach_observable(int prio, int flags)
{
	int efd;

	pin_to(0);
	become(prio ? SCHED_FIFO : SCHED_OTHER, prio);
	efd = check_ok(evl_attach_thread(EVL_CLONE_OBSERVABLE | flags, "seen:%d", getpid()));
	check_str(read_attr("thread", own_name("seen"), "observable"), "1");
	check(has_element("observable", own_name("seen")));
	check(!has_node("observable", own_name("seen")));
	check(strtoul(read_attr("thread", own_name("seen"), "state"), NULL, 0) & EVL_T_OBSERV);
	return efd;
}

static void threads_as_observables(void)
{
	int efd;

	check_ok(evl_init());
	check_eq(evl_attach_thread(EVL_CLONE_UNICAST, "bad:%d", getpid()), -EINVAL);
	efd = attach_observable(0, 0);
	check_ok(evl_subscribe(efd, 4, 0));
	check_eq(send_value(efd, TAG, 5), 1);
	check_received(efd, TAG, 5);
	check_ok(evl_unsubscribe(efd));
	check_ok(evl_detach_self());
	/* In sysfs, another one of that name would be called otherwise meanwhile. */
	await(!has_element("observable", own_name("seen")));
	efd = attach_observable(0, EVL_CLONE_MASTER);
	check_ok(evl_detach_self());
}

/* Health goes there, if the thread wants that, and SIGDEBUG stays out of it unless it wants both. */
static void health_is_told(void)
{
	struct evl_notification nf;
	int efd, oldmask;

	check_ok(evl_init());
	catch_sigdebug();
	efd = attach_observable(20, 0);
	check_ok(evl_subscribe(efd, 8, 0));
	check_ok(evl_set_thread_mode(efd, EVL_T_WOSS | EVL_T_HMOBS, &oldmask));
	check_ok(evl_switch_oob());
	getppid();
	check_ok(evl_switch_oob());
	nf = receive(efd);
	check_eq(nf.tag, EVL_HMDIAG_SYSDEMOTE);
	check_eq(nf.issuer, 0);
	check_eq(take_sigdebug(EVL_HMDIAG_SYSDEMOTE), 0);

	check_ok(evl_set_thread_mode(efd, EVL_T_HMSIG, &oldmask));
	getppid();
	check_eq(take_sigdebug(EVL_HMDIAG_SYSDEMOTE), 1);
	check_ok(evl_switch_oob());
	check_eq(receive(efd).tag, EVL_HMDIAG_SYSDEMOTE);
}

static void hm_needs_an_observable(void)
{
	int efd = attach_weak();

	check_eq(evl_set_thread_mode(efd, EVL_T_HMOBS, NULL), -EINVAL);
}

struct demoted {
	struct worker w;
	atomic_bool hog;
	int cause;
};

/* Reads of itself what befell it. */
static void hog_until_told(struct worker *w)
{
	struct demoted *d = w->arg;

	w->efd = check_ok(evl_attach_thread(EVL_CLONE_PUBLIC | EVL_CLONE_OBSERVABLE, "/hog:%d", getpid()));
	check_ok(evl_set_thread_mode(w->efd, EVL_T_WOSS | EVL_T_HMOBS, NULL));
	check_ok(evl_subscribe(w->efd, 8, 0));
	check_ok(evl_switch_oob());
	atomic_store(&d->hog, true);
	while (evl_get_state(w->efd, &(struct evl_thread_state){ }) == 0 && !evl_is_inband())
		;
	d->cause = receive(w->efd).tag;
}

static void told_of_signals(void)
{
	struct demoted d = { };
	struct evl_notification nf;
	int fd;

	check_ok(evl_init());
	catch_signal(SIGUSR1, 0);
	d.w = (struct worker){ .body = hog_until_told, .name = "hog", .prio = 20,
			       .cpu = other_cpu(), .arg = &d };
	start_worker(&d.w);
	await(atomic_load(&d.hog));
	fd = check_ok(evl_open_element("thread", "hog:%d", getpid()));
	check_ok(evl_subscribe(fd, 8, 0));
	signal_worker(&d.w, SIGUSR1);
	join_worker(&d.w);
	check_eq(d.cause, EVL_HMDIAG_SIGDEMOTE);
	/* The thread is gone, its notices are not. */
	nf = receive(fd);
	check_eq(nf.tag, EVL_HMDIAG_SIGDEMOTE);
	check_ok(evl_unsubscribe(fd));
	check_eq(evl_unsubscribe(fd), -ENOENT);
}

/* A descriptor and a backlog which are left over keep nobody from the name. */
static void name_is_free_again(void)
{
	int efd, n;

	check_ok(evl_init());
	for (n = 0; n < 50; n++) {
		efd = check_ok(evl_attach_thread(EVL_CLONE_OBSERVABLE, "seen:%d", getpid()));
		efd = check_sys(dup(efd));
		check_ok(evl_subscribe(efd, 4, 0));
		check_eq(send_value(efd, TAG, 1), 1);
		check_ok(evl_detach_self());
		/* What is left is there to be read. */
		check_received(efd, TAG, 1);
	}
}

static void others_are_not(void)
{
	struct pollfd pfd = { .events = POLLIN | POLLOUT };
	struct evl_notification nf;

	pfd.fd = attach_weak();
	check_eq(send_value(pfd.fd, TAG, 1), -EPERM);
	check_eq(evl_read_observable(pfd.fd, &nf, 1), -EPERM);
	check_eq(poll(&pfd, 1, 0), 1);
	check_eq(pfd.revents, POLLERR);
}

static const struct CMUnitTest tests[] = {
	TEST(ends_with_its_task, "a subscription ends with its task"),
	TEST(ends_with_its_program, "and when that executes another program"),
	TEST(unknown_to_its_next_program, "which knows nothing of it"),
	TEST(not_inherited, "a child has none of its parent's"),
	TEST(close_ends_waits, "closing its file ends a wait: -EBADF; that of another does not"),
	TEST(gone_while_subscribed, "observables may go while tasks are subscribed"),
	TEST(many_readers, "hundreds of readers get all there is"),
	TEST(readers_go_on, "an important reader does not wait for the CPU of whoever sends"),
	TEST(pollers_go_on, "nor does who polls"),
	TEST(many_senders, "whoever sends, all subscribers see the same order"),
	TEST(subscribers_come_and_go, "subscribers come and go while notices are sent"),
	TEST(ten_thousand, "a task with ten thousand subscriptions ends"),
	TEST(threads_as_observables, "a thread is an observable if it wants to be"),
	TEST(health_is_told, "its health is told of there, by signal, or both"),
	TEST(hm_needs_an_observable, "EVL_T_HMOBS is for observable threads"),
	TEST(told_of_signals, "it reads itself that a signal demoted it; others do after its end"),
	TEST(name_is_free_again, "the name of an observable thread is free when it is gone"),
	TEST(others_are_not, "any other thread is none"),
};

TEST_MAIN("observable-life", tests)
