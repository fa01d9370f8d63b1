// SPDX-License-Identifier: GPL-2.0-only
/* Scheduling classes, the attributes of threads, and round-robin. */
#include <linux/export.h>
#include <linux/sched.h>
#include <evl/thread.h>
#include <evl/uaccess.h>
#include "core.h"
#include "queue.h"
#include "trace.h"

/* What SCHED_RR gets if it never was told a quantum. */
#define DEFAULT_RR_QUANTUM	(10 * NSEC_PER_MSEC)
/* Below, threads would get to do nothing but take turns. */
#define MIN_RR_QUANTUM		(10 * NSEC_PER_USEC)

const struct evl_sched_class evl_sched_idle = {
	.name = "idle",
	.weight = 0,
	.policy = SCHED_IDLE,
};

const struct evl_sched_class evl_sched_weak = {
	.name = "weak",
	.weight = 1,
	.policy = SCHED_WEAK,
	.index_base = 0,
	.min_prio = 0,
	.max_prio = 99,
};

const struct evl_sched_class evl_sched_fifo = {
	.name = "fifo",
	.weight = 4,
	.policy = SCHED_FIFO,
	.index_base = 128,
	.min_prio = 1,
	.max_prio = 99,
};

int evl_weighted_prio(const struct evl_sched_class *class, int prio)
{
	return class->weight * EVL_CLASS_WEIGHT_UNIT + prio;
}

/*
 * Where a thread goes which waits for the CPU: to the tail of its new priority if
 * it gains, or was asked to change. One which loses what it had been lent goes
 * to the head: it was ahead of all of those before.
 */
enum place { TAIL, HEAD };

static void set_effective(struct evl_thread *thread, const struct evl_sched_class *class,
			  int prio, enum place place)
{
	struct evl_rq *rq = thread->rq;
	bool ready = thread->state & EVL_T_READY;

	evl_tracepoint(evl_thread_update_prio, thread, class, prio);
	if (ready)
		evl_dequeue_thread(rq, thread);

	thread->class = class;
	thread->cprio = prio;
	thread->wprio = evl_weighted_prio(class, prio);
	thread->rq_index = evl_rq_index(class, prio);

	if (ready && place == HEAD)
		evl_enqueue_thread_head(rq, thread);
	else if (ready)
		evl_enqueue_thread(rq, thread);

	/* Whoever waits for its turn all the same bothers nobody. */
	if (!(thread->state & EVL_THREAD_BLOCK_BITS) &&
	    (thread == rq->curr || evl_may_preempt(rq, thread)))
		evl_set_resched(rq);
}

/* The in-band policy which goes with the base one. */
static void inband_params(struct evl_thread *thread, int *policy, int *prio)
{
	*prio = thread->bprio;
	*policy = *prio ? SCHED_FIFO : SCHED_NORMAL;
}

void evl_boost_thread_locked(struct evl_thread *thread,
			     const struct evl_sched_class *class, int prio)
{
	int policy, inband_prio, old = thread->wprio;

	if (class) {
		thread->state |= EVL_T_BOOST;
	} else {
		thread->state &= ~EVL_T_BOOST;
		class = thread->base_class;
		prio = thread->bprio;
	}
	set_effective(thread, class, prio,
		      evl_weighted_prio(class, prio) < old ? HEAD : TAIL);

	/* How it ranks in Linux depends on that, if we run as Linux tasks. */
	if (thread->state & EVL_T_WEAK) {
		inband_params(thread, &policy, &inband_prio);
		host_params_changed(&thread->host, policy, inband_prio);
	}
}

/* What a request for a policy comes down to. */
struct policy_change {
	const struct evl_sched_class *class;
	int prio;
	bool rr;
	ktime_t quantum;	/* 0 to keep it */
};

static int check_rr(struct policy_change *pc, const struct evl_sched_attrs *attrs)
{
	int ret;

	pc->rr = true;
	ret = evl_ktime_of_timespec(&pc->quantum, &attrs->sched_rr_quantum);
	if (ret)
		return ret;
	if (pc->quantum && pc->quantum < MIN_RR_QUANTUM)
		return -EINVAL;

	return 0;
}

static int check_policy(struct policy_change *pc,
			const struct evl_sched_attrs *attrs)
{
	int ret = 0;

	memset(pc, 0, sizeof(*pc));
	pc->prio = attrs->sched_priority;

	switch (attrs->sched_policy) {
	case SCHED_NORMAL:
		if (pc->prio)
			return -EINVAL;
		fallthrough;
	case SCHED_WEAK:
		pc->class = &evl_sched_weak;
		break;
	case SCHED_RR:
		ret = check_rr(pc, attrs);
		fallthrough;
	case SCHED_FIFO:
		pc->class = &evl_sched_fifo;
		break;
	case SCHED_QUOTA:
	case SCHED_TP:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}

	if (pc->prio < pc->class->min_prio || pc->prio > pc->class->max_prio)
		return -EINVAL;

	return ret;
}

