// SPDX-License-Identifier: GPL-2.0-only
/* What /sys/devices/virtual/thread tells of a thread. */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/ctype.h>
#include <linux/math64.h>
#include <linux/pid.h>
#include <linux/sysfs.h>
#include <evl/thread.h>
#include "element/thread/thread.h"

/*
 * The thread element behind @dev, or NULL if there is none (clone device), or
 * none which is alive. It stays valid until the attribute handler returns.
 */
static struct evl_thread_element *living(struct device *dev)
{
	struct evl_element *element = evl_dev_element(dev);
	struct evl_thread_element *te;

	if (!element)
		return NULL;

	te = evl_thread_element(element);

	return evl_thread_alive(&te->thread) ? te : NULL;
}

#define THREAD_ATTR(__name)						\
static ssize_t __name##_show(struct device *dev,			\
			     struct device_attribute *attr, char *buf)	\
{									\
	struct evl_thread_element *te = living(dev);			\
									\
	return te ? show_##__name(te, buf) : -EIO;			\
}									\
static DEVICE_ATTR_RO(__name)

static ssize_t show_state(struct evl_thread_element *te, char *buf)
{
	u32 state = READ_ONCE(te->thread.state);

	return sysfs_emit(buf, "%#x\n", te->observable ? state | EVL_T_OBSERV : state);
}
THREAD_ATTR(state);

static ssize_t show_sched(struct evl_thread_element *te, char *buf)
{
	const struct evl_sched_class *class;
	struct evl_thread *thread = &te->thread;
	int cpu, bprio, cprio, len;
	unsigned long flags;
	struct evl_rq *rq;
	ktime_t quantum;
	bool rr;

	rq = evl_lock_thread_rq_irqsave(thread, flags);
	cpu = rq->cpu;
	class = thread->class;
	bprio = thread->bprio;
	cprio = thread->cprio;
	rr = class == &evl_sched_fifo && thread->state & EVL_T_RRB;
	quantum = thread->rr_quantum;
	evl_unlock_irqrestore(&rq->lock, flags);

	len = sysfs_emit(buf, "%d %d %d %s", cpu, bprio, cprio,
			 rr ? "rr" : class->name);
	if (rr)
		len += sysfs_emit_at(buf, len, " %lld", ktime_to_ns(quantum));

	return len + sysfs_emit_at(buf, len, "\n");
}
THREAD_ATTR(sched);

static ssize_t show_timeout(struct evl_thread_element *te, char *buf)
{
	struct evl_thread *thread = &te->thread;
	u32 state = READ_ONCE(thread->state);
	ktime_t left = 0;

	if (state & EVL_T_DELAY)
		left = evl_get_timer_delta(&thread->rtimer);

	return sysfs_emit(buf, "%llu\n", ktime_to_ns(left));
}
THREAD_ATTR(timeout);

/*
 * Share of a CPU since the last readout, in 1/1000, and the execution time which
 * it is about in @exectime. The time and its date are read as one: whoever is
 * preempted in between would charge the next readout, or this one, with the
 * difference.
 */
static u64 take_usage(struct evl_thread *thread, ktime_t *exectime)
{
	ktime_t now, elapsed, used;
	unsigned long flags;
	struct evl_rq *rq;

	rq = evl_lock_thread_rq_irqsave(thread, flags);
	*exectime = evl_exectime_locked(rq, thread);
	now = evl_ktime_monotonic();
	elapsed = ktime_sub(now, thread->stat_date);
	used = ktime_sub(*exectime, thread->stat_exectime);
	thread->stat_date = now;
	thread->stat_exectime = *exectime;
	evl_unlock_irqrestore(&rq->lock, flags);

	/* The clock may be coarse. */
	if (elapsed <= 0 || used <= 0)
		return 0;
	if (used >= elapsed)
		return 1000;

	return mul_u64_u64_div_u64(used, 1000, elapsed);
}

static ssize_t show_stats(struct evl_thread_element *te, char *buf)
{
	struct evl_thread *thread = &te->thread;
	ktime_t exectime;
	u64 usage = take_usage(thread, &exectime);

	return sysfs_emit(buf, "%u %u %u %u %lld %llu\n",
			  READ_ONCE(thread->stat.isw),
			  READ_ONCE(thread->stat.csw),
			  READ_ONCE(thread->stat.sc),
			  READ_ONCE(thread->stat.rwa),
			  ktime_to_ns(exectime), usage);
}
THREAD_ATTR(stats);

static ssize_t show_pid(struct evl_thread_element *te, char *buf)
{
	return sysfs_emit(buf, "%d\n", pid_vnr(te->pid));
}
THREAD_ATTR(pid);

static ssize_t show_observable(struct evl_thread_element *te, char *buf)
{
	return sysfs_emit(buf, "%d\n",
			  !!te->observable);
}
THREAD_ATTR(observable);

/* A channel outlives the stay of a thread, whose run queue lock ends it. */
static void copy_wchan_name(struct evl_thread *thread, char *name, size_t size)
{
	unsigned long flags;
	struct evl_rq *rq;

	rq = evl_lock_thread_rq_irqsave(thread, flags);
	strscpy(name, thread->wchan ? thread->wchan->name : "-", size);
	evl_unlock_irqrestore(&rq->lock, flags);
}

static ssize_t show_wchan(struct evl_thread_element *te, char *buf)
{
	char name[64], *p;

	/* It says more of a program than its neighbours should know. */
	if (!capable(CAP_SYS_ADMIN) &&
	    !uid_eq(current_euid(), te->element.uid))
		return -EPERM;

	copy_wchan_name(&te->thread, name, sizeof(name));
	for (p = name; *p; p++)
		if (isspace(*p))
			*p = '_';

	return sysfs_emit(buf, "%s\n", name);
}
THREAD_ATTR(wchan);

static struct attribute *thread_attrs[] = {
	&dev_attr_state.attr,
	&dev_attr_sched.attr,
	&dev_attr_timeout.attr,
	&dev_attr_stats.attr,
	&dev_attr_pid.attr,
	&dev_attr_observable.attr,
	&dev_attr_wchan.attr,
	NULL,
};

static const struct attribute_group thread_group = {
	.attrs = thread_attrs,
};

const struct attribute_group *evl_thread_groups[] = {
	&thread_group,
	NULL,
};
