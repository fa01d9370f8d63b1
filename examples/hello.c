// SPDX-License-Identifier: GPL-2.0-only
/* The first program: a thread which runs out-of-band, ten times a second. */
#include <error.h>
#include <sched.h>
#include <evl/evl.h>

int main(void)
{
	struct sched_param param = { .sched_priority = 10 };
	int n, ret;

	sched_setscheduler(0, SCHED_FIFO, &param);
	ret = evl_attach_self("hello:%d", getpid());
	if (ret < 0)
		error(1, -ret, "cannot attach to the EVL core");

	for (n = 0; n < 10 && evl_usleep(100000) == 0; n++)
		evl_printf("%s, %d\n", evl_is_inband() ? "in-band" : "out-of-band", n);

	return evl_detach_self();
}
