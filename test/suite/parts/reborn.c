// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a task goes on as which has subscribed to the observable behind the descriptor given as an argument: it knows
 * nothing of that subscription. Exits with 0, or with the number of what was not so.
 */
#include <errno.h>
#include <stdlib.h>
#include <evl/observable.h>

int main(int argc, char *argv[])
{
	int fd = argc == 2 ? atoi(argv[1]) : -1;
	struct evl_notification nf;

	if (evl_read_observable(fd, &nf, 1) != -ENXIO)
		return 1;
	if (evl_unsubscribe(fd) != -ENOENT)
		return 2;
	if (evl_subscribe(fd, 4, 0))
		return 3;
	if (evl_subscribe(fd, 4, 0) != -EEXIST)
		return 4;
	if (evl_unsubscribe(fd))
		return 5;
	return 0;
}
