/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a module of the shared-state tests believes the state is. */
#ifndef _EVL_TEST_SHARED_PROBE_H
#define _EVL_TEST_SHARED_PROBE_H

struct probe {
	void *process;
	void *thread;
	int self;		/* evl_get_self() */
	int stream;		/* evl_stdout() */
};

typedef void (*probe_fn)(struct probe *probe);
typedef int (*init_fn)(void);

void shared_probe(struct probe *probe);
int shared_init(void);

#endif /* _EVL_TEST_SHARED_PROBE_H */
