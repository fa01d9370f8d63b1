/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of element/ share, and nobody else needs. */
#ifndef EVL_ELEMENT_ELEMENT_H
#define EVL_ELEMENT_ELEMENT_H

#include <linux/fs.h>
#include <linux/wait.h>
#include <evl/factory.h>

#define EVL_NAME_MAX	255		/* of an element, without the final zero */

#define EVL_CLONE_NAME	"clone"		/* of the clone device of a class */

extern const struct file_operations evl_clone_fops;

/* Woken up when a name, or a factory, loses an element. */
extern wait_queue_head_t evl_disposal_wait;

struct device *evl_add_element_device(struct evl_element *element);

/*
 * Held for reading while an element is being made: the core does not leave the
 * running state meanwhile. 0, -ENXIO if it is not running, or -EINTR if the
 * caller is being killed. Nothing in between may wait for user space, but for what
 * Linux does to make the node of a public element: see has_node() in element.c.
 */
int evl_enter_service(void);
void evl_leave_service(void);

/* Is the caller part of the process which made @element? */
bool evl_is_maker(const struct evl_element *element);

/* The fixed elements of the clock class. */
int evl_create_clocks(void);
void evl_delete_clocks(void);

#endif /* !EVL_ELEMENT_ELEMENT_H */
