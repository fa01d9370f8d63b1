/* SPDX-License-Identifier: GPL-2.0-only */
/* The file which a proxy stands for, and how long it is kept open. */
#ifndef EVL_ELEMENT_TARGET_H
#define EVL_ELEMENT_TARGET_H

#include <linux/fs.h>
#include <linux/net.h>
#include <linux/poll.h>
#include <linux/spinlock.h>

struct evl_target {
	struct file *filp;		/* NULL if it is not kept open any more */
	struct socket *sock;		/* of a local socket, else NULL */
	fmode_t mode;
	spinlock_t lock;		/* guards filp of local sockets */
};

bool evl_is_local_socket(struct file *filp);

/* The reference to @filp goes to the target. In-band, may sleep, as all of these. */
void evl_init_target(struct evl_target *target, struct file *filp);
void evl_exit_target(struct evl_target *target);

/* Do not keep a local socket open any longer. Those who wait for it are woken up. */
void evl_loosen_target(struct evl_target *target);

static inline bool evl_keeps_target(struct evl_target *target)
{
	return READ_ONCE(target->filp);
}

/*
 * Open the target for a moment, which ends with fput(). NULL if nobody has that
 * socket open any more. @reading: the caller is going to receive from it.
 */
struct file *evl_get_target(struct evl_target *target, bool reading);

/* As vfs_poll(). It is @filp, a file of the proxy, which those who wait keep open. */
__poll_t evl_poll_target(struct evl_target *target, struct file *filp, poll_table *wait);

#endif /* !EVL_ELEMENT_TARGET_H */
