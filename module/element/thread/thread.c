// SPDX-License-Identifier: GPL-2.0-only
/*
 * The thread class: attaching a task as an element, and its departure.
 *
 * Locking: roster.lock, a mutex, guards the list of the threads which are
 * attached, and the counts of them. The core's hard locks nest in it.
 *
 * A thread leaves the core atomically (exit of the task) or not (detach):
 * thread_exited() drops its reference to the element at once, so that the
 * element starts to die before anybody learns that the task is gone. What may
 * sleep is left to a worker.
 */
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <evl/shmem.h>
#include "element/observable/observable.h"
#include "element/thread/thread.h"

static struct {
	struct mutex lock;
	struct list_head threads;
	unsigned int nr_user, nr_kernel;
	atomic_t nr_elements;		/* allocated, attached or not */
	wait_queue_head_t departure;
} roster = {
	.lock = __MUTEX_INITIALIZER(roster.lock),
	.threads = LIST_HEAD_INIT(roster.threads),
	.departure = __WAIT_QUEUE_HEAD_INITIALIZER(roster.departure),
};

/* --- Roster -------------------------------------------------------------------- */

static unsigned int *roster_count(struct evl_thread_element *te)
{
	return te->kthread ? &roster.nr_kernel : &roster.nr_user;
}

static void enlist(struct evl_thread_element *te)
{
	mutex_lock(&roster.lock);
	list_add_tail(&te->next, &roster.threads);
	(*roster_count(te))++;
	mutex_unlock(&roster.lock);
}

static void delist(struct evl_thread_element *te)
{
	mutex_lock(&roster.lock);
	list_del(&te->next);
	WRITE_ONCE(*roster_count(te), *roster_count(te) - 1);
	wake_up_all(&roster.departure);
	mutex_unlock(&roster.lock);
}

static void stop_thread(struct evl_thread_element *te)
{
	if (te->kthread) {
		WRITE_ONCE(te->stopping, true);
		evl_kick_thread(&te->thread);
	} else {
		evl_demote_thread(&te->thread);
		kill_pid(te->pid, SIGTERM, 1);
	}
}

static void ask_threads(bool kernel)
{
	struct evl_thread_element *te;

	mutex_lock(&roster.lock);
	list_for_each_entry(te, &roster.threads, next)
		if (!!te->kthread == kernel)
			stop_thread(te);
	mutex_unlock(&roster.lock);
}

static int stop_users(void)
{
	ask_threads(false);

	return wait_event_interruptible(roster.departure,
					!READ_ONCE(roster.nr_user));
}

/* A kernel thread may be in-band, or about to sleep, when it is kicked. */
static int stop_kthreads(void)
{
	long ret;

	do {
		ask_threads(true);
		ret = wait_event_interruptible_timeout(
			roster.departure, !READ_ONCE(roster.nr_kernel),
			EVL_STOP_RETRY);
	} while (!ret);

	return ret < 0 ? ret : 0;
}

/* Users first: they may depend on the services of drivers. */
int evl_stop_all_threads(void)
{
	return stop_users() ?: stop_kthreads();
}

/* --- Life of a thread element ----------------------------------------------------- */

/* In-band, nobody refers to the thread any more, in the core or outside. */
static void thread_release(struct evl_thread *thread)
{
	struct evl_thread_element *te = evl_element_of_thread(thread);

	if (te->observable)
		evl_put_observable(te->observable);
	if (thread->window)
		evl_free_shared(thread->window, sizeof(*thread->window));
	put_pid(te->pid);
	kfree_rcu(te, thread.rcu);
	atomic_dec(&roster.nr_elements);
	wake_up_all(&roster.departure);
}

void evl_wait_thread_elements(void)
{
	wait_event(roster.departure, !atomic_read(&roster.nr_elements));
}

static void finish_exit(struct evl_work *work)
{
	struct evl_thread_element *te =
		container_of(work, struct evl_thread_element, exit_work);

	delist(te);
	complete_all(&te->gone);
	evl_put_thread(&te->thread);
}

/* Atomic. Current is out of the core, but not the last reference to it. */
static void thread_exited(struct evl_thread *thread)
{
	struct evl_thread_element *te = evl_element_of_thread(thread);

	evl_get_thread(thread);
	evl_call_inband(&te->exit_work);
	/* Descriptors of it may stay for long: those of an exited thread are
	 * closed by nobody. */
	evl_retire_element(&te->element);
	if (te->observable)
		evl_retire_observable(te->observable);
	evl_put_element(&te->element);
}

/* What it is asked to tell of its health goes to its subscribers. Any context. */
static void send_health(struct evl_thread *thread, int code, u64 details)
{
	evl_send_observable(evl_element_of_thread(thread)->observable, code,
			    (union evl_value){ .lval = details });
}

/* Any reference to the thread keeps it: there may be something to tell to the last. */
static int make_observable(struct evl_thread_element *te)
{
	struct evl_observable *o;

	if (!(te->element.clone_flags & EVL_CLONE_OBSERVABLE))
		return 0;

	o = evl_new_thread_observable(te->element.name, te->element.clone_flags);
	if (IS_ERR(o))
		return PTR_ERR(o);

	te->observable = o;
	te->thread.hm_notify = send_health;

	return 0;
}

