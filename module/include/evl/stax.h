/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stage exclusion: any number of tasks of one stage share a section, which those
 * of the other stage enter when the last of them left. For drivers whose code is
 * reached from both stages.
 */
#ifndef EVL_STAX_H
#define EVL_STAX_H

#include <linux/irq_work.h>
#include <linux/wait.h>
#include <evl/wait.h>

struct evl_stax {
	struct evl_wait_queue oob;	/* its lock guards holders */
	wait_queue_head_t inband;
	struct irq_work wake;		/* wakes up the latter */
	int holders;			/* > 0: out-of-band, < 0: in-band */
	bool dead;
};

void evl_init_stax(struct evl_stax *stax);
/*
 * In-band, may sleep. Nobody may hold it out-of-band, or wait in-band. Those who
 * wait out-of-band get -EIDRM; they still need the memory until they are gone,
 * which evl_release_file() waits for.
 */
void evl_destroy_stax(struct evl_stax *stax);

/*
 * Sleeps if the other stage is inside. 0, out-of-band -EINTR or -EIDRM, in-band
 * -ERESTARTSYS, -EPERM where neither stage may sleep. A section counts as used from
 * the stage it was entered on, even if the caller changes stage inside.
 */
int evl_lock_stax(struct evl_stax *stax);
/* 0 or -EAGAIN. */
int evl_trylock_stax(struct evl_stax *stax);
void evl_unlock_stax(struct evl_stax *stax);

#endif /* !EVL_STAX_H */
