// SPDX-License-Identifier: GPL-2.0-only
/*
 * Observables: notices sent to whoever subscribed, each of which has a backlog of its
 * own: what it did not read yet is kept, and what finds it full is lost to it alone.
 *
 * A subscription is that of a task, on either stage, attached or not. Its task is the
 * only one who reads from its backlog, so that data are copied to user space with
 * nothing locked: they stay where they are until that task takes them out.
 *
 * Locking: readers.wchan.lock guards all of an observable; see subscribe.c for what
 * nests in it.
 */
#include <linux/export.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <evl/clock.h>
#include <evl/thread.h>
#include <evl/uaccess.h>
#include "element/observable/observable.h"

/* How to read. */
#define READ_OOB	1		/* by an out-of-band request */
#define READ_NONBLOCK	2

#define READ_BATCH	64		/* notices read in one go */

/* --- Reading --------------------------------------------------------------------------- */

static int wait_oob(struct evl_observable *o, struct evl_observer *observer,
		    unsigned long *flags)
{
	int ret;

	observer->waiter = evl_current();
	evl_add_wait_queue(&o->readers, EVL_INFINITE, EVL_REL);
	evl_unlock_irqrestore(observable_lock(o), *flags);
	ret = evl_wait_schedule(&o->readers.wchan);
	evl_lock_irqsave(observable_lock(o), *flags);
	observer->waiter = NULL;

	return ret == -EIDRM ? -EBADF : ret;
}

/* A signal comes first. */
static bool can_catch_up(struct evl_observable *o)
{
	return READ_ONCE(o->readers.wchan.flush) && !signal_pending(current);
}

static int wait_inband(struct evl_observable *o, struct evl_observer *observer,
		       unsigned long *flags)
{
	unsigned int removals = o->removals;
	int ret;

	evl_unlock_irqrestore(observable_lock(o), *flags);
	ret = wait_event_interruptible(o->inband.queue, READ_ONCE(observer->fill) ||
				       READ_ONCE(o->removals) != removals ||
				       can_catch_up(o));
	evl_lock_irqsave(observable_lock(o), *flags);

	return o->removals != removals ? -EBADF : ret;
}

/* Lock held, which may be dropped meanwhile: 0 as soon as there are notices. */
static int wait_notices(struct evl_observable *o, struct evl_observer *observer,
			int mode, unsigned long *flags)
{
	u64 round = mode & READ_NONBLOCK ? evl_next_round(o) : EVL_ALL_ROUNDS;
	int ret = 0;

	for (;;) {
		evl_catch_up(o, observer, round, flags);
		if (ret || observer->fill)
			break;
		if (mode & READ_NONBLOCK)
			return -EAGAIN;
		ret = mode & READ_OOB ? wait_oob(o, observer, flags) :
			wait_inband(o, observer, flags);
	}

	/* What is there is had, whatever ended the wait. */
	return observer->fill ? 0 : ret;
}

/* Those from @pos on, dated as current sees the clock. */
static int put_notices(struct evl_observer *observer, u32 pos, u32 nr,
		       struct __evl_notification __user *u_nf)
{
	const struct evl_notice_record *record;
	struct __evl_notification nf = { };
	ktime_t date;

	for (; nr; nr--, u_nf++) {
		record = observer->backlog + pos;
		nf.tag = record->tag;
		nf.serial = record->serial;
		nf.issuer = record->issuer;
		nf.event = record->event;
		date = evl_date_to_user(&evl_mono_clock, record->date);
		nf.date = evl_timespec_of_ktime(date);
		if (evl_copy_to_user(u_nf, &nf, sizeof(nf)))
			return -EFAULT;
		if (++pos == observer->size)
			pos = 0;
	}

	return 0;
}

/* The first @nr are read. */
static void take_notices(struct evl_observable *o, struct evl_observer *observer, u32 nr)
{
	unsigned long flags;

	evl_lock_irqsave(observable_lock(o), flags);
	observer->rd = observer->size - observer->rd > nr ?
		observer->rd + nr : nr - (observer->size - observer->rd);
	if (observer->fill == observer->size) {
		list_add_tail(&observer->next_roomy, &o->roomy);
		evl_announce(o, EPOLLOUT | EPOLLWRNORM);
	}
	observer->fill -= nr;
	evl_sched_unlock(observable_lock(o), flags);
}

/* @nr of those which are there, some at a time: there may be millions. The number of
 * them, or -EFAULT if that is none. */
static ssize_t get_notices(struct evl_observable *o, struct evl_observer *observer,
			   u32 nr, struct __evl_notification __user *u_nf)
{
	ssize_t done = 0;
	u32 some;
	int ret;

	for (;;) {
		some = min_t(u32, nr - done, READ_BATCH);
		ret = put_notices(observer, observer->rd, some, u_nf + done);
		if (ret)
			return done ? done : ret;
		take_notices(o, observer, some);
		done += some;
		if (done == nr || evl_is_wanted_elsewhere())
			return done;
	}
}

