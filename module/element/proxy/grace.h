/* SPDX-License-Identifier: GPL-2.0-only */
/* How long a process waits for its proxies when it closes them. In-band. */
#ifndef EVL_ELEMENT_PROXY_GRACE_H
#define EVL_ELEMENT_PROXY_GRACE_H

#include <linux/jiffies.h>

/* What a target which takes its time gets, in jiffies. */
#define EVL_PROXY_GRACE		HZ

struct evl_grace;

/* That of the current process, with a reference, or -ENOMEM. */
struct evl_grace *evl_get_grace(void);
void evl_put_grace(struct evl_grace *grace);
/* What is left for the next proxy to wait for, in jiffies. Called by the process which
 * @grace is of. */
long evl_grace_left(struct evl_grace *grace);

#endif /* !EVL_ELEMENT_PROXY_GRACE_H */
