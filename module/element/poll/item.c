// SPDX-License-Identifier: GPL-2.0-only
/*
 * Items of poll groups: memory, and how they come and go.
 *
 * Locking: see head.c. An item is found in one of the trees of its group,
 * under the lock of the latter. Whoever drops that lock with an item in hand
 * pins it; whoever removes it takes it apart with the lock dropped, from the
 * graph of groups first, then from its file and its heads, and then unpins it.
 *
 * An item does not hold its file, which could not be closed otherwise. The end
 * of the file turns an open item into a closed one, under the lock of the group;
 * until then item->efilp is valid, though its last user may be gone.
 *
 * Memory comes in chunks which belong to the group until its end: having
 * thousands of items must not depend on the size of the core heap, and adding
 * one must not leave the out-of-band stage as a rule. It does when unused items
 * are short, once for as many items as the group has.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <evl/sched.h>
#include <evl/thread.h>
#include "element/poll/poll.h"

#define MIN_CHUNK	16
#define MAX_CHUNK	512

/* --- Memory ------------------------------------------------------------------- */

/* Out-of-band requests do; the end of a file does not have to. */
static void go_inband(void)
{
	if (evl_current_oob())
		evl_switch_inband(0, 0);
}

static struct evl_poll_chunk *make_chunk(unsigned int count, struct list_head *items)
{
	struct evl_poll_chunk *chunk;
	unsigned int n;

	chunk = kvzalloc(struct_size(chunk, items, count), GFP_KERNEL_ACCOUNT);
	if (!chunk)
		return NULL;

	for (n = 0; n < count; n++)
		list_add_tail(&chunk->items[n].file_next, items);

	return chunk;
}

/* 0, -ENOMEM, or why we are kept in-band: see evl_switch_oob(). */
static int grow_spare(struct evl_poll_set *set)
{
	unsigned int count = clamp(READ_ONCE(set->nr_items), MIN_CHUNK, MAX_CHUNK);
	struct evl_poll_chunk *chunk;
	unsigned long flags;
	LIST_HEAD(items);

	go_inband();
	chunk = make_chunk(count, &items);
	if (chunk) {
		evl_lock_irqsave(evl_poll_lock(set), flags);
		chunk->next = set->chunks;
		set->chunks = chunk;
		list_splice(&items, &set->spare);
		evl_unlock_irqrestore(evl_poll_lock(set), flags);
	}

	return chunk ? evl_switch_oob() : -ENOMEM;
}

static struct evl_poll_item *take_spare(struct evl_poll_set *set)
{
	struct evl_poll_item *item;
	unsigned long flags;

	evl_lock_irqsave(evl_poll_lock(set), flags);
	item = list_first_entry_or_null(&set->spare, struct evl_poll_item, file_next);
	if (item)
		list_del(&item->file_next);
	evl_unlock_irqrestore(evl_poll_lock(set), flags);

	return item;
}

/* An item for @req, pinned. */
static struct evl_poll_item *get_item(struct evl_poll_set *set, struct evl_file *efilp,
				      const struct evl_poll_ctlreq *req)
{
	struct evl_poll_item *item;
	int err;

	while (!(item = take_spare(set))) {
		err = grow_spare(set);
		if (err)
			return ERR_PTR(err);
	}

	memset(item, 0, sizeof(*item));
	item->set = set;
	item->fd = req->fd;
	item->events = evl_poll_interest(req->events);
	item->pollval = req->pollval;
	item->efilp = efilp;
	item->pins = 1;
	INIT_LIST_HEAD(&item->ready);
	INIT_LIST_HEAD(&item->file_next);

	return item;
}

static void unpin_item(struct evl_poll_item *item)
{
	unsigned long flags;

	evl_lock_irqsave(evl_poll_lock(item->set), flags);
	evl_unpin_poll_item(item);
	evl_unlock_irqrestore(evl_poll_lock(item->set), flags);
}

/* --- Trees: lock held ----------------------------------------------------------- */

struct item_key {
	int fd;
	const struct evl_file *efilp;
};

static int compare_fd(const void *key, const struct rb_node *node)
{
	const struct evl_poll_item *item = rb_entry(node, struct evl_poll_item, node);
	int fd = *(const int *)key;

	return fd < item->fd ? -1 : fd > item->fd;
}

static int compare_key(const void *p, const struct rb_node *node)
{
	const struct evl_poll_item *item = rb_entry(node, struct evl_poll_item, node);
	const struct item_key *key = p;
	int ret = compare_fd(&key->fd, node);

	if (ret)
		return ret;

	return key->efilp < item->efilp ? -1 : key->efilp > item->efilp;
}