static ssize_t read_notices(struct evl_observable *o, char __user *u_buf, size_t count,
			    int mode)
{
	size_t nr = count / sizeof(struct __evl_notification);
	struct evl_observer *observer;
	unsigned long flags;
	ssize_t ret;

	evl_lock_irqsave(observable_lock(o), flags);
	observer = evl_find_observer(o);
	if (!observer)
		ret = -ENXIO;
	else if (count % sizeof(struct __evl_notification))
		ret = -EINVAL;
	else
		ret = nr ? wait_notices(o, observer, mode, &flags) : 0;
	if (!ret)
		nr = min_t(size_t, nr, observer->fill);
	evl_unlock_irqrestore(observable_lock(o), flags);
	if (ret || !nr)
		return ret;

	ret = get_notices(o, observer, nr, (void __user *)u_buf);

	return ret < 0 ? ret : ret * (ssize_t)sizeof(struct __evl_notification);
}

ssize_t evl_read_observable(struct evl_observable *o, char __user *u_buf, size_t count,
			    bool nonblock)
{
	return read_notices(o, u_buf, count, nonblock ? READ_NONBLOCK : 0);
}
EXPORT_SYMBOL_GPL(evl_read_observable);

ssize_t evl_oob_read_observable(struct evl_observable *o, char __user *u_buf, size_t count,
				bool nonblock)
{
	return read_notices(o, u_buf, count, READ_OOB | (nonblock ? READ_NONBLOCK : 0));
}
EXPORT_SYMBOL_GPL(evl_oob_read_observable);

/* --- Polling ---------------------------------------------------------------------------- */

static __poll_t current_events(struct evl_observable *o)
{
	struct evl_observer *observer;
	unsigned long flags;
	__poll_t ready = 0;

	evl_lock_irqsave(observable_lock(o), flags);
	observer = evl_find_observer(o);
	evl_catch_up(o, observer, evl_next_round(o), &flags);
	if (!observer)
		ready |= EPOLLERR;
	else if (observer->fill)
		ready |= EPOLLIN | EPOLLRDNORM;
	if (!list_empty(&o->roomy))
		ready |= EPOLLOUT | EPOLLWRNORM;
	evl_unlock_irqrestore(observable_lock(o), flags);

	return ready;
}

__poll_t evl_poll_observable(struct evl_observable *o, struct file *filp, poll_table *pt)
{
	poll_wait(filp, &o->inband.queue, pt);

	return current_events(o);
}
EXPORT_SYMBOL_GPL(evl_poll_observable);

__poll_t evl_oob_poll_observable(struct evl_observable *o, struct evl_poll_wait *wait)
{
	evl_poll_watch(&o->poll, wait, NULL);

	return current_events(o);
}
EXPORT_SYMBOL_GPL(evl_oob_poll_observable);

/* --- Requests ---------------------------------------------------------------------------- */

static long subscribe(struct evl_observable *o, const void __user *u_arg)
{
	struct evl_subscription sub;

	if (copy_from_user(&sub, u_arg, sizeof(sub)))
		return -EFAULT;

	return evl_subscribe(o, sub.backlog_count, sub.flags);
}

long evl_ioctl_observable(struct evl_observable *o, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case EVL_OBSIOC_SUBSCRIBE:
		return subscribe(o, (const void __user *)arg);
	case EVL_OBSIOC_UNSUBSCRIBE:
		return evl_unsubscribe(o);
	default:
		return -ENOTTY;
	}
}
EXPORT_SYMBOL_GPL(evl_ioctl_observable);

/* A task which waits in-band keeps its file open. */
void evl_flush_observable_file(struct evl_observable *o, struct evl_file *file,
			       const atomic_t *nr_files)
{
	evl_flush_file_wait(&o->readers.wchan, file, nr_files);
}

void evl_flush_observable(struct evl_observable *o)
{
	unsigned long flags;

	evl_lock_irqsave(observable_lock(o), flags);
	o->removals++;
	evl_announce(o, EPOLLERR);
	evl_flush_unlock(&o->readers.wchan, EVL_T_RMID, flags);
}
EXPORT_SYMBOL_GPL(evl_flush_observable);

/* --- Files -------------------------------------------------------------------------------- */

static struct evl_observable *file_observable(struct file *filp)
{
	return container_of(evl_file_element(filp), struct evl_observable, element);
}

static bool is_nonblocking(struct file *filp)
{
	return filp->f_flags & O_NONBLOCK;
}

static ssize_t observable_read(struct file *filp, char __user *u_buf, size_t count,
			       loff_t *ppos)
{
	return evl_read_observable(file_observable(filp), u_buf, count, is_nonblocking(filp));
}

static ssize_t observable_write(struct file *filp, const char __user *u_buf, size_t count,
				loff_t *ppos)
{
	return evl_write_observable(file_observable(filp), u_buf, count);
}

static __poll_t observable_poll(struct file *filp, poll_table *pt)
{
	return evl_poll_observable(file_observable(filp), filp, pt);
}

static long observable_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	return evl_ioctl_observable(file_observable(filp), cmd, arg);
}

static ssize_t observable_oob_read(struct file *filp, char __user *u_buf, size_t count)
{
	return evl_oob_read_observable(file_observable(filp), u_buf, count,
				       is_nonblocking(filp));
}

