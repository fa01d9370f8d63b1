/* SPDX-License-Identifier: GPL-2.0-only */
/* Poll groups: what the files in here share. See poll.c for the overview. */
#ifndef EVL_ELEMENT_POLL_H
#define EVL_ELEMENT_POLL_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <evl/file.h>
#include <evl/poll_head.h>
#include <evl/wait.h>
#include <evl/poll-abi.h>

struct evl_poll_item;

/* A connection between an item and a head. */
struct evl_poll_link {
	struct evl_poll_item *item;
	struct evl_poll_head *head;	/* NULL if not in use */
	struct list_head next;		/* in head->watches, by head->lock too */
	void (*unwatch)(struct evl_poll_head *head);
};

/* What handlers see of an item. Guarded by connect_lock. */
struct evl_poll_wait {
	struct evl_poll_link links[EVL_POLL_MAX_HEADS];
	bool closed;			/* takes no more of them */
	bool overflow;			/* no room for one, here or at the head */
	bool personal;			/* one of the heads is */
};

/* A file in a group. Guarded by the lock of the set unless said otherwise. */
struct evl_poll_item {
	struct evl_poll_set *set;
	struct list_head ready;		/* in set->ready, or empty */
	u64 scan;			/* set->nr_scans when it got to its end */
	bool personal;			/* in set->personal, and never listed */
	struct rb_node personal_node;
	u64 turn;			/* set->turn when it was signaled last */
	struct rb_node node;		/* in set->open or set->closed */
	int fd;
	__poll_t events;		/* read without the lock, too */
	union evl_value pollval;
	struct evl_file *efilp;		/* NULL once it was closed */
	unsigned int signals;		/* times it was signaled */
	unsigned int pins;		/* users who dropped the lock */
	bool removed;			/* waits for them to go */

	struct list_head file_next;	/* in efilp->watches, by connect_lock;
					 * in set->spare if unused */
	struct evl_poll_wait wait;

	/* By nest_lock: the file is a group in its turn. */
	struct evl_poll_set *child;
	struct list_head in_children;	/* of set */
	struct list_head in_parents;	/* of child */
};

struct evl_poll_chunk {
	struct evl_poll_chunk *next;
	struct evl_poll_item items[];
};

/* A group, i.e. an open file. Guarded by the lock of the wait queue unless said
 * otherwise. */
struct evl_poll_set {
	struct evl_core_file file;
	struct evl_wait_queue waiters;
	struct evl_poll_head head;	/* of groups that this one is in */
	struct rb_root open;		/* items by descriptor and file */
	struct rb_root closed;		/* items by descriptor, file is gone */
	unsigned int nr_items;		/* in either of them */
	unsigned int nr_closed;
	unsigned int nr_ready;		/* items in the list */
	struct list_head ready;		/* items which may be */
	u64 nr_scans;			/* which ever began */
	struct rb_root personal;	/* items for each thread to look at, by turn */
	u64 turn;			/* of the one which got in there last */
	u64 signaled;			/* turn of the last one signaled in there */
	u64 passed_on;			/* the same, when all waiters were woken up last */
	u64 reported;			/* turn of the last one found ready */
	struct list_head spare;		/* unused items */
	struct evl_poll_chunk *chunks;	/* all items */

	/* By nest_lock. */
	struct list_head children;	/* items which are groups */
	struct list_head parents;	/* items of other groups, being this one */
	u64 visit;
	int reach;			/* steps down, as of that visit */
};

/* What a thread has seen of set->ready, and of set->personal. (ready.c) */
struct evl_poll_look {
	u64 scan;			/* number of the one in progress */
	u64 seen;			/* it has looked at all items up to this turn */
	u64 latest;			/* the last turn when it began to look */
	u64 pos;			/* it looks at those behind this turn */
	u64 end;			/* up to this one */
	u64 rest;			/* and then at those up to that one */
};

#define EVL_POLL_IN	(EPOLLIN | EPOLLRDNORM)
#define EVL_POLL_OUT	(EPOLLOUT | EPOLLWRNORM)

static inline hard_spinlock_t *evl_poll_lock(struct evl_poll_set *set)
{
	return &set->waiters.wchan.lock;
}

/* The events to look for, out of those which somebody asked for. */
static inline __poll_t evl_poll_interest(u32 events)
{
	return ((__force __poll_t)events & ~EPOLLNVAL) | EPOLLERR | EPOLLHUP;
}

/* The events which hold for a file. */
static inline __poll_t evl_poll_file(struct evl_file *efilp,
				     struct evl_poll_wait *wait)
{
	if (!efilp->ops->oob_poll)
		return EVL_POLL_IN | EVL_POLL_OUT;

	return efilp->ops->oob_poll(efilp->filp, wait);
}

/* Lock held: @item may be used again once it was removed and nobody is left. */
static inline void evl_unpin_poll_item(struct evl_poll_item *item)
{
	if (!--item->pins && item->removed)
		list_add(&item->file_next, &item->set->spare);
}

/* What makes a file a group. (ready.c) */
__poll_t evl_poll_group(struct file *filp, struct evl_poll_wait *wait);

/* The group behind a file, NULL if it is something else. */
static inline struct evl_poll_set *evl_file_poll_set(struct evl_file *efilp)
{
	return efilp->ops->oob_poll == evl_poll_group ?
		container_of(efilp, struct evl_poll_set, file.efile) : NULL;
}

/* --- Items (item.c) ---------------------------------------------------- */

/* ADD, MOD, DEL: 0 or an error code as documented. May go in-band. */
int evl_add_poll_item(struct evl_poll_set *set, const struct evl_poll_ctlreq *req);
int evl_mod_poll_item(struct evl_poll_set *set, const struct evl_poll_ctlreq *req);
int evl_del_poll_item(struct evl_poll_set *set, const struct evl_poll_ctlreq *req);
/* All of them, with their memory: @set has no user left. In-band. */
void evl_drop_poll_items(struct evl_poll_set *set);

/* --- Readiness (ready.c) ----------------------------------------------- */

/* EVL_POLIOC_WAIT. */
long evl_wait_poll_set(struct evl_poll_set *set, bool nonblock,
		       struct evl_poll_waitreq __user *u_req);

/* --- Connections (head.c) ---------------------------------------------- */

/* Have @ended called at the end of the file of @item, which the caller has a
 * reference to. */
void evl_attach_poll_item(struct evl_poll_item *item, struct evl_file *efilp,
			  void (*ended)(struct evl_file *efilp));
/* At that time, for one of the items on the file: nothing leads to it any more,
 * @end is called, hard irqs off, then it is raised. False if none was left. */
bool evl_end_poll_item(struct evl_file *efilp,
		       void (*end)(struct evl_poll_item *item));
/* It hears of nothing any more: neither from heads nor from its file. */
void evl_detach_poll_item(struct evl_poll_item *item);
/* Whether @item, which is pinned, is ready depends on who asks: so it does for the
 * groups which its group is in. */
void evl_make_item_personal(struct evl_poll_item *item);
/* Note @item, and tell the groups which its group is in. Reschedules. */
void evl_raise_poll_item(struct evl_poll_item *item);

/* --- Nesting (nest.c): in-band, may sleep -------------------------------- */

void evl_lock_nesting(void);
void evl_unlock_nesting(void);
/* Nesting locked: @child becomes part of the set of @item. 0, -ELOOP or -ENOSPC. */
int evl_nest_poll_item(struct evl_poll_item *item, struct evl_poll_set *child);
void evl_unnest_poll_item(struct evl_poll_item *item);

#endif /* !EVL_ELEMENT_POLL_H */