static int compare_items(struct rb_node *new, const struct rb_node *node)
{
	struct evl_poll_item *item = rb_entry(new, struct evl_poll_item, node);
	struct item_key key = { .fd = item->fd, .efilp = item->efilp };

	return compare_key(&key, node);
}

static bool closed_before(struct rb_node *new, const struct rb_node *node)
{
	return rb_entry(new, struct evl_poll_item, node)->fd <
		rb_entry(node, struct evl_poll_item, node)->fd;
}

static struct evl_poll_item *item_of(struct rb_node *node)
{
	return node ? rb_entry(node, struct evl_poll_item, node) : NULL;
}

static struct evl_poll_item *find_open(struct evl_poll_set *set, int fd,
				       struct evl_file *efilp)
{
	struct item_key key = { .fd = fd, .efilp = efilp };

	return item_of(rb_find(&key, &set->open, compare_key));
}

static struct evl_poll_item *find_closed(struct evl_poll_set *set, int fd)
{
	return item_of(rb_find(&fd, &set->closed, compare_fd));
}

/* Whatever was added by the name of @fd, as long as there is such a thing. */
static struct evl_poll_item *find_any(struct evl_poll_set *set, int fd)
{
	return find_closed(set, fd) ?: item_of(rb_find(&fd, &set->open, compare_fd));
}

/* The file of @item is gone. Hard irqs off. */
static void close_item(struct evl_poll_item *item)
{
	struct evl_poll_set *set = item->set;

	raw_spin_lock(evl_poll_lock(set));
	if (!item->removed) {
		rb_erase(&item->node, &set->open);
		rb_add(&item->node, &set->closed, closed_before);
		set->nr_closed++;
		item->efilp = NULL;
	}
	raw_spin_unlock(evl_poll_lock(set));
}

/* Nobody finds it any more. To be taken apart next, pinned. */
static void remove_item(struct evl_poll_item *item)
{
	struct evl_poll_set *set = item->set;

	if (item->efilp) {
		rb_erase(&item->node, &set->open);
	} else {
		rb_erase(&item->node, &set->closed);
		set->nr_closed--;
	}

	if (!list_empty(&item->ready)) {
		list_del_init(&item->ready);
		set->nr_ready--;
	}
	if (item->personal)
		rb_erase(&item->personal_node, &set->personal);

	set->nr_items--;
	item->removed = true;
	item->pins++;
}

/* --- Removal: lock not held ------------------------------------------------------ */

static void dismantle_item(struct evl_poll_item *item)
{
	/* Set before the item was to be found; the end of the file clears it. */
	if (READ_ONCE(item->child)) {
		go_inband();
		evl_lock_nesting();
		evl_unnest_poll_item(item);
		/* Before others take its place: see nest.c. */
		evl_detach_poll_item(item);
		evl_unlock_nesting();
	} else {
		evl_detach_poll_item(item);
	}
	unpin_item(item);
}

int evl_del_poll_item(struct evl_poll_set *set, const struct evl_poll_ctlreq *req)
{
	struct evl_file *efilp = evl_get_file(req->fd);
	struct evl_poll_item *item = NULL;
	unsigned long flags;

	evl_lock_irqsave(evl_poll_lock(set), flags);
	if (efilp)
		item = find_open(set, req->fd, efilp);
	/* The descriptor may have another meaning by now, or none. */
	if (!item)
		item = find_any(set, req->fd);
	if (item)
		remove_item(item);
	evl_unlock_irqrestore(evl_poll_lock(set), flags);

	if (item)
		dismantle_item(item);
	if (efilp)
		evl_put_file(efilp);

	if (!item)
		return efilp ? -ENOENT : -EBADF;

	return 0;
}

void evl_drop_poll_items(struct evl_poll_set *set)
{
	struct evl_poll_chunk *chunk;
	struct evl_poll_item *item;
	unsigned long flags;

	for (;;) {
		evl_lock_irqsave(evl_poll_lock(set), flags);
		item = item_of(rb_first(&set->open) ?: rb_first(&set->closed));
		if (item)
			remove_item(item);
		evl_unlock_irqrestore(evl_poll_lock(set), flags);
		if (!item)
			break;
		dismantle_item(item);
		cond_resched();
	}

	while ((chunk = set->chunks)) {
		set->chunks = chunk->next;
		kvfree(chunk);
	}
}

/* --- End of a file ----------------------------------------------------------------- */

/* Nesting is locked if it is nested. */
static void end_item(struct evl_poll_item *item)
{
	if (item->child)
		evl_unnest_poll_item(item);
	close_item(item);
}

