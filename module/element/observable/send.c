// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sending notices.
 *
 * A broadcast goes to each subscriber in the order of subscription, some at a time
 * with interrupts let in between, as a flush of the readers: there is one at a time
 * on a wait channel, and whoever comes next finishes the one in progress first. Hence
 * all subscribers get all notices in the same order, whatever happens to who sends
 * them, and nothing is allocated. Who subscribes meanwhile is too late for it.
 *
 * The order is not that of importance, and who sends may lose the CPU between two
 * steps. So each step but the last wakes up the most important reader in line, those
 * who poll out-of-band, and, once, those who wait in-band, whether there is something
 * for them or not: each goes on with it until it has a notice (evl_catch_up()). Its last
 * step has woken up the next one in line.
 */
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <evl/clock.h>
#include <evl/thread.h>
#include <evl/uaccess.h>
#include "element/observable/observable.h"

#define BATCH	16			/* notices which go together */

/* What a step of a broadcast may cost, in notices delivered, and what other things
 * cost of that. */
#define STEP_COST	256
#define LOOK_COST	1
#define WAKE_COST	8

struct cast {
	struct evl_flush flush;
	struct evl_notice_record *notices;
	unsigned int nr;
	unsigned int nr_dealt;		/* of notices for one subscriber each */
	unsigned long taken;		/* bit n: somebody got notice n */
	u64 last;			/* subscription which was there */
	bool begun;
	bool shown;			/* to in-band waiters */
};

/* --- One subscriber: lock held ------------------------------------------------------- */

static bool is_repeated(const struct evl_observer *observer,
			const struct evl_notice_record *record)
{
	return observer->flags & EVL_NOTIFY_ONCHANGE && observer->any &&
		observer->last_tag == record->tag && observer->last_event.lval == record->event.lval;
}

/* False if there is no room for it. */
static __always_inline bool push_notice(struct evl_observer *observer,
					const struct evl_notice_record *record)
{
	u32 pos;

	if (is_repeated(observer, record))
		return true;
	if (observer->fill == observer->size)
		return false;

	pos = observer->size - observer->rd > observer->fill ?
		observer->rd + observer->fill : observer->fill - (observer->size - observer->rd);
	observer->backlog[pos] = *record;
	observer->any = true;
	observer->last_tag = record->tag;
	observer->last_event = record->event;
	if (++observer->fill == observer->size)
		list_del_init(&observer->next_roomy);

	return true;
}

/* What it cost. */
static __always_inline int wake_reader(struct evl_observable *o, struct evl_observer *observer)
{
	struct evl_thread *waiter = observer->waiter;

	/* It may have been sent away, and not have run yet. */
	if (!waiter || waiter->wchan != &o->readers.wchan)
		return 0;

	evl_wake_up(&o->readers.wchan, waiter, 0);

	return WAKE_COST;
}

/* What it cost. */
static int serve(struct evl_observable *o, struct evl_observer *observer, struct cast *cast)
{
	unsigned int n;

	if (unlikely(evl_observer_is_gone(observer)))
		return LOOK_COST;

	for (n = 0; n < cast->nr; n++)
		if (push_notice(observer, cast->notices + n))
			cast->taken |= BIT(n);

	return LOOK_COST + cast->nr + (observer->fill ? wake_reader(o, observer) : 0);
}

/* --- Steps: lock held ----------------------------------------------------------------- */

static void stamp_notices(struct evl_observable *o, struct cast *cast)
{
	unsigned int n;

	for (n = 0; n < cast->nr; n++)
		cast->notices[n].serial = o->serial++;
}

static void begin_cast(struct evl_observable *o, struct cast *cast)
{
	cast->begun = true;
	cast->last = o->nr_subscriptions;
	o->cursor = o->observers.next;
	stamp_notices(o, cast);
}

/* Have the others go on with it. One of those in-band is enough, but there is no telling
 * which one would: they are woken up once, since there may be many. */
static bool end_step(struct evl_observable *o, struct cast *cast)
{
	evl_wake_up_head(&o->readers.wchan, 0);
	evl_signal_poll_events(&o->poll, EPOLLIN | EPOLLRDNORM);
	if (!cast->shown)
		evl_wake_inband_waiters(&o->inband);
	cast->shown = true;

	return true;
}

static bool end_cast(struct evl_observable *o, struct cast *cast)
{
	o->cursor = NULL;
	if (cast->taken)
		evl_announce(o, EPOLLIN | EPOLLRDNORM);

	return false;
}

