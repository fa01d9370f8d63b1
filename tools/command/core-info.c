// SPDX-License-Identifier: GPL-2.0-only
/*
 * For evl check: prints the range of ABI levels which the core behind a control
 * device ($1) serves. What sysfs tells is the last of them only. If the device
 * does not answer, its reason is the exit status: an errno.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <evl/control-abi.h>

int main(int argc, char *argv[])
{
	struct evl_core_info info;
	int fd;

	if (argc != 2)
		return EINVAL;
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (ioctl(fd, EVL_CTLIOC_GET_COREINFO, &info))
		return errno;

	return printf("%u %u\n", info.abi_base, info.abi_current) < 0 || fclose(stdout) ? EIO : 0;
}
