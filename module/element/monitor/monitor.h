/* SPDX-License-Identifier: GPL-2.0-only */
/* The monitor element: gates and events. */
#ifndef EVL_ELEMENT_MONITOR_H
#define EVL_ELEMENT_MONITOR_H

#include <evl/factory.h>
#include <evl/monitor.h>
#include <evl/mutex.h>
#include <evl/poll_head.h>
#include <evl/monitor-abi.h>
#include "element/inband.h"

enum monitor_kind {
	MONITOR_GATE,		/* EVL_MONITOR_GATE, any protocol */
	MONITOR_GATED,		/* EVL_MONITOR_EVENT, EVL_EVENT_GATED */
	MONITOR_COUNT,
	MONITOR_MASK,
};

struct evl_gate {
	struct evl_mutex mutex;
	struct list_head events;	/* evl_event.next; mutex lock */
	int nr_files;			/* open ones, or about to be; mutex lock */
	/* A walk along the events which is to go on, from the first of them to this one,
	 * the first that was looked at already, or to the end if NULL; mutex lock. */
	bool walking;
	struct evl_event *walk_end;
};

struct evl_event {
	struct evl_wait_channel wchan;
	/*
	 * GATED: the gate its waiters dropped, or the last one who did. Guarded
	 * by the lock of that gate along with wchan.lock, like @next: either
	 * pins it.
	 */
	struct evl_monitor *gate;
	struct list_head next;
	/* COUNT, MASK */
	struct evl_poll_head poll_head;
	/* MASK: in-band readers and pollers. */
	struct evl_inband_waiters inband;
};

/* What user space can read of @state is a copy, but for the owner of a gate and
 * the value of an event, which are shared: see doc/locking.md. */
struct evl_monitor {
	struct evl_element element;
	struct evl_monitor_state *state;
	struct evl_clock *clock;
	enum monitor_kind kind;
	u32 protocol;
	union {
		struct evl_gate gate;
		struct evl_event event;
	};
};

extern const struct file_operations evl_monitor_fops;
extern const struct evl_file_ops evl_monitor_oob_ops;

static inline struct evl_monitor *evl_monitor_of(struct evl_element *element)
{
	return container_of(element, struct evl_monitor, element);
}

static inline struct evl_monitor *evl_monitor_of_event(struct evl_event *event)
{
	return container_of(event, struct evl_monitor, event);
}

static inline atomic_t *evl_monitor_flags(struct evl_monitor *mon)
{
	return (atomic_t *)&mon->state->flags;
}

bool __evl_deliver_signals(struct evl_monitor *mon, bool go_on);

/*
 * Gate lock held, current owns it: wake up whom it signaled. If there are many
 * of them, or many events, that is true after the first ones: come again to @go_on,
 * the lock having been dropped in between. Nobody can have got in line since, for
 * lack of the gate.
 */
static inline bool evl_deliver_signals(struct evl_monitor *mon, bool go_on)
{
	bool marked = !go_on &&
		atomic_read(evl_monitor_flags(mon)) & EVL_MONITOR_SIGNALED;

	return (marked || mon->gate.walking) && __evl_deliver_signals(mon, go_on);
}

/* Event and gate locked: it is not one of its events any more. */
static inline void evl_quit_gate(struct evl_event *event)
{
	struct evl_gate *gate = &event->gate->gate;

	if (unlikely(gate->walk_end == event))
		gate->walk_end = list_is_last(&event->next, &gate->events) ?
			NULL : list_next_entry(event, next);
	list_del(&event->next);
	event->gate = NULL;
}

static inline atomic_t *evl_event_value(struct evl_monitor *mon)
{
	return (atomic_t *)&mon->state->u.event.value;
}

/* Gated event, locked, which nobody waits for: forget its gate. */
static inline void evl_reset_gate_offset(struct evl_event *event)
{
	struct evl_monitor *mon = evl_monitor_of_event(event);

	WRITE_ONCE(mon->state->u.event.gate_offset, EVL_MONITOR_NOGATE);
}

/* base.c: the monitor behind a descriptor of current, with a reference to its
 * element, or NULL. Any stage. */
struct evl_monitor *evl_get_monitor(int fd);
/* Connect a semaphore or flags to a poller. */
void evl_watch_event(struct evl_monitor *mon, struct evl_poll_wait *wait);

/* gate.c */
void evl_init_gate(struct evl_monitor *mon);
void evl_destroy_gate(struct evl_monitor *mon);
void evl_flush_gate(struct evl_monitor *mon, struct evl_file *file);
/* A file of it came, or goes. */
void evl_open_gate(struct evl_monitor *mon);
void evl_close_gate(struct evl_monitor *mon);
long evl_enter_gate(struct evl_monitor *mon, ktime_t timeout);
long evl_try_gate(struct evl_monitor *mon);
long evl_exit_gate(struct evl_monitor *mon);
ssize_t evl_show_gate(struct evl_monitor *mon, char *buf);
extern const struct evl_gate_ops evl_monitor_gate_ops;

/* event.c: gated events. */
void evl_init_gated(struct evl_monitor *mon);
void evl_destroy_gated(struct evl_monitor *mon);
void evl_flush_gated(struct evl_monitor *mon, struct evl_file *file);
/* Result of the request, and what goes to its status field. */
long evl_wait_gated(struct evl_monitor *mon, int gatefd, ktime_t timeout,
		    int *status);

/* count.c: semaphores. */
void evl_init_count(struct evl_monitor *mon);
void evl_flush_count(struct evl_monitor *mon, struct evl_file *file);
int evl_wait_count(struct evl_monitor *mon, ktime_t timeout);
int evl_try_count(struct evl_monitor *mon);
int evl_signal_count(struct evl_monitor *mon, bool one);
int evl_broadcast_count(struct evl_monitor *mon);
__poll_t evl_poll_count(struct evl_monitor *mon, struct evl_poll_wait *wait);

/* mask.c: flags. */
void evl_init_mask(struct evl_monitor *mon);
void evl_destroy_mask(struct evl_monitor *mon);
void evl_flush_mask(struct evl_monitor *mon, struct evl_file *file);
/* *@bits is what is wanted (0: any), then what was got. */
int evl_wait_mask(struct evl_monitor *mon, u32 *bits, bool exact,
		  ktime_t timeout);
int evl_try_mask(struct evl_monitor *mon, u32 *bits, bool exact);
int evl_read_mask_inband(struct evl_monitor *mon, u32 *bits);
void evl_post_mask(struct evl_monitor *mon, u32 bits, bool all);
__poll_t evl_poll_mask(struct evl_monitor *mon, struct evl_poll_wait *wait);

#endif /* !EVL_ELEMENT_MONITOR_H */
