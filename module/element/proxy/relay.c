// SPDX-License-Identifier: GPL-2.0-only
/*
 * Relays: kernel threads which call the target of a proxy on behalf of whoever
 * made the proxy, with no more rights and no more room than that. Whoever opened the
 * target may have had more: Linux looks at the writer of many files, for a descriptor
 * which a process inherits is not to lend it the rights of the one it comes from. The
 * memory which Linux needs is charged to the memory cgroup of the maker. Relays are
 * no members of its cgroups: one which has a kernel thread in it cannot be frozen, and
 * cannot be removed as long as the thread is there.
 *
 * A relay is a thread rather than a work item since the target may keep it
 * waiting for ever, be it an empty pipe or a terminal which was stopped. A
 * thread can be sent a signal when the proxy goes away. Some targets do not mind
 * signals, either: a relay which does not come back within some time is left
 * alone, keeps what it needs, and goes when the target lets it. It pins the
 * module until then. The same goes for a proxy whose last user is not its maker:
 * somebody who was sent the descriptor, say, and is to wait for no target.
 *
 * Locking: users.lock, a mutex, guards the counts of relays by user.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include "element/proxy/relay.h"

/* How long the maker of a proxy, closing it, may wait for the end of a relay. */
#define END_TIMEOUT	HZ

/* --- How many a user may have ------------------------------------------------------ */

struct relay_user {
	kuid_t uid;
	unsigned long count;
	struct list_head next;
};

static struct {
	struct mutex lock;
	struct list_head list;		/* of users who have relays */
} users = {
	.lock = __MUTEX_INITIALIZER(users.lock),
	.list = LIST_HEAD_INIT(users.list),
};

static struct relay_user *get_user_entry(kuid_t uid)
{
	struct relay_user *user;

	list_for_each_entry(user, &users.list, next)
		if (uid_eq(user->uid, uid))
			return user;

	user = kzalloc(sizeof(*user), GFP_KERNEL);
	if (user) {
		user->uid = uid;
		list_add(&user->next, &users.list);
	}

	return user;
}

static void put_user_entry(struct relay_user *user)
{
	if (!user->count) {
		list_del(&user->next);
		kfree(user);
	}
}

/* Relays are to the limit of processes what processes are. */
static bool may_have_more(struct relay_user *user)
{
	unsigned long nr_processes =
		get_rlimit_value(current_ucounts(), UCOUNT_RLIMIT_NPROC);

	if (user->count + nr_processes < rlimit(RLIMIT_NPROC))
		return true;

	return uid_eq(user->uid, GLOBAL_ROOT_UID) ||
		capable(CAP_SYS_RESOURCE) || capable(CAP_SYS_ADMIN);
}

static struct relay_user *charge_user(void)
{
	struct relay_user *user;

	mutex_lock(&users.lock);
	user = get_user_entry(current_uid());
	if (!user) {
		user = ERR_PTR(-ENOMEM);
	} else if (may_have_more(user)) {
		user->count++;
	} else {
		put_user_entry(user);
		user = ERR_PTR(-EAGAIN);
	}
	mutex_unlock(&users.lock);

	return user;
}

static void uncharge_user(struct relay_user *user)
{
	mutex_lock(&users.lock);
	user->count--;
	put_user_entry(user);
	mutex_unlock(&users.lock);
}

/* --- Life ---------------------------------------------------------------------------- */

static void run_as_maker(struct evl_relay *relay)
{
	const struct cred *old = override_creds(relay->cred);

	/* Nobody else shares the limits of a kernel thread. */
	current->signal->rlim[RLIMIT_FSIZE] = relay->fsize;
	allow_signal(SIGTERM);
	/* The pages of a file which is written to, for instance. */
	set_active_memcg(relay->memcg);
	relay->run(relay);
	set_active_memcg(NULL);
	revert_creds(old);
}