/* --- All of them ------------------------------------------------------------------------ */

static bool cast_step(struct evl_wait_channel *wchan, struct evl_flush *flush)
{
	struct evl_observable *o = container_of(wchan, struct evl_observable, readers.wchan);
	struct cast *cast = container_of(flush, struct cast, flush);
	struct evl_observer *observer;
	int left = STEP_COST;

	if (!cast->begun)
		begin_cast(o, cast);

	while (o->cursor != &o->observers) {
		observer = list_entry(o->cursor, struct evl_observer, next);
		if (observer->seq > cast->last)
			break;
		if (left <= 0)
			return end_step(o, cast);
		o->cursor = o->cursor->next;
		left -= serve(o, observer, cast);
	}

	return end_cast(o, cast);
}

/* It is not about those in line: all keep their places by priority. */
static bool means_nobody(const struct evl_thread *waiter)
{
	return false;
}

/* --- One of them each -------------------------------------------------------------------- */

/* The next notice, to @observer, which has room. Who is gone has not: it never comes
 * back. What it cost. */
static int deal_to(struct evl_observable *o, struct evl_observer *observer, struct cast *cast)
{
	unsigned int n;

	if (unlikely(evl_observer_is_gone(observer))) {
		list_del_init(&observer->next_roomy);
		return LOOK_COST;
	}

	n = cast->nr_dealt++;
	list_move_tail(&observer->next_roomy, &o->roomy);
	if (push_notice(observer, cast->notices + n))
		cast->taken |= BIT(n);

	return LOOK_COST + 1 + wake_reader(o, observer);
}

static bool deal_step(struct evl_wait_channel *wchan, struct evl_flush *flush)
{
	struct evl_observable *o = container_of(wchan, struct evl_observable, readers.wchan);
	struct cast *cast = container_of(flush, struct cast, flush);
	struct evl_observer *observer;
	int left = STEP_COST;

	if (!cast->begun)
		begin_cast(o, cast);

	while (cast->nr_dealt < cast->nr) {
		observer = list_first_entry_or_null(&o->roomy, struct evl_observer, next_roomy);
		if (!observer)
			break;
		if (left <= 0)
			return end_step(o, cast);
		left -= deal_to(o, observer, cast);
	}

	return end_cast(o, cast);
}

/* --- Whoever sends, or waits --------------------------------------------------------------- */

/* Between two parts of something long. */
bool evl_is_wanted_elsewhere(void)
{
	if (evl_current_oob())
		return evl_is_called_away();

	cond_resched();

	return signal_pending(current);
}

void evl_announce(struct evl_observable *o, __poll_t events)
{
	evl_signal_poll_events(&o->poll, events);
	evl_wake_inband_waiters(&o->inband);
}

void evl_catch_up(struct evl_observable *o, const struct evl_observer *observer, u64 round,
		  unsigned long *flags)
{
	struct evl_wait_channel *wchan = &o->readers.wchan;
	bool away = false;

	while (unlikely(wchan->flush) && wchan->flush->round < round &&
	       observer && !observer->fill) {
		evl_flush_some(wchan);
		evl_sched_unlock(&wchan->lock, *flags);
		away = evl_is_wanted_elsewhere();
		evl_lock_irqsave(&wchan->lock, *flags);
		if (away)
			break;
	}

	/* A poll of current for others is over with that: they have to ask again. */
	if (away && wchan->flush)
		evl_wake_inband_waiters(&o->inband);
}

/* Lock held, which is dropped. The number of notices which somebody got. */
static unsigned int send_unlock(struct evl_observable *o, struct evl_notice_record *notices,
				unsigned int nr, unsigned long flags)
{
	struct cast cast = {
		.flush = { .step = cast_step, .meant = means_nobody, .unaided = true },
		.notices = notices,
		.nr = nr,
	};

	if (o->element.clone_flags & EVL_CLONE_UNICAST)
		cast.flush.step = deal_step;
	if (list_empty(&o->observers))
		evl_unlock_irqrestore(observable_lock(o), flags);
	else
		evl_run_flush(&o->readers.wchan, &cast.flush, flags);

	return hweight_long(cast.taken);
}

/* One by one: copies of a size which the compiler knows are faster than one of all. */
static int get_notices(struct evl_notice_record *notices, unsigned int nr,
		       const struct evl_notice __user *u_notices, ktime_t date)
{
	struct evl_notice notice;
	unsigned int n;

	for (n = 0; n < nr; n++) {
		if (evl_copy_from_user(&notice, u_notices + n, sizeof(notice)))
			return -EFAULT;
		if (notice.tag < EVL_NOTICE_USER)
			return -EINVAL;
		notices[n] = (struct evl_notice_record){
			.tag = notice.tag,
			.issuer = task_pid_nr(current),
			.event = notice.event,
			.date = date,
		};
	}

	return 0;
}

