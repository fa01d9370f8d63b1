// SPDX-License-Identifier: GPL-2.0-only
/* The first program: a thread which runs out-of-band, ten times a second. */
#include <error.h>
#include <evl/evl.h>

int main(void)
{
	struct evl_sched_attrs attrs = { .sched_policy = SCHED_FIFO, .sched_priority = 10 };
	int n, efd, ret;

	efd = evl_attach_self("hello:%d", getpid());
	if (efd < 0)
		error(1, -efd, "cannot attach to the EVL core");

	ret = evl_set_schedattr(efd, &attrs);
	if (ret)
		error(1, -ret, "cannot become a real-time thread");

	for (n = 0; n < 10 && evl_usleep(100000) == 0; n++)
		evl_printf("%s, %d\n", evl_is_inband() ? "in-band" : "out-of-band", n);

	return evl_detach_self();
}