/* What its maker leaves behind for the relay to use. */
static int charge_maker(struct evl_relay *relay)
{
	relay->user = charge_user();
	if (IS_ERR(relay->user))
		return PTR_ERR(relay->user);

	relay->cred = get_current_cred();
	relay->memcg = get_mem_cgroup_from_mm(current->mm);
	relay->fsize = current->signal->rlim[RLIMIT_FSIZE];

	return 0;
}

static void uncharge_maker(struct evl_relay *relay)
{
	mem_cgroup_put(relay->memcg);
	put_cred(relay->cred);
	uncharge_user(relay->user);
}

static int run_relay(void *arg)
{
	struct evl_relay *relay = arg;

	run_as_maker(relay);
	uncharge_maker(relay);

	if (cmpxchg(&relay->state, EVL_RELAY_RUNNING, EVL_RELAY_ENDED) ==
	    EVL_RELAY_RUNNING) {
		complete(&relay->ended);
	} else {
		cancel_delayed_work_sync(&relay->deadline);
		relay->release(relay);
	}

	module_put_and_kthread_exit(0);
}

/*
 * The relay looks at the flag after it dropped signals and before it calls the
 * target: this signal cannot be lost.
 */
static void interrupt_relay(struct evl_relay *relay)
{
	WRITE_ONCE(relay->stopping, true);
	smp_mb();
	send_sig(SIGTERM, relay->task, 1);
}

static void end_grace(struct work_struct *work)
{
	interrupt_relay(container_of(to_delayed_work(work), struct evl_relay,
				     deadline));
}

int evl_start_relay(struct evl_relay *relay, struct evl_target *target,
		    const char *name)
{
	struct task_struct *task;
	int err;

	err = charge_maker(relay);
	if (err)
		return err;

	relay->target = target;
	relay->state = EVL_RELAY_RUNNING;
	init_completion(&relay->ended);
	INIT_DELAYED_WORK(&relay->deadline, end_grace);

	task = kthread_create(run_relay, relay, "evl-%s:%s",
			      relay->way, name);
	if (IS_ERR(task)) {
		uncharge_maker(relay);
		return PTR_ERR(task);
	}

	__module_get(THIS_MODULE);
	relay->task = get_task_struct(task);
	wake_up_process(task);

	return 0;
}

/* True if it has ended, else it will call release(). */
static bool await_end(struct evl_relay *relay)
{
	if (wait_for_completion_killable_timeout(&relay->ended, END_TIMEOUT) > 0)
		return true;

	if (cmpxchg(&relay->state, EVL_RELAY_RUNNING, EVL_RELAY_ORPHANED) ==
	    EVL_RELAY_RUNNING)
		return false;

	/* It was about to say so. */
	wait_for_completion(&relay->ended);

	return true;
}

bool evl_stop_relay(struct evl_relay *relay)
{
	struct task_struct *task = relay->task;
	bool ended;

	if (!task)
		return true;

	interrupt_relay(relay);
	ended = await_end(relay);
	if (ended) {
		/* The module is not pinned by it any more, either. */
		kthread_stop(task);
		relay->task = NULL;
	}
	put_task_struct(task);

	return ended;
}

bool evl_leave_relay(struct evl_relay *relay, unsigned long grace)
{
	struct task_struct *task = relay->task;

	if (!task)
		return true;

	/* It does not end before it is told, so it was running. From then on it
	 * is there until it has cancelled the work. */
	WRITE_ONCE(relay->state, EVL_RELAY_ORPHANED);
	if (grace) {
		schedule_delayed_work(&relay->deadline, grace);
		smp_store_release(&relay->leaving, true);
	} else {
		interrupt_relay(relay);
	}
	put_task_struct(task);

	return false;
}

/* --- Calling the target ---------------------------------------------------------------- */

void evl_drop_relay_signals(void)
{
	flush_signals(current);
	/* Pairs with the one in interrupt_relay(). */
	smp_mb();
}