static __always_inline int send_some(struct evl_observable *o,
				     struct evl_notice_record *notices,
				     const struct evl_notice __user *u_notices,
				     unsigned int nr, ktime_t date)
{
	unsigned long flags;
	int ret;

	ret = get_notices(notices, nr, u_notices, date);
	if (ret)
		return ret;

	evl_lock_irqsave(observable_lock(o), flags);

	return send_unlock(o, notices, nr, flags);
}

/* Most notices come alone, and most kernels clear what is on the stack: as little of it
 * as can be. */
static int send_one(struct evl_observable *o, const struct evl_notice __user *u_notice,
		    ktime_t date)
{
	struct evl_notice_record notice;

	return send_some(o, &notice, u_notice, 1, date);
}

static noinline int send_batch(struct evl_observable *o,
			       const struct evl_notice __user *u_notices, unsigned int nr,
			       ktime_t date)
{
	struct evl_notice_record notices[BATCH];

	return send_some(o, notices, u_notices, nr, date);
}

ssize_t evl_write_observable(struct evl_observable *o, const char __user *u_buf, size_t count)
{
	const struct evl_notice __user *u_notices = (const void __user *)u_buf;
	size_t left = count / sizeof(*u_notices);
	ktime_t date = evl_ktime_monotonic();
	ssize_t sent = 0;
	unsigned int nr;
	int ret;

	if (count % sizeof(*u_notices))
		return -EINVAL;

	while (left) {
		nr = min_t(size_t, left, BATCH);
		ret = nr == 1 ? send_one(o, u_notices, date) :
			send_batch(o, u_notices, nr, date);
		if (ret < 0)
			return sent ?: ret;
		sent += ret * sizeof(*u_notices);
		u_notices += nr;
		left -= nr;
		if (left && evl_is_wanted_elsewhere())
			break;
	}

	return sent;
}
EXPORT_SYMBOL_GPL(evl_write_observable);

/* --- The core, and drivers ------------------------------------------------------------------- */

/* Lock held. Lost, if too many are late already: the serial numbers tell. */
static bool put_off(struct evl_observable *o, const struct evl_notice_record *record)
{
	if (o->nr_late == EVL_NOTICES_LATE) {
		o->serial++;
		return false;
	}

	o->late[(o->first_late + o->nr_late++) % EVL_NOTICES_LATE] = *record;
	/* The work holds the observable, which never has to wait for it then. */
	if (evl_call_inband(&o->late_work))
		evl_get_element(&o->element);

	return true;
}

static bool take_late(struct evl_observable *o, struct evl_notice_record *record)
{
	unsigned long flags;
	bool any;

	evl_lock_irqsave(observable_lock(o), flags);
	any = o->nr_late;
	if (any) {
		*record = o->late[o->first_late];
		o->first_late = (o->first_late + 1) % EVL_NOTICES_LATE;
		o->nr_late--;
	}
	evl_unlock_irqrestore(observable_lock(o), flags);

	return any;
}

void evl_send_late(struct evl_work *work)
{
	struct evl_observable *o = container_of(work, struct evl_observable, late_work);
	struct evl_notice_record record;
	unsigned long flags;

	while (take_late(o, &record)) {
		evl_lock_irqsave(observable_lock(o), flags);
		send_unlock(o, &record, 1, flags);
		cond_resched();
	}
	/* Whoever disposes of it may have to wait, which this queue does not. */
	evl_put_element(&o->element);
}

bool evl_send_observable(struct evl_observable *o, u32 tag, union evl_value event)
{
	struct evl_notice_record record = {
		.tag = tag,
		.event = event,
		.date = evl_ktime_monotonic(),
	};
	bool atomic = hard_irqs_disabled();
	unsigned long flags;
	bool ret;

	evl_lock_irqsave(observable_lock(o), flags);
	if (atomic && (o->nr_observers > EVL_NOTIFY_NOW || o->nr_late)) {
		ret = put_off(o, &record);
		evl_unlock_irqrestore(observable_lock(o), flags);
		return ret;
	}

	return send_unlock(o, &record, 1, flags);
}
EXPORT_SYMBOL_GPL(evl_send_observable);