static void apply_policy(struct evl_thread *thread,
			 const struct policy_change *pc)
{
	thread->base_class = pc->class;
	thread->bprio = pc->prio;

	if (pc->class == &evl_sched_weak)
		thread->state |= EVL_T_WEAK;
	else
		thread->state &= ~EVL_T_WEAK;

	if (pc->rr) {
		thread->state |= EVL_T_RRB;
		if (pc->quantum)
			thread->rr_quantum = pc->quantum;
		else if (!thread->rr_quantum)
			thread->rr_quantum = DEFAULT_RR_QUANTUM;
	} else {
		thread->state &= ~EVL_T_RRB;
	}

	/* A boost stays above the base priority; gates see to it afterwards. */
	if (!(thread->state & EVL_T_BOOST) ||
	    evl_weighted_prio(pc->class, pc->prio) > thread->wprio)
		set_effective(thread, pc->class, pc->prio, TAIL);

	if (thread == thread->rq->curr)
		evl_start_quantum(thread->rq, thread);
}

int evl_set_thread_policy(struct evl_thread *thread,
			  const struct evl_sched_attrs *attrs)
{
	struct policy_change pc;
	unsigned long flags;
	struct evl_rq *rq;
	int ret, policy, prio;

	ret = check_policy(&pc, attrs);
	if (ret)
		return ret;

	rq = evl_lock_thread_rq_irqsave(thread, flags);
	/* Whoever asked may have been kept from coming here for long. */
	if (unlikely(thread->state & EVL_T_ZOMBIE)) {
		evl_unlock_irqrestore(&rq->lock, flags);
		return -ESTALE;
	}
	apply_policy(thread, &pc);
	thread->info |= EVL_T_SCHEDP;
	inband_params(thread, &policy, &prio);
	host_params_changed(&thread->host, policy, prio);
	evl_sched_unlock(&rq->lock, flags);

	evl_update_effective(thread);

	return 0;
}

/* How often they may change while they are being told to Linux. */
#define PROPAGATE_TRIES	3

static noinline void propagate(struct evl_thread *curr)
{
	unsigned long flags;
	int policy, prio, n;
	struct evl_rq *rq;

	/* Others may go on changing them: what comes late is for the next time. */
	for (n = 0; n < PROPAGATE_TRIES && READ_ONCE(curr->info) & EVL_T_SCHEDP; n++) {
		rq = evl_lock_thread_rq_irqsave(curr, flags);
		curr->info &= ~EVL_T_SCHEDP;
		inband_params(curr, &policy, &prio);
		evl_unlock_irqrestore(&rq->lock, flags);
		host_set_inband_prio(&curr->host, policy, prio);
	}
}

void evl_propagate_params(struct evl_thread *curr)
{
	if (unlikely(READ_ONCE(curr->info) & EVL_T_SCHEDP) && preemptible())
		propagate(curr);
}

/* The rest of @attrs is zero. */
static void fill_attrs(struct evl_thread *thread, struct evl_sched_attrs *attrs,
		       const struct evl_sched_class *class, int prio)
{
	attrs->sched_policy = class->policy;
	attrs->sched_priority = prio;
	if (class == &evl_sched_fifo && thread->state & EVL_T_RRB) {
		attrs->sched_policy = SCHED_RR;
		attrs->sched_rr_quantum =
			evl_timespec_of_ktime(thread->rr_quantum);
	}
}

void evl_get_thread_policy(struct evl_thread *thread,
			   struct evl_sched_attrs *attrs)
{
	unsigned long flags;
	struct evl_rq *rq;

	memset(attrs, 0, sizeof(*attrs));
	rq = evl_lock_thread_rq_irqsave(thread, flags);
	fill_attrs(thread, attrs, thread->base_class, thread->bprio);
	evl_unlock_irqrestore(&rq->lock, flags);
}
EXPORT_SYMBOL_GPL(evl_get_thread_policy);

void evl_fill_effective_locked(struct evl_thread *thread,
			       struct evl_sched_attrs *attrs)
{
	fill_attrs(thread, attrs, thread->class, thread->cprio);
}

/* --- Round-robin ------------------------------------------------------------ */

void evl_start_quantum(struct evl_rq *rq, struct evl_thread *next)
{
	if (next->state & EVL_T_RRB)
		evl_start_timer(&rq->rr_timer,
				ktime_add_safe(evl_ktime_monotonic(),
					       next->rr_quantum), 0);
	else if (evl_timer_is_running(&rq->rr_timer))
		evl_stop_timer(&rq->rr_timer);
}

/* The quantum of curr elapsed: to the tail of its group, and a new quantum
 * unless somebody else is picked. */
static void quantum_elapsed(struct evl_timer *timer)
{
	struct evl_rq *rq = container_of(timer, struct evl_rq, rr_timer);
	struct evl_thread *curr;

	raw_spin_lock(&rq->lock);
	curr = rq->curr;
	if (curr->state & EVL_T_RRB) {
		if (!(curr->state & (EVL_THREAD_BLOCK_BITS | EVL_T_READY))) {
			evl_enqueue_thread(rq, curr);
			evl_set_resched(rq);
		}
		evl_start_quantum(rq, curr);
	}
	raw_spin_unlock(&rq->lock);
}

void evl_init_quantum(struct evl_rq *rq)
{
	evl_init_timer_on_cpu(&rq->rr_timer, &evl_mono_clock, rq->cpu,
			      quantum_elapsed, EVL_GRAVITY_NONE);
}

void evl_exit_quantum(struct evl_rq *rq)
{
	evl_destroy_timer(&rq->rr_timer);
}
