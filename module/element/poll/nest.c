// SPDX-License-Identifier: GPL-2.0-only
/*
 * Poll groups in poll groups. Who is in whom makes a graph which must neither
 * have a cycle nor a path of more than MAX_NESTING steps: a signal goes up along
 * all paths, and a look at readiness goes down.
 *
 * A signal takes its way up in one go, with hard irqs off. From no group it is
 * more than MAX_STEPS_UP, on all paths together. A step is a connection to the
 * head of a group: what is not in the graph is not connected either.
 *
 * Locking: nest_lock, a mutex, guards the graph. Walking it takes as long as
 * it is large, hence groups are nested and taken apart in-band only.
 *
 * A walk down visits each group once: what was found on the way is kept in the
 * group, stamped with the number of the walk; and it takes MAX_BELOW steps at most,
 * since others wait for the lock meanwhile. A walk up is short anyway.
 */
#include <linux/minmax.h>
#include <linux/mutex.h>
#include "element/poll/poll.h"

#define MAX_NESTING	4
#define MAX_STEPS_UP	15
#define MAX_BELOW	4096

static DEFINE_MUTEX(nest_lock);
static u64 nr_visits;

void evl_lock_nesting(void)
{
	mutex_lock(&nest_lock);
}

void evl_unlock_nesting(void)
{
	mutex_unlock(&nest_lock);
}

/* Steps of the longest path up from @set. */
static int reach_up(struct evl_poll_set *set)
{
	struct evl_poll_item *item;
	int reach = 0;

	list_for_each_entry(item, &set->parents, in_parents)
		reach = max(reach, 1 + reach_up(item->set));

	return reach;
}

/* The same downwards, unless that takes more than @left steps, which is negative on
 * return then. Recursion ends at MAX_NESTING. */
static int reach_down(struct evl_poll_set *set, u64 visit, int *left)
{
	struct evl_poll_item *item;
	int reach = 0;

	if (set->visit == visit)
		return set->reach;

	list_for_each_entry(item, &set->children, in_children) {
		if (--*left < 0)
			break;
		reach = max(reach, 1 + reach_down(item->child, visit, left));
	}

	set->visit = visit;
	set->reach = reach;

	return reach;
}

/* Steps of all paths up from @set. */
static unsigned int count_steps_up(struct evl_poll_set *set)
{
	struct evl_poll_item *item;
	unsigned int steps = 0;

	list_for_each_entry(item, &set->parents, in_parents)
		steps += 1 + count_steps_up(item->set);

	return steps;
}

/* True if signals from @set, and from whatever is in it, have a short way. */
static bool is_short_way_up(struct evl_poll_set *set, u64 visit)
{
	struct evl_poll_item *item;

	if (set->visit == visit)
		return true;

	if (count_steps_up(set) > MAX_STEPS_UP)
		return false;

	list_for_each_entry(item, &set->children, in_children)
		if (!is_short_way_up(item->child, visit))
			return false;

	set->visit = visit;

	return true;
}

int evl_nest_poll_item(struct evl_poll_item *item, struct evl_poll_set *child)
{
	struct evl_poll_set *set = item->set;
	int down, left = MAX_BELOW;

	lockdep_assert_held(&nest_lock);

	down = reach_down(child, ++nr_visits, &left);
	if (left < 0)
		return -ENOSPC;
	/* The way down from the child led here. */
	if (set->visit == nr_visits)
		return -ELOOP;

	if (reach_up(set) + 1 + down > MAX_NESTING)
		return -ELOOP;

	item->child = child;
	list_add_tail(&item->in_children, &set->children);
	list_add_tail(&item->in_parents, &child->parents);

	if (!is_short_way_up(child, ++nr_visits)) {
		evl_unnest_poll_item(item);
		return -ENOSPC;
	}

	return 0;
}

void evl_unnest_poll_item(struct evl_poll_item *item)
{
	lockdep_assert_held(&nest_lock);

	if (!item->child)
		return;

	list_del(&item->in_children);
	list_del(&item->in_parents);
	item->child = NULL;
}
