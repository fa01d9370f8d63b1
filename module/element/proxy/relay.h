/* SPDX-License-Identifier: GPL-2.0-only */
/* A kernel thread which moves data between a ring and a file, the target. */
#ifndef EVL_ELEMENT_RELAY_H
#define EVL_ELEMENT_RELAY_H

#include <linux/completion.h>
#include <linux/poll.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/workqueue.h>
#include "element/proxy/target.h"
#include "element/ring/ring.h"

struct cred;
struct mem_cgroup;
struct relay_user;

enum evl_relay_state {
	EVL_RELAY_RUNNING,
	EVL_RELAY_ENDED,
	EVL_RELAY_ORPHANED,		/* still running, nobody waits for it */
};

struct evl_relay {
	/* Given by the owner. */
	bool reads;			/* from the target, else it writes */
	const char *way;		/* "in" or "out", for the name of the thread */
	/* Until evl_relay_stopping(), or there is nothing to do and
	 * evl_relay_leaving(). */
	void (*run)(struct evl_relay *relay);
	/* An orphan ended: its owner is not needed any longer. */
	void (*release)(struct evl_relay *relay);

	/* Private to relay.c. */
	struct evl_target *target;
	struct task_struct *task;
	struct relay_user *user;	/* who pays for it */
	const struct cred *cred;	/* of the maker of the proxy, as the rest here */
	struct mem_cgroup *memcg;	/* NULL if there are none */
	struct rlimit fsize;		/* how long a file it may write */
	enum evl_relay_state state;
	__poll_t refused;		/* what the target said it is ready for, and is not */
	long pause;			/* before it is asked again */
	bool leaving;			/* to end when there is nothing to do */
	bool stopping;			/* to end at once */
	struct delayed_work deadline;	/* of leaving */
	struct completion ended;
};

/*
 * Start a thread for @relay, which acts as the caller does; @target must be
 * there as long as the relay runs. 0, -ENOMEM, or -EAGAIN if the user has as many processes
 * and relays as allowed (RLIMIT_NPROC).
 */
int evl_start_relay(struct evl_relay *relay, struct evl_target *target,
		    const char *name);
/*
 * Have it end, and wait for that, for some time at most, or until the caller is
 * killed. True if the relay ended, or was not started. False if it is stuck in its
 * target: it will call release() some day, maybe before this returns.
 */
bool evl_stop_relay(struct evl_relay *relay);
/* Have it end by itself, after @grace ticks at the latest unless it is stuck, without
 * waiting. What run() waits for is to be woken up. Returns as above. */
bool evl_leave_relay(struct evl_relay *relay, unsigned long grace);

static inline bool evl_relay_stopping(struct evl_relay *relay)
{
	return READ_ONCE(relay->stopping);
}

static inline bool evl_relay_leaving(struct evl_relay *relay)
{
	return READ_ONCE(relay->leaving) || evl_relay_stopping(relay);
}

/* --- For use by run() ------------------------------------------------------- */

/* Before a look at evl_relay_stopping(). */
void evl_drop_relay_signals(void);
/* @flags are those of a kiocb. */
typedef ssize_t (*evl_target_fn)(struct file *target, struct evl_ring_span *span,
				 loff_t *pos, int flags);

/* Have @call transfer @span from where the target is positioned. A target which is not
 * open any more is at its end, or -EPIPE. */
ssize_t evl_call_target(struct evl_relay *relay, struct evl_ring_span *span,
			evl_target_fn call);
/* What to do about an error of the target: 0 to try again, maybe after a while, else
 * the error. */
int evl_check_relay(struct evl_relay *relay, int err, __poll_t event);

#endif /* !EVL_ELEMENT_RELAY_H */
