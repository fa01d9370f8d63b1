/* SPDX-License-Identifier: GPL-2.0-only */
/* The thread element: what the descriptor of a thread refers to. */
#ifndef EVL_ELEMENT_THREAD_H
#define EVL_ELEMENT_THREAD_H

#include <linux/completion.h>
#include <linux/jiffies.h>
#include <evl/thread.h>
#include "element/element.h"

struct evl_kthread;
struct evl_observable;

/* Between two attempts at waking up a kernel thread which should return. */
#define EVL_STOP_RETRY	msecs_to_jiffies(100)

/*
 * Lives as long as the element, or the core, refers to it: the element holds a
 * reference to @thread which it drops when disposed of. @thread, in turn, holds
 * one to the element from its attachment until it left the core.
 */
struct evl_thread_element {
	struct evl_element element;
	struct evl_thread thread;
	struct evl_work exit_work;	/* in-band part of the departure */
	struct completion gone;		/* the thread left the core */
	struct list_head next;		/* among those which did not */
	struct pid *pid;		/* of the task, NULL until attached */
	struct evl_kthread *kthread;	/* NULL for user threads */
	struct evl_observable *observable; /* NULL unless asked for */
	bool stopping;			/* kernel thread asked to return */
	u8 raised;			/* capabilities given, by rank */
	char name[EVL_NAME_MAX + 1];
};

extern const struct attribute_group *evl_thread_groups[];
extern const struct file_operations evl_thread_fops;
extern const struct evl_file_ops evl_thread_oob_ops;

static inline struct evl_thread_element *
evl_thread_element(struct evl_element *element)
{
	return container_of(element, struct evl_thread_element, element);
}

static inline struct evl_thread_element *
evl_element_of_thread(struct evl_thread *thread)
{
	return container_of(thread, struct evl_thread_element, thread);
}

/* 0, or -EINVAL for flags which do not go together. */
int evl_check_thread_flags(u32 clone_flags);
/*
 * A thread element for current, with one reference to be dropped by
 * evl_discard_thread_element() unless it is attached. @kthread is NULL for a
 * user thread. ERR_PTR() on error.
 */
struct evl_thread_element *
evl_new_thread_element(const char *name, u32 clone_flags,
		       struct evl_kthread *kthread);
void evl_discard_thread_element(struct evl_thread_element *te);

/* Attach current as @te, which holds itself from now on; see
 * evl_attach_current() for errors. */
int evl_attach_thread_element(struct evl_thread_element *te);

/* Detach current. 0 or -EPERM. */
int evl_detach_self(void);

/*
 * Have all threads leave the core: user threads get SIGTERM, kernel threads are
 * asked to return. 0, or -ERESTARTSYS if the wait was interrupted.
 */
int evl_stop_all_threads(void);

/* --- Capabilities (caps.c), of current -------------------------------------- */

/* Take note of those raised in @te. 0 or -ENOMEM. */
int evl_raise_caps(struct evl_thread_element *te);
void evl_lower_caps(unsigned int raised);

/* Until the memory of the last thread element was given back. */
void evl_wait_thread_elements(void);

#endif /* !EVL_ELEMENT_THREAD_H */
