// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gated events, i.e. condition variables of user space. Signaling one takes no
 * request: marks are left in the shared states of the event and of its gate,
 * which has the owner leave the gate through the core: see gate.c.
 *
 * Locking: that of the gate goes first. From an event, its gate can be tried,
 * and cannot vanish meanwhile, since that takes the lock of each of its events.
 *
 * A waiter falls asleep before it drops the gate, in one go: whoever gets the
 * gate afterwards finds it in line, and gate_offset set.
 */
#include <linux/sched/signal.h>
#include <evl/thread.h>
#include "core/core.h"
#include "element/monitor/monitor.h"

static void waiter_removed(struct evl_wait_channel *wchan, struct evl_thread *waiter,
			   struct evl_chain_walk *walk)
{
	if (!evl_wait_active(wchan))
		evl_reset_gate_offset(container_of(wchan, struct evl_event,
						   wchan));
}

void evl_init_gated(struct evl_monitor *mon)
{
	struct evl_event *event = &mon->event;

	evl_init_wchan(&event->wchan, "event");
	event->wchan.removed = waiter_removed;
	event->gate = NULL;
	evl_reset_gate_offset(event);
}

void evl_flush_gated(struct evl_monitor *mon, struct evl_file *file)
{
	struct evl_event *event = &mon->event;
	unsigned long flags;

	evl_flush_file_wait(&event->wchan, file, &mon->element.nr_files);

	evl_lock_irqsave(&event->wchan.lock, flags);
	if (!evl_wait_active(&event->wchan))
		evl_reset_gate_offset(event);
	evl_unlock_irqrestore(&event->wchan.lock, flags);
}

/*
 * Have @event, locked, leave the list of a gate, against the order of locks.
 * False to unlock and try again.
 */
static bool leave_gate(struct evl_event *event)
{
	struct evl_monitor *gate = event->gate;

	if (!gate)
		return true;

	if (!raw_spin_trylock(&gate->gate.mutex.wchan.lock))
		return false;

	evl_quit_gate(event);
	raw_spin_unlock(&gate->gate.mutex.wchan.lock);

	return true;
}

void evl_destroy_gated(struct evl_monitor *mon)
{
	struct evl_event *event = &mon->event;
	unsigned long flags;
	bool done;
	int n;

	for (n = 1;; n++) {
		evl_lock_irqsave(&event->wchan.lock, flags);
		done = leave_gate(event);
		evl_unlock_irqrestore(&event->wchan.lock, flags);
		if (done)
			return;
		/* Others may keep the gate busy, and rely on this worker. */
		if (n % EVL_LOCK_TRIES)
			cpu_relax();
		else
			schedule_timeout_uninterruptible(1);
	}
}

/* --- Waiting ----------------------------------------------------------------------- */

/* Both locked. 0, -EBADFD, -EAGAIN to unlock and try again. */
static int join_gate(struct evl_event *event, struct evl_monitor *gate)
{
	if (event->gate == gate)
		return 0;

	if (event->gate && evl_wait_active(&event->wchan))
		return -EBADFD;

	if (!leave_gate(event))
		return -EAGAIN;

	event->gate = gate;
	list_add(&event->next, &gate->gate.events);

	return 0;
}

/* Gate locked, and owned. As join_gate(), or what made the wait end at once. */
static int fall_asleep(struct evl_monitor *mon, struct evl_monitor *gate,
		       ktime_t timeout)
{
	struct evl_event *event = &mon->event;
	int ret;

	raw_spin_lock(&event->wchan.lock);
	ret = join_gate(event, gate) ?:
		__evl_sleep_on(&event->wchan, mon->clock, timeout, EVL_ABS, true);
	/* Others may keep its former gate busy for long. */
	if (unlikely(ret == -EAGAIN) && evl_is_called_away())
		ret = -EINTR;
	if (!ret)
		WRITE_ONCE(mon->state->u.event.gate_offset,
			   gate->element.state_offset);
	else if (event->gate == gate && !evl_wait_active(&event->wchan))
		evl_quit_gate(event);
	raw_spin_unlock(&event->wchan.lock);

	return ret;
}

/*
 * Drop the gate and wait. *@dropped tells whether that happened: not if there
 * is something wrong, or the time is over already.
 */
