// SPDX-License-Identifier: GPL-2.0-only
/*
 * Life of threads: attachment of the current task, departure, references.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <evl/assert.h>
#include <evl/thread.h>
#include <evl/process.h>
#include "core.h"
#include "ptsync.h"
#include "queue.h"

static atomic_t nr_attached;

unsigned int evl_count_threads(void)
{
	return atomic_read(&nr_attached);
}

static void timed_out(struct evl_timer *timer)
{
	evl_time_out(container_of(timer, struct evl_thread, rtimer));
}

static void note_migration(struct irq_work *work)
{
	evl_note_migration(container_of(work, struct evl_thread, migrate_work));
}

static void dispose_thread(struct evl_work *work)
{
	struct evl_thread *thread =
		container_of(work, struct evl_thread, release_work);
	bool attached = thread->host.task;

	evl_destroy_timer(&thread->rtimer);
	irq_work_sync(&thread->migrate_work);
	evl_exit_health(thread);

	if (attached) {
		host_destroy_task(&thread->host);
		put_task_struct(thread->host.task);
		if (thread->process)
			evl_put_process(thread->process);
	}

	/* May free it. Pending work keeps the module: see evl_exit_threads(). */
	thread->release(thread);
	if (attached)
		module_put(THIS_MODULE);
}

/* Others take the CPU as they like, unlike from who is exiting. */
static void drop_mutexes(struct evl_work *work)
{
	struct evl_thread *thread =
		container_of(work, struct evl_thread, drop_work);

	while (!evl_drop_owned_mutexes(thread, UINT_MAX))
		schedule_timeout_uninterruptible(1);
	evl_put_thread(thread);
}

void evl_put_thread(struct evl_thread *thread)
{
	if (refcount_dec_and_test(&thread->refs))
		evl_call_inband(&thread->release_work);
}

void evl_init_thread(struct evl_thread *thread, const char *name,
		     void (*release)(struct evl_thread *),
		     void (*exited)(struct evl_thread *))
{
	int cpu = cpumask_first(&evl_oob_cpus);

	memset(thread, 0, sizeof(*thread));
	thread->rq = evl_cpu_rq(cpu);
	thread->state = EVL_T_DORMANT | EVL_T_INBAND | EVL_T_WEAK;
	thread->base_class = &evl_sched_weak;
	thread->class = &evl_sched_weak;
	thread->rq_index = evl_rq_index(&evl_sched_weak, 0);
	thread->wprio = evl_sched_weak.weight * EVL_CLASS_WEIGHT_UNIT;
	thread->name = name;
	thread->release = release;
	thread->exited = exited;
	INIT_LIST_HEAD(&thread->rq_next);
	INIT_LIST_HEAD(&thread->owned);
	INIT_LIST_HEAD(&thread->walk_next);
	evl_init_timer_on_cpu(&thread->rtimer, &evl_mono_clock, cpu, timed_out,
			      EVL_GRAVITY_USER);
	thread->migrate_work = IRQ_WORK_INIT_HARD(note_migration);
	evl_init_work(&thread->drop_work, drop_mutexes);
	evl_init_work(&thread->release_work, dispose_thread);
	evl_init_health(thread);
	refcount_set(&thread->refs, 1);
}

/* Page faults are no option out-of-band. */
static bool memory_is_locked(void)
{
	return current->mm && current->mm->def_flags & VM_LOCKED;
}

/*
 * The CPU it runs on, if that is for threads, or another one of its affinity. Where
 * CPUs are set aside for threads (isolcpus=), it has none of these until it is
 * moved there: its affinity may be overridden, unless it stands for a cpuset too.
 */
static int pick_cpu(void)
{
	int cpu = raw_smp_processor_id();

	if (cpumask_test_cpu(cpu, &evl_oob_cpus))
		return cpu;

	cpu = cpumask_first_and(&current->cpus_mask, &evl_oob_cpus);

	if (cpu >= nr_cpu_ids && !host_is_confined())
		cpu = cpumask_first(&evl_oob_cpus);

	return cpu;
}

