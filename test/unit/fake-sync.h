/* SPDX-License-Identifier: GPL-2.0-only */
/* Tests of synchronisation start attached, out-of-band, and with clean states. */
#ifndef _EVL_TEST_FAKE_SYNC_H
#define _EVL_TEST_FAKE_SYNC_H

#include "fake-core.h"

static struct __evl_hl_thread *self;
static __u32 me __attribute__((unused));

static int setup(void **state)
{
	(void)state;
	if (__evl_hl_home()->booted == 0)
		fake_reset();
	self = fake_attach();
	me = self->handle;
	fake.nr_log = 0;
	fake.nr_clones = 0;
	fake.on_request = NULL;
	memset(fake.failures, 0, sizeof(fake.failures));
	self->window->pp_pending = 0;
	/* The window and the states of a test do not overlap. */
	fake.next_offset = 1024;
	memset(fake.shm + 1024, 0, FAKE_SHM_SIZE - 1024);

	return 0;
}

#endif /* _EVL_TEST_FAKE_SYNC_H */
