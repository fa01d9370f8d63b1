/* SPDX-License-Identifier: GPL-2.0-only */
/* What the sources of proxies share. */
#ifndef EVL_ELEMENT_PROXY_H
#define EVL_ELEMENT_PROXY_H

#include <linux/kref.h>
#include <linux/poll.h>
#include <evl/factory.h>
#include "element/proxy/grace.h"
#include "element/proxy/relay.h"
#include "element/proxy/target.h"
#include "element/ring/ring.h"

struct evl_eventfd;

struct evl_proxy_out {
	struct evl_ring ring;
	struct evl_relay relay;
	size_t grain;
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
	struct kref refs;		/* the element has one, and orphaned relays */
	struct evl_target target;
	struct evl_grace *grace;	/* of the process which made it */
	fl_owner_t keeper;		/* while its descriptors there keep the target open */
	size_t grain;
	struct evl_proxy_out out;
	struct evl_proxy_in in;
};

/* 0, -EINVAL if the target has no way to do this, or -ENOMEM. One which is not open
 * for it is no error: transfers will be. */
int evl_init_proxy_out(struct evl_proxy *proxy, size_t bufsz);
int evl_init_proxy_in(struct evl_proxy *proxy, size_t bufsz);
/* After their relays ended. */
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
/* Have the relay empty the ring, for some time at most, and end. As
 * evl_leave_relay(). */
bool evl_leave_proxy_out(struct evl_proxy *proxy);

/* --- Eventfds which kernel memory cannot be written to (eventfd.c) ---- */

/* NULL if @filp is none. */
struct evl_eventfd *evl_get_eventfd(struct file *filp);
void evl_put_eventfd(struct evl_eventfd *eventfd);
void evl_add_eventfd(struct evl_eventfd *eventfd, u64 value);

/* --- Mappings (map.c) -------------------------------------------------------- */

bool evl_can_map_target(struct file *target);
/* From the mmap() of a proxy: have @vma map @target, or say why not. */
int evl_map_target(struct file *target, struct vm_area_struct *vma);

#endif /* !EVL_ELEMENT_PROXY_H */
