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
#include <evl/work.h>

struct evl_file;
struct pid;
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
	struct file *filp;		/* what handlers get */
	const struct file *key;		/* what descriptors lead to: an address */
	const struct evl_file_ops *ops;
	struct hlist_node hash;
	atomic_t users;			/* 1 while open, +1 per oob user */
	bool retired;			/* no request by it begins to wait */
	struct completion idle;
	struct irq_work idle_work;
	struct evl_work *end_work;	/* of a core file, NULL for others */
	/* Called at the end of the file, and maybe ahead of it; may sleep. NULL
	 * unless somebody put the file on watch, who guards the list. */
	void (*on_release)(struct evl_file *efilp);
	struct list_head watches;
};

/* At open(2): from now on @filp is known out-of-band. In-band, may sleep. */
void evl_open_file(struct evl_file *efilp, struct file *filp,
		   const struct evl_file_ops *ops);
/*
 * At release(): waits until no out-of-band user is left, so that the driver may
 * free what operations look at. Whoever sleeps in one must have been woken up
 * first. In-band, may sleep.
 *
 * It lasts as long as the longest operation in progress does, in whichever process
 * the last descriptor is closed, and no signal ends it. An operation on user memory
 * lasts as long as the owner of that memory likes, who may have sent the descriptor
 * to somebody else (userfaultfd, FUSE): a driver with such operations is for users
 * who are trusted.
 */
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

/* --- Files of the core itself ------------------------------------------------- */

/*
 * Closing one of these does not wait for requests: they may outlive the file, and
 * the last of them has the rest of the release done by a worker. Hence handlers get
 * a stand-in for the file, which has these members and no others: f_op, f_mode,
 * f_flags (as of the last request), f_cred, private_data.
 *
 * To be zeroed by whoever allocates it.
 */
struct evl_core_file {
	struct evl_file efile;
	struct file stand_in;
	struct pid *opener;		/* the process */
	struct evl_work end_work;
	void (*end)(struct evl_core_file *cfile);
};

/* At open(2), @filp being complete but for what stream_open() does. @end is called
 * when neither the file nor a request is left, to free what they needed: in-band, may
 * sleep. */
void evl_open_core_file(struct evl_core_file *cfile, struct file *filp,
			const struct evl_file_ops *ops,
			void (*end)(struct evl_core_file *cfile));
/*
 * At release(), step 1: no request comes by the file any more, and none of those in
 * progress begins to wait, -EIDRM. True if there are any. The caller wakes up those
 * which wait by now. In-band, may sleep.
 */
bool evl_retire_core_file(struct evl_core_file *cfile);
/* Step 2: @end is called now, or after the last request. The process which opened
 * the file is kept waiting for that, for two seconds at most, for each file which it
 * closes, or until it is killed; nobody else is. */
void evl_drop_core_file(struct evl_core_file *cfile);

#endif /* !EVL_FILE_H */