static int pin_current(struct evl_thread *thread)
{
	int cpu, ret;

	cpu = pick_cpu();
	if (cpu >= nr_cpu_ids)
		return -EINVAL;

	ret = set_cpus_allowed_ptr(current, cpumask_of(cpu));
	if (ret)
		return -EINVAL;

	thread->rq = evl_cpu_rq(cpu);
	evl_move_timer(&thread->rtimer, &evl_mono_clock, cpu);

	return 0;
}

static int check_user(struct evl_thread *thread)
{
	if (!memory_is_locked())
		return -EINVAL;

	thread->process = evl_get_process();
	if (!thread->process)
		return -EPERM;

	thread->state |= EVL_T_USER;

	return 0;
}

int evl_attach_current(struct evl_thread *thread)
{
	bool user = !(current->flags & PF_KTHREAD);
	int ret;

	if (host_current())
		return -EBUSY;
	if (!try_module_get(THIS_MODULE))
		return -ENODEV;

	ret = user ? check_user(thread) : 0;
	if (ret)
		goto put_module;

	ret = host_init_task(&thread->host);
	if (ret)
		goto put_process;

	/* The last to fail: the task keeps its CPUs then. */
	ret = pin_current(thread);
	if (ret)
		goto destroy_task;

	if (!user)
		thread->rtimer.gravity_type = EVL_GRAVITY_KERNEL;

	thread->host.task = get_task_struct(current);
	evl_get_thread(thread);

	atomic_inc(&nr_attached);
	thread->state &= ~EVL_T_DORMANT;
	if (user)
		evl_enter_process(thread);
	host_attach_task(&thread->host);
	evl_sync_window(thread);

	return 0;

destroy_task:
	host_destroy_task(&thread->host);
	/* It was not attached: see dispose_thread(). */
	thread->host.task = NULL;
put_process:
	if (thread->process)
		evl_put_process(thread->process);
	thread->process = NULL;
put_module:
	module_put(THIS_MODULE);

	return ret;
}

/* How many mutexes an exiting thread drops by itself: it may hold up its CPU, as
 * hosts may call this with preemption disabled. */
#define DROP_AT_ONCE	32

/*
 * Current, which is in-band, leaves. Atomic: what may sleep is left to the last
 * reference.
 */
void evl_exit_current(struct host_task *h)
{
	struct evl_thread *curr = evl_thread_of_host(h);
	unsigned long flags;
	struct evl_rq *rq;

	evl_assert(evl_is_inband(curr));

	/* Whoever waits is out-of-band, and comes here in-band. But a freed thread in
	 * a line would be the end of all. */
	if (WARN_ON_ONCE(curr->wchan || curr->state & EVL_THREAD_WAIT_BITS))
		evl_unblock_thread(curr, EVL_T_BREAK);

	host_detach_task(h);
	if (curr->process)
		evl_leave_process(curr);
	rq = evl_lock_thread_rq_irqsave(curr, flags);
	evl_hold_thread_locked(curr, EVL_T_ZOMBIE);
	evl_sched_unlock(&rq->lock, flags);
	if (!evl_drop_owned_mutexes(curr, DROP_AT_ONCE)) {
		evl_get_thread(curr);
		evl_call_inband(&curr->drop_work);
	}

	atomic_dec(&nr_attached);
	if (curr->exited)
		curr->exited(curr);

	evl_put_thread(curr);
}

int evl_detach_current(void)
{
	struct evl_thread *curr = evl_current();

	if (!curr)
		return -EPERM;

	if (!evl_is_inband(curr))
		evl_switch_inband(0, 0);

	evl_exit_current(&curr->host);

	return 0;
}

void evl_exit_threads(void)
{
	/* Threads are freed after a grace period. */
	rcu_barrier();
}