static void end_file(struct evl_file *efilp)
{
	bool nested = evl_file_poll_set(efilp);

	if (nested)
		evl_lock_nesting();
	while (evl_end_poll_item(efilp, end_item))
		cond_resched();
	if (nested)
		evl_unlock_nesting();
}

/* --- Addition ------------------------------------------------------------------- */

/* What was added by the same descriptor, and closed since, is of no use. */
static void drop_closed(struct evl_poll_set *set, int fd)
{
	struct evl_poll_item *item;
	unsigned long flags;

	do {
		evl_lock_irqsave(evl_poll_lock(set), flags);
		item = find_closed(set, fd);
		if (item)
			remove_item(item);
		evl_unlock_irqrestore(evl_poll_lock(set), flags);
		if (item)
			dismantle_item(item);
	} while (item);
}

static int insert_item(struct evl_poll_item *item)
{
	struct evl_poll_set *set = item->set;
	unsigned long flags;
	int err = 0;

	evl_lock_irqsave(evl_poll_lock(set), flags);
	if (rb_find_add(&item->node, &set->open, compare_items)) {
		item->removed = true;
		err = -EEXIST;
	} else {
		set->nr_items++;
	}
	evl_unlock_irqrestore(evl_poll_lock(set), flags);

	return err;
}

/* Out of the group, unless somebody else was faster. */
static void withdraw_item(struct evl_poll_item *item)
{
	struct evl_poll_set *set = item->set;
	unsigned long flags;
	bool found;

	evl_lock_irqsave(evl_poll_lock(set), flags);
	found = !item->removed;
	if (found)
		remove_item(item);
	evl_unlock_irqrestore(evl_poll_lock(set), flags);

	if (found)
		dismantle_item(item);
}

/* From here on the item hears of its file. */
static int connect_item(struct evl_poll_item *item, struct evl_file *efilp)
{
	__poll_t ready;

	evl_attach_poll_item(item, efilp, end_file);
	ready = evl_poll_file(efilp, &item->wait);
	if (item->wait.overflow)
		return -ENOSPC;

	/* Others than current may find it ready, too. */
	if (item->wait.personal)
		evl_make_item_personal(item);
	if (item->wait.personal || ready & READ_ONCE(item->events))
		evl_raise_poll_item(item);

	return 0;
}

static int add_plain(struct evl_poll_item *item, struct evl_file *efilp)
{
	int err;

	err = insert_item(item);
	if (err)
		return err;

	err = connect_item(item, efilp);
	if (err)
		withdraw_item(item);

	return err;
}

static int add_nested(struct evl_poll_item *item, struct evl_file *efilp,
		      struct evl_poll_set *child)
{
	int err;

	go_inband();
	evl_lock_nesting();
	err = evl_nest_poll_item(item, child);
	if (err) {
		item->removed = true;
		goto out;
	}
	err = insert_item(item);
	if (err)
		evl_unnest_poll_item(item);
	else
		connect_item(item, efilp);
out:
	evl_unlock_nesting();

	return err;
}

int evl_add_poll_item(struct evl_poll_set *set, const struct evl_poll_ctlreq *req)
{
	struct evl_poll_set *child;
	struct evl_poll_item *item;
	struct evl_file *efilp;
	int err;

	efilp = evl_get_file(req->fd);
	if (!efilp)
		return -EBADF;

	item = get_item(set, efilp, req);
	if (IS_ERR(item)) {
		err = PTR_ERR(item);
		goto out;
	}

	drop_closed(set, req->fd);
	child = evl_file_poll_set(efilp);
	err = child ? add_nested(item, efilp, child) : add_plain(item, efilp);
	unpin_item(item);
out:
	evl_put_file(efilp);

	return err;
}

/* --- Change ----------------------------------------------------------------------- */

int evl_mod_poll_item(struct evl_poll_set *set, const struct evl_poll_ctlreq *req)
{
	struct evl_file *efilp = evl_get_file(req->fd);
	struct evl_poll_item *item;
	unsigned long flags;

	if (!efilp)
		return -EBADF;

	evl_lock_irqsave(evl_poll_lock(set), flags);
	item = find_open(set, req->fd, efilp);
	if (item) {
		WRITE_ONCE(item->events, evl_poll_interest(req->events));
		item->pollval = req->pollval;
		item->pins++;
	}
	evl_unlock_irqrestore(evl_poll_lock(set), flags);

	if (item) {
		/* What did not matter so far may hold already. */
		evl_raise_poll_item(item);
		unpin_item(item);
	}
	evl_put_file(efilp);

	return item ? 0 : -ENOENT;
}
