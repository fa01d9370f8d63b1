// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program which goes with the driver in xbuf-driver/: asks it for samples
 * and prints them. It is no real-time program, and uses system calls only.
 */
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <evl/evl.h>
#include "xbuf-driver/xbuf-driver.h"

int main(void)
{
	struct sampling_request req = { .period_us = 10000, .count = 20 };
	struct sampling_record rec;
	unsigned int n;
	int xfd, fd, ret;

	ret = evl_init();
	if (ret)
		error(1, -ret, "evl_init");

	xfd = evl_new_xbuf(4096, "xbuf-peer:%d", getpid());
	if (xfd < 0)
		error(1, -xfd, "evl_new_xbuf");

	fd = open("/dev/xbuf-driver", O_RDWR);
	if (fd < 0)
		error(1, errno, "/dev/xbuf-driver (is xbuf-driver.ko loaded?)");

	if (ioctl(fd, XBUF_DRIVER_START, xfd))
		error(1, errno, "cannot start the driver");

	if (write(xfd, &req, sizeof(req)) != sizeof(req))
		error(1, errno, "cannot send a request");

	for (n = 0; n < req.count; n++) {
		if (read(xfd, &rec, sizeof(rec)) != sizeof(rec))
			error(1, errno, "cannot read a sample");
		printf("sample %2u at %llu ns, %lld ns late\n", n,
		       (unsigned long long)rec.date, (long long)rec.latency);
	}

	return 0;
}