static int alloc_window(struct evl_thread_element *te)
{
	struct evl_user_window *window;

	if (te->kthread)
		return 0;

	window = evl_alloc_shared(sizeof(*window));
	if (!window)
		return -ENOMEM;

	te->thread.window = window;
	te->element.state_offset = evl_shared_offset(window);

	return 0;
}

struct evl_thread_element *
evl_new_thread_element(const char *name, u32 clone_flags,
		       struct evl_kthread *kthread)
{
	struct evl_thread_element *te;
	int ret;

	te = kzalloc(sizeof(*te), GFP_KERNEL);
	if (!te)
		return ERR_PTR(-ENOMEM);

	ret = evl_init_element(&te->element, &evl_thread_factory, name,
			       clone_flags);
	if (ret)
		goto fail_element;

	/* The core may look at the name after the element is gone. */
	strscpy(te->name, te->element.name, sizeof(te->name));
	te->kthread = kthread;
	init_completion(&te->gone);
	evl_init_work(&te->exit_work, finish_exit);
	evl_init_thread(&te->thread, te->name, thread_release, thread_exited);
	te->thread.fundle = te->element.fundle;
	te->thread.stat_date = evl_ktime_monotonic();
	atomic_inc(&roster.nr_elements);

	ret = alloc_window(te) ?: make_observable(te);
	if (ret)
		goto fail_window;

	return te;

fail_window:
	evl_discard_thread_element(te);

	return ERR_PTR(ret);

fail_element:
	kfree(te);

	return ERR_PTR(ret);
}

void evl_discard_thread_element(struct evl_thread_element *te)
{
	if (te->observable)
		evl_retire_observable(te->observable);
	evl_cleanup_element(&te->element);
	evl_put_thread(&te->thread);
}

/* As much of the name as fits becomes that of the task. */
static void rename_current(const char *name)
{
	task_lock(current);
	strscpy_pad(current->comm, name, sizeof(current->comm));
	task_unlock(current);
}

int evl_attach_thread_element(struct evl_thread_element *te)
{
	int ret;

	te->pid = get_pid(task_pid(current));
	evl_get_element(&te->element);
	enlist(te);

	ret = evl_attach_current(&te->thread);
	if (ret) {
		delist(te);
		/* Not the last one. */
		evl_put_element(&te->element);
		return ret;
	}

	rename_current(te->name);

	return 0;
}

int evl_detach_self(void)
{
	struct evl_thread *curr = evl_current();
	unsigned int raised;
	int ret;

	if (!curr)
		return -EPERM;

	raised = evl_element_of_thread(curr)->raised;
	ret = evl_detach_current();
	if (!ret)
		evl_lower_caps(raised);

	return ret;
}

/* --- Factory -------------------------------------------------------------------- */

/* How notices are dealt out says something only if there are any. */
int evl_check_thread_flags(u32 clone_flags)
{
	return (clone_flags & (EVL_CLONE_OBSERVABLE | EVL_CLONE_UNICAST)) ==
		EVL_CLONE_UNICAST ? -EINVAL : 0;
}

static int attach_user_thread(struct evl_thread_element *te)
{
	unsigned int raised;
	int ret;

	ret = evl_raise_caps(te);
	if (ret)
		return ret;

	raised = te->raised;
	ret = evl_attach_thread_element(te);
	if (ret)
		evl_lower_caps(raised);

	return ret;
}

static struct evl_element *thread_build(struct evl_factory *factory,
					const char *name, const void *attrs,
					u32 clone_flags)
{
	struct evl_thread_element *te;
	int ret;

	ret = evl_check_thread_flags(clone_flags);
	if (ret)
		return ERR_PTR(ret);

	/* Ahead of what could be said of the name. */
	if (evl_current())
		return ERR_PTR(-EBUSY);

	te = evl_new_thread_element(name, clone_flags, NULL);
	if (IS_ERR(te))
		return ERR_CAST(te);

	ret = attach_user_thread(te);
	if (ret) {
		evl_discard_thread_element(te);
		return ERR_PTR(ret);
	}

	return &te->element;
}

/* Nobody but itself has a thread detach. */
static void thread_undo(struct evl_element *element)
{
	if (evl_current() == &evl_thread_element(element)->thread)
		evl_detach_self();
}

static void thread_dispose(struct evl_element *element)
{
	evl_put_thread(&evl_thread_element(element)->thread);
}

static void thread_flush(struct evl_element *element, struct evl_file *file)
{
	struct evl_thread_element *te = evl_thread_element(element);

	if (te->observable)
		evl_flush_observable_file(te->observable, file, &element->nr_files);
}

struct evl_factory evl_thread_factory = {
	.name = EVL_THREAD_DEV,
	.flags = EVL_FACTORY_CLONE | EVL_FACTORY_INDEXED,
	.clone_flags = EVL_CLONE_PUBLIC | EVL_CLONE_OBSERVABLE |
		EVL_CLONE_UNICAST,
	.fops = &evl_thread_fops,
	.oob_ops = &evl_thread_oob_ops,
	.build = thread_build,
	.undo = thread_undo,
	.dispose = thread_dispose,
	.flush = thread_flush,
	.attrs = evl_thread_groups,
};
