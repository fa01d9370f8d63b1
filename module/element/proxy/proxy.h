/* SPDX-License-Identifier: GPL-2.0-only */
/* What proxy.c, in.c and out.c share. */
#ifndef EVL_ELEMENT_PROXY_H
#define EVL_ELEMENT_PROXY_H

#include <linux/poll.h>
#include <linux/sched.h>
#include <evl/factory.h>
#include "element/ring/ring.h"

struct evl_eventfd;

/* A kernel thread which moves data between a ring and the target. */
struct evl_relay {
	struct task_struct *task;
	bool stopping;
};

struct evl_proxy_out {
	struct evl_ring ring;
	struct evl_relay relay;
	struct evl_eventfd *eventfd;	/* the target, if it takes no other way */
	u64 relayed;			/* bytes dealt with, by the relay only */
	u64 lost;			/* those which the target refused */
	int error;			/* why, as of the last time */
};

struct evl_proxy_in {
	struct evl_ring ring;
	struct evl_relay relay;
	/* Guarded by the lock of the ring. */
	size_t ahead;			/* bytes wanted by those who do not wait */
	bool eof;			/* the target had nothing, tell a reader */
	int error;			/* of the target, for good */
};

struct evl_proxy {
	struct evl_element element;
	struct file *target;
	size_t grain;
	struct evl_proxy_out out;
	struct evl_proxy_in in;
};

/* 0, -EINVAL if the target has no way to do this, or -ENOMEM. One which is not open
 * for it is no error: transfers will be. */
int evl_init_proxy_out(struct evl_proxy *proxy, size_t bufsz);
int evl_init_proxy_in(struct evl_proxy *proxy, size_t bufsz);
/* The element has its name. */
int evl_start_proxy_out(struct evl_proxy *proxy);
int evl_start_proxy_in(struct evl_proxy *proxy);
/* Stop and free. */
void evl_exit_proxy_out(struct evl_proxy *proxy);
void evl_exit_proxy_in(struct evl_proxy *proxy);

/* @count was checked. */
ssize_t evl_write_proxy_out(struct evl_proxy *proxy, const char __user *buf,
			    size_t count, int mode);
ssize_t evl_read_proxy_in(struct evl_proxy *proxy, char __user *buf,
			  size_t count, int mode);
__poll_t evl_poll_proxy_out(struct evl_proxy *proxy, struct file *filp,
			    poll_table *wait);
void evl_request_ahead(struct evl_proxy *proxy);
__poll_t evl_poll_proxy_in(struct evl_proxy *proxy, struct file *filp,
			   poll_table *wait);
/* Wait for the relay to empty the ring, for some time at most. */
void evl_drain_proxy_out(struct evl_proxy *proxy);

/* --- Relays (proxy.c) ------------------------------------------------------- */

int evl_start_relay(struct evl_proxy *proxy, struct evl_relay *relay,
		    int (*fn)(void *proxy), const char *way);
void evl_stop_relay(struct evl_relay *relay);
/* To be returned by @fn, when told to stop. */
int evl_leave_relay(void);
/* Before a look at evl_relay_stopping(). */
void evl_drop_relay_signals(void);
/* What to do about an error of the target: 0 to try again, else the error. */
int evl_check_relay(struct evl_proxy *proxy, struct evl_relay *relay, int err,
		    __poll_t event);

/* --- Eventfds which kernel memory cannot be written to (eventfd.c) ---- */

/* NULL if @filp is none. */
struct evl_eventfd *evl_get_eventfd(struct file *filp);
void evl_put_eventfd(struct evl_eventfd *eventfd);
void evl_add_eventfd(struct evl_eventfd *eventfd, u64 value);

static inline bool evl_relay_stopping(struct evl_relay *relay)
{
	return READ_ONCE(relay->stopping);
}

#endif /* !EVL_ELEMENT_PROXY_H */
