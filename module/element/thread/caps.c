// SPDX-License-Identifier: GPL-2.0-only
/*
 * Capabilities which the core lets its threads have, as the ABI says: effective
 * ones, until they detach. Linux knows no effective capability which is not
 * permitted, too: one which is not is ours, whichever thread has it.
 *
 * A child process must not inherit them. Threads of the same process do, as they
 * may make each other do anything; from these, too, nothing comes to a child.
 */
#include <linux/cred.h>
#include <linux/sched.h>
#include "element/thread/thread.h"
#include "forks.h"

/* See evl_thread_element.raised. */
static const int thread_caps[] = { CAP_SYS_NICE, CAP_IPC_LOCK, CAP_SYS_RAWIO };

int evl_raise_caps(struct evl_thread_element *te)
{
	struct cred *cred;
	int n;

	cred = prepare_creds();
	if (!cred)
		return -ENOMEM;

	for (n = 0; n < ARRAY_SIZE(thread_caps); n++) {
		if (cap_raised(cred->cap_effective, thread_caps[n]))
			continue;
		cap_raise(cred->cap_effective, thread_caps[n]);
		te->raised |= 1 << n;
	}

	return commit_creds(cred);
}

void evl_lower_caps(unsigned int raised)
{
	struct cred *cred;
	int n;

	if (!raised)
		return;

	cred = prepare_creds();
	if (!cred)
		return;

	for (n = 0; n < ARRAY_SIZE(thread_caps); n++)
		if (raised & (1 << n))
			cap_lower(cred->cap_effective, thread_caps[n]);

	commit_creds(cred);
}

/*
 * @child has not run yet: credentials which it does not share with its parent
 * are known to nobody else, and may be changed in place.
 */
static void strip_child(struct task_struct *child)
{
	struct cred *cred = (struct cred *)rcu_access_pointer(child->cred);
	int n;

	if (cred == current_cred() || cred == current_real_cred())
		return;

	for (n = 0; n < ARRAY_SIZE(thread_caps); n++)
		if (!cap_raised(cred->cap_permitted, thread_caps[n]))
			cap_lower(cred->cap_effective, thread_caps[n]);
}

int evl_init_caps(void)
{
	return host_watch_forks(strip_child);
}

void evl_exit_caps(void)
{
	host_unwatch_forks();
}