static int drop_and_wait(struct evl_monitor *mon, struct evl_monitor *gate,
			 ktime_t timeout, bool *dropped)
{
	struct evl_mutex *mutex = &gate->gate.mutex;
	struct evl_chain_walk walk;
	bool go_on = false;
	unsigned long flags;
	int ret;

	/* A fault may have sent it in-band. If a signal keeps it there, that ends
	 * the wait as if it had come later. */
	if (unlikely(evl_is_inband(evl_current())))
		evl_switch_oob();

	do {
		evl_begin_walk(&walk);
		evl_lock_irqsave(&mutex->wchan.lock, flags);
		ret = -EPERM;
		if (evl_mutex_owner(mutex) == evl_current()->fundle) {
			/* These are for threads which were there before. */
			if (evl_deliver_signals(gate, go_on))
				ret = -EAGAIN;
			/* Nobody could wake up who waits with a closed gate. */
			else if (mutex->dead)
				ret = -EIDRM;
			else
				ret = fall_asleep(mon, gate, timeout);
		}
		*dropped = !ret || ret == -EINTR || ret == -EIDRM;
		if (*dropped)
			evl_release_mutex_locked(mutex, &walk);
		evl_put_mutex_lock(mutex, &walk, flags);
		go_on = true;
	} while (ret == -EAGAIN);

	return ret ?: evl_wait_schedule(&mon->event.wchan);
}

/* Back into the gate, whose owner may be about to close the event: that ends waits
 * for the event, and no longer this one. */
static long enter_again(struct evl_monitor *gate)
{
	long ret = evl_trylock_mutex(&gate->gate.mutex);

	if (ret != -EBUSY)
		return ret;

	evl_unpin_request_file();

	return evl_lock_mutex(&gate->gate.mutex);
}

/* How it went, once the gate was dropped; gets it back where it has to. */
static long end_wait(struct evl_monitor *gate, int waited, int *status)
{
	struct evl_thread *curr = evl_current();
	long ret;

	/*
	 * The caller is going to handle the signal without the gate. What it waits
	 * for may be signaled meanwhile, with nobody in line: for all it knows, it
	 * was. Upstream says 0 here, for which libraries wait again at once.
	 */
	if (waited == -EINTR && signal_pending(current)) {
		curr->local_info |= EVL_T_NORST;
		*status = -EAGAIN;
		return -EINTR;
	}

	*status = waited;
	if (waited == -EIDRM)
		return -EIDRM;

	ret = enter_again(gate);
	if (ret == -EINTR) {
		curr->local_info |= EVL_T_NORST;
		*status = waited ?: -EAGAIN;
	}

	return ret;
}

/* Neither of the monitors is pinned by its file for long, which may be closed
 * while we sleep. */
long evl_wait_gated(struct evl_monitor *mon, int gatefd, ktime_t timeout,
		    int *status)
{
	struct evl_monitor *gate;
	bool dropped;
	long ret = 0;

	if (gatefd < 0) {
		*status = -EINVAL;
		return -EINVAL;
	}

	gate = evl_get_monitor(gatefd);
	if (!gate) {
		*status = -EINVAL;
		return 0;
	}

	if (gate->kind == MONITOR_GATE) {
		*status = drop_and_wait(mon, gate, timeout, &dropped);
		if (dropped)
			ret = end_wait(gate, *status, status);
	} else {
		*status = -EINVAL;
	}
	evl_put_element(&gate->element);

	return ret;
}

/* --- Targeted signals ------------------------------------------------------------------ */

static int mark_waiter(struct evl_monitor *mon, struct evl_thread *thread)
{
	struct evl_event *event = &mon->event;
	struct evl_wait_channel *wchan;
	bool waits = false;
	unsigned long flags;
	struct evl_rq *rq;

	if (!evl_lock_thread_wchan(thread, &wchan, &rq, &flags))
		return evl_put_off_request();

	if (wchan == &event->wchan) {
		/* At the head, whoever delivers signals need not look for it. */
		evl_put_first(wchan, thread);
		thread->info |= EVL_T_SIGNAL;
		waits = true;
	}
	raw_spin_unlock(&rq->lock);

	if (waits) {
		atomic_or(EVL_MONITOR_TARGETED | EVL_MONITOR_SIGNALED,
			  evl_monitor_flags(mon));
		if (event->gate)
			atomic_or(EVL_MONITOR_SIGNALED,
				  evl_monitor_flags(event->gate));
	}
	if (wchan)
		raw_spin_unlock(&wchan->lock);
	hard_local_irq_restore(flags);

	return 0;
}

int evl_signal_waiter(struct evl_thread *thread, int efd)
{
	struct evl_monitor *mon = evl_get_monitor(efd);
	int ret = 0;

	if (!mon)
		return -EINVAL;

	if (mon->kind == MONITOR_GATED)
		ret = mark_waiter(mon, thread);
	else if (mon->kind == MONITOR_GATE)
		ret = -EINVAL;
	evl_put_element(&mon->element);

	return ret;
}
