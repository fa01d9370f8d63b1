// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads of drivers.
 *
 * The thread makes its own element, as a user thread does, then reports to its
 * creator, who waits for that in-band. struct evl_kthread keeps a reference to
 * the core's thread until the driver stops or joins it, so that both may come
 * when the thread is long gone. Nobody may do so twice, or concurrently.
 */
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <evl/assert.h>
#include <evl/kthread.h>
#include "element/thread/thread.h"

/* On the stack of the creator, until ready completes. */
struct startup {
	struct evl_kthread *kthread;
	const char *name;
	u32 clone_flags;
	int error;
	struct completion ready;
};

static int set_priority(struct evl_thread *thread, int priority)
{
	struct evl_sched_attrs attrs = {
		.sched_policy = priority > 0 ? SCHED_FIFO : SCHED_WEAK,
		.sched_priority = priority > 0 ? priority : 0,
	};

	return evl_set_thread_policy(thread, &attrs);
}

/* Current becomes @te, which the world may see afterwards. */
static int attach_kthread(struct evl_thread_element *te, int priority)
{
	int ret;

	ret = evl_attach_thread_element(te);
	if (ret) {
		evl_discard_thread_element(te);
		return ret;
	}

	ret = set_priority(&te->thread, priority) ?:
		evl_create_core_element(&te->element);
	if (ret)
		evl_detach_self();

	/* From now on, or until it is detached, it holds itself. */
	evl_drop_element(&te->element);

	return ret;
}

static int create_thread(struct startup *startup)
{
	struct evl_kthread *kthread = startup->kthread;
	struct evl_thread_element *te;
	int ret;

	te = evl_new_thread_element(startup->name, startup->clone_flags, kthread);
	if (IS_ERR(te))
		return PTR_ERR(te);

	evl_get_thread(&te->thread);
	ret = attach_kthread(te, kthread->priority);
	if (ret) {
		evl_put_thread(&te->thread);
		return ret;
	}
	kthread->te = te;

	return 0;
}

static int run_kthread(void *data)
{
	struct startup *startup = data;
	struct evl_kthread *kthread = startup->kthread;
	int ret;

	ret = create_thread(startup);
	startup->error = ret;
	if (ret)
		kthread_complete_and_exit(&startup->ready, 0);

	complete(&startup->ready);

	/* Kernel threads ignore signals: none may be in the way. */
	if (!WARN_ON_ONCE(evl_switch_oob())) {
		kthread->fn(kthread->arg);
		if (evl_current_oob())
			evl_switch_inband(0, 0);
	}
	evl_detach_self();

	/* The driver, and this module, may vanish as soon as it knows. */
	kthread_complete_and_exit(&kthread->ended, 0);
}

static int spawn(struct evl_kthread *kthread, int cpu, const char *name,
		 int clone_flags)
{
	struct startup startup = {
		.kthread = kthread,
		.name = name,
		.clone_flags = clone_flags | EVL_CLONE_COREDEV,
	};
	struct task_struct *task;

	init_completion(&startup.ready);
	task = kthread_create(run_kthread, &startup, "%s", name);
	if (IS_ERR(task))
		return PTR_ERR(task);

	kthread_bind(task, cpu);
	wake_up_process(task);
	wait_for_completion(&startup.ready);

	return startup.error;
}

/* -EINVAL if threads may not use @cpu. */
static int pick_cpu(int cpu)
{
	if (cpu < 0) {
		cpu = raw_smp_processor_id();
		if (!cpumask_test_cpu(cpu, &evl_oob_cpus))
			cpu = cpumask_first(&evl_oob_cpus);
	}

	if (cpu >= nr_cpu_ids || !cpumask_test_cpu(cpu, &evl_oob_cpus))
		return -EINVAL;

	return cpu;
}

static int start_kthread(struct evl_kthread *kthread, int cpu,
			 int clone_flags, const char *name)
{
	int ret;

	ret = evl_check_element_name(name, clone_flags);
	if (ret)
		return ret == -ENOENT ? -EINVAL : ret;

	ret = evl_enter_service();
	if (ret)
		return ret;

	ret = spawn(kthread, cpu, name, clone_flags);
	evl_leave_service();

	return ret;
}

int __evl_run_kthread(struct evl_kthread *kthread, int cpu,
		      void (*fn)(void *arg), void *arg, int priority,
		      int clone_flags, const char *fmt, ...)
{
	va_list ap;
	char *name;
	int ret;

	if (!evl_caller_is_inband())
		return -EPERM;

	cpu = pick_cpu(cpu);
	if (cpu < 0 || !fmt || priority > evl_sched_fifo.max_prio ||
	    clone_flags & ~evl_thread_factory.clone_flags ||
	    evl_check_thread_flags(clone_flags))
		return -EINVAL;

	va_start(ap, fmt);
	name = kvasprintf(GFP_KERNEL, fmt, ap);
	va_end(ap);
	if (!name)
		return -ENOMEM;

	kthread->fn = fn;
	kthread->arg = arg;
	kthread->priority = priority;
	kthread->te = NULL;
	init_completion(&kthread->ended);

	ret = start_kthread(kthread, cpu, clone_flags, name);
	kfree(name);

	return ret;
}
EXPORT_SYMBOL_GPL(__evl_run_kthread);

void evl_join_kthread(struct evl_kthread *kthread)
{
	/* It never started, or was joined. */
	if (!kthread->te || WARN_ON_ONCE(evl_current_oob()))
		return;

	wait_for_completion(&kthread->ended);
	evl_put_thread(&kthread->te->thread);
	kthread->te = NULL;
}
EXPORT_SYMBOL_GPL(evl_join_kthread);

void evl_stop_kthread(struct evl_kthread *kthread)
{
	struct evl_thread_element *te = kthread->te;

	if (!te || WARN_ON_ONCE(evl_current_oob()))
		return;

	WRITE_ONCE(te->stopping, true);

	/* It may have been in-band, or about to sleep, when kicked. */
	do
		evl_kick_thread(&te->thread);
	while (!wait_for_completion_timeout(&kthread->ended, EVL_STOP_RETRY));

	evl_put_thread(&te->thread);
	kthread->te = NULL;
}
EXPORT_SYMBOL_GPL(evl_stop_kthread);

static struct evl_thread_element *current_kthread_element(void)
{
	struct evl_thread *curr = evl_current();
	struct evl_thread_element *te;

	if (!curr)
		return NULL;

	te = evl_element_of_thread(curr);

	return te->kthread ? te : NULL;
}

bool evl_kthread_should_stop(void)
{
	struct evl_thread_element *te = current_kthread_element();

	return te && READ_ONCE(te->stopping);
}
EXPORT_SYMBOL_GPL(evl_kthread_should_stop);

struct evl_kthread *evl_current_kthread(void)
{
	struct evl_thread_element *te = current_kthread_element();

	return te ? te->kthread : NULL;
}
EXPORT_SYMBOL_GPL(evl_current_kthread);

int evl_set_kthread_priority(struct evl_kthread *kthread, int priority)
{
	if (!kthread->te)
		return -EINVAL;

	return set_priority(&kthread->te->thread, priority);
}
EXPORT_SYMBOL_GPL(evl_set_kthread_priority);

void evl_unblock_kthread(struct evl_kthread *kthread, int reason)
{
	if (kthread->te)
		evl_unblock_thread(&kthread->te->thread, reason);
}
EXPORT_SYMBOL_GPL(evl_unblock_kthread);