static ssize_t call_at_position(struct file *target, struct evl_ring_span *span,
				evl_target_fn call, int flags)
{
	bool shared_pos = target->f_mode & FMODE_ATOMIC_POS;
	loff_t pos = 0;
	ssize_t ret;

	if (target->f_mode & FMODE_STREAM)
		return call(target, span, &pos, flags);

	/* The position is shared with whoever else has the target open. */
	if (shared_pos && mutex_lock_interruptible(&target->f_pos_lock))
		return -EINTR;
	pos = target->f_pos;
	ret = call(target, span, &pos, flags);
	target->f_pos = pos;
	if (shared_pos)
		mutex_unlock(&target->f_pos_lock);

	return ret;
}

ssize_t evl_call_target(struct evl_relay *relay, struct evl_ring_span *span,
			evl_target_fn call)
{
	struct file *target = evl_get_target(relay->target, relay->reads);
	ssize_t ret;

	if (!target)
		return relay->reads ? 0 : -EPIPE;

	/* A local socket would stay open for as long as it kept us waiting. */
	ret = call_at_position(target, span, call,
			       relay->target->sock ? IOCB_NOWAIT : 0);
	fput(target);
	if (ret != -EAGAIN)
		relay->refused = 0;

	return ret;
}

/* How long to wait at most before the target is asked again, in ticks. */
#define MAX_PAUSE	(HZ / 4)

/*
 * A target may say that it is ready and refuse all the same: an error which is
 * waiting to be fetched, as in the error queue of a socket, is for no relay to
 * fetch. That is believed once, and then the target is asked again after longer and
 * longer pauses, unless it wakes us up.
 */
static long get_pause(struct evl_relay *relay, __poll_t ready)
{
	bool news = ready & ~relay->refused;

	relay->refused = ready;
	if (!ready)
		return MAX_SCHEDULE_TIMEOUT;
	if (news) {
		relay->pause = 1;
		return 0;
	}
	relay->pause = min(relay->pause * 2, (long)MAX_PAUSE);

	return relay->pause;
}

static long poll_target(struct evl_relay *relay, __poll_t event, poll_table *wait)
{
	__poll_t ready = evl_poll_target(relay->target, NULL, wait);

	return get_pause(relay, ready & (event | EPOLLERR | EPOLLHUP));
}

/* How long to wait at most before we find out that a socket was closed, in ticks. */
#define SOCKET_PAUSE	(HZ / 10)

/* Does not keep it open. Nobody is woken up if it is closed. */
static void wait_socket(struct evl_relay *relay, __poll_t event)
{
	wait_queue_head_t *wqh = &relay->target->sock->wq.wait;
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	long pause, limit;

	add_wait_queue(wqh, &wait);
	/* Pairs with the one in skwq_has_sleeper(). */
	smp_mb();
	do {
		limit = evl_keeps_target(relay->target) ? MAX_SCHEDULE_TIMEOUT :
			SOCKET_PAUSE;
		pause = poll_target(relay, event, NULL);
		if (!pause || signal_pending(current) || evl_relay_stopping(relay))
			break;
		wait_woken(&wait, TASK_INTERRUPTIBLE, min(pause, limit));
	} while (pause == MAX_SCHEDULE_TIMEOUT);
	remove_wait_queue(wqh, &wait);
}

/* Sleep until a target in non-blocking mode may be ready for @event. */
static void wait_file(struct evl_relay *relay, __poll_t event)
{
	struct poll_wqueues table;
	long pause;

	poll_initwait(&table);
	pause = poll_target(relay, event, &table.pt);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!pause || table.triggered || signal_pending(current) ||
		    evl_relay_stopping(relay))
			break;
		pause = schedule_timeout(pause);
	}
	__set_current_state(TASK_RUNNING);
	poll_freewait(&table);
}

int evl_check_relay(struct evl_relay *relay, int err, __poll_t event)
{
	switch (err) {
	case -EAGAIN:
		if (relay->target->sock)
			wait_socket(relay, event);
		else
			wait_file(relay, event);
		break;
	case -EINTR:
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
	case -ERESTART_RESTARTBLOCK:
		break;
	default:
		return err;
	}

	evl_drop_relay_signals();

	return 0;
}
