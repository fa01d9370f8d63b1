/* SPDX-License-Identifier: GPL-2.0-only */
/* What the latency benchmark asks of its driver, /dev/evl_bench. */
#ifndef EVL_BENCH_H
#define EVL_BENCH_H

#include <linux/types.h>
#include <linux/ioctl.h>

/* How late something is, in ns, over some samples. */
struct evl_bench_run {
	__u32 samples;		/* in: how many */
	__u32 period;		/* in: ns between two of them */
	__s64 min, max, sum;	/* out */
};

/* The caller sleeps, in-band, until all is done. */
#define EVL_BENCH_KTHREAD	_IOWR('B', 0, struct evl_bench_run)
#define EVL_BENCH_HANDLER	_IOWR('B', 1, struct evl_bench_run)

#endif /* !EVL_BENCH_H */