static ssize_t observable_oob_write(struct file *filp, const char __user *u_buf, size_t count)
{
	return evl_write_observable(file_observable(filp), u_buf, count);
}

static __poll_t observable_oob_poll(struct file *filp, struct evl_poll_wait *wait)
{
	return evl_oob_poll_observable(file_observable(filp), wait);
}

static const struct file_operations observable_fops = {
	.owner = THIS_MODULE,
	.open = evl_open_element,
	.release = evl_release_element,
	.read = observable_read,
	.write = observable_write,
	.poll = observable_poll,
	.unlocked_ioctl = observable_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static const struct evl_file_ops observable_oob_ops = {
	.oob_read = observable_oob_read,
	.oob_write = observable_oob_write,
	.oob_poll = observable_oob_poll,
};

/* --- Life --------------------------------------------------------------------------------- */

static struct evl_observable *new_observable(const char *name, u32 clone_flags)
{
	struct evl_observable *o;
	int ret;

	o = kzalloc(sizeof(*o), GFP_KERNEL);
	if (!o)
		return ERR_PTR(-ENOMEM);

	evl_init_wait(&o->readers, &evl_mono_clock, EVL_WAIT_PRIO, "observable");
	evl_init_inband_waiters(&o->inband);
	evl_init_personal_poll_head(&o->poll);
	o->by_task = RB_ROOT;
	INIT_LIST_HEAD(&o->observers);
	INIT_LIST_HEAD(&o->roomy);
	evl_init_work(&o->late_work, evl_send_late);

	ret = evl_init_element(&o->element, &evl_observable_factory, name, clone_flags);
	if (ret) {
		kfree(o);
		return ERR_PTR(ret);
	}

	return o;
}

static struct evl_element *observable_build(struct evl_factory *factory, const char *name,
					    const void *attrs, u32 clone_flags)
{
	struct evl_observable *o = new_observable(name, clone_flags);

	return IS_ERR(o) ? ERR_CAST(o) : &o->element;
}

static void observable_flush(struct evl_element *element, struct evl_file *file)
{
	evl_flush_observable_file(container_of(element, struct evl_observable, element),
				  file, &element->nr_files);
}

static void observable_dispose(struct evl_element *element)
{
	struct evl_observable *o = container_of(element, struct evl_observable, element);

	evl_drop_observers(o);
	evl_destroy_inband_waiters(&o->inband);
	kfree(o);
}

struct evl_factory evl_observable_factory = {
	.name = EVL_OBSERVABLE_DEV,
	.flags = EVL_FACTORY_CLONE | EVL_FACTORY_INDEXED,
	.clone_flags = EVL_CLONE_PUBLIC | EVL_CLONE_OBSERVABLE | EVL_CLONE_UNICAST,
	.fops = &observable_fops,
	.oob_ops = &observable_oob_ops,
	.build = observable_build,
	.dispose = observable_dispose,
	.flush = observable_flush,
};

/* --- Those which no application made ------------------------------------------------------- */

/* Seen in sysfs only: there is no file which leads to it. */
static struct evl_observable *new_core_observable(const char *name, u32 clone_flags)
{
	struct evl_observable *o = new_observable(name, clone_flags);
	int ret;

	if (IS_ERR(o))
		return o;

	ret = evl_create_core_element(&o->element);
	if (ret) {
		evl_drop_element(&o->element);
		return ERR_PTR(ret);
	}

	return o;
}

struct evl_observable *evl_new_thread_observable(const char *name, u32 clone_flags)
{
	return new_core_observable(name, clone_flags & EVL_CLONE_UNICAST);
}

static char *get_name(const char __user *u_name)
{
	char *name;
	int ret;

	if (!u_name)
		return NULL;

	name = strndup_user(u_name, EVL_NAME_MAX + 2);
	if (IS_ERR(name))
		return PTR_ERR(name) == -EINVAL ? ERR_PTR(-ENAMETOOLONG) : name;

	ret = evl_check_element_name(name, 0);
	if (ret) {
		kfree(name);
		return ERR_PTR(ret == -ENOENT ? -EINVAL : ret);
	}

	return name;
}

struct evl_observable *evl_alloc_observable(const char __user *u_name, int clone_flags)
{
	struct evl_observable *o;
	char *name;
	int ret;

	if (clone_flags & ~EVL_CLONE_UNICAST)
		return ERR_PTR(-EINVAL);

	name = get_name(u_name);
	if (IS_ERR(name))
		return ERR_CAST(name);

	ret = evl_enter_service();
	if (ret) {
		kfree(name);
		return ERR_PTR(ret);
	}
	o = new_core_observable(name, clone_flags | EVL_CLONE_COREDEV);
	evl_leave_service();
	kfree(name);

	return o;
}
EXPORT_SYMBOL_GPL(evl_alloc_observable);

void evl_free_observable(struct evl_observable *o)
{
	evl_flush_observable(o);
	evl_retire_observable(o);
	evl_drop_element(&o->element);
}
EXPORT_SYMBOL_GPL(evl_free_observable);
