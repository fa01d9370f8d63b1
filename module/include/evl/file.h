/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files with out-of-band operations. A driver embeds a struct evl_file in the
 * state of each open file; oob_read(2) and friends find it by descriptor.
 */
#ifndef EVL_FILE_H
#define EVL_FILE_H

#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/completion.h>
#include <linux/irq_work.h>

struct evl_file;
struct evl_poll_wait;

/*
 * Called on the out-of-band stage, hard irqs on. User memory is accessed with
 * evl_copy_from_user() and evl_copy_to_user() only. A NULL handler reads as
 * -EINVAL (read, write) or -ENOTTY (ioctl).
 */
struct evl_file_ops {
	ssize_t (*oob_read)(struct file *filp, char __user *buf, size_t count);
	ssize_t (*oob_write)(struct file *filp, const char __user *buf,
			     size_t count);
	long (*oob_ioctl)(struct file *filp, unsigned int cmd, unsigned long arg);
	__poll_t (*oob_poll)(struct file *filp, struct evl_poll_wait *wait);
};

struct evl_file {
	struct file *filp;
	const struct evl_file_ops *ops;
	struct hlist_node hash;
	atomic_t users;			/* 1 while open, +1 per oob user */
	struct completion idle;
	struct irq_work idle_work;
	/* Called by evl_release_file() when no user is left; may sleep. NULL
	 * unless somebody put the file on watch, who guards the list. */
	void (*on_release)(struct evl_file *efilp);
	struct list_head watches;
};

/* At open(2): from now on @filp is known out-of-band. In-band, may sleep. */
void evl_open_file(struct evl_file *efilp, struct file *filp,
		   const struct evl_file_ops *ops);
/* At release(2): waits until no out-of-band user is left. Whoever sleeps in an
 * operation must have been woken up first. In-band, may sleep. */
void evl_release_file(struct evl_file *efilp);

/* The file behind a descriptor of current, with a reference, or NULL. Any
 * stage. */
struct evl_file *evl_get_file(int fd);
void evl_get_fileref(struct evl_file *efilp);
void evl_last_put_file(struct evl_file *efilp);

static inline void evl_put_file(struct evl_file *efilp)
{
	if (unlikely(atomic_dec_and_test(&efilp->users)))
		evl_last_put_file(efilp);
}

/* For whoever has no reference, but knows that it will be told of the release:
 * false if that is under way. */
static inline bool evl_get_fileref_unless_released(struct evl_file *efilp)
{
	return atomic_inc_not_zero(&efilp->users);
}

#endif /* !EVL_FILE_H */
