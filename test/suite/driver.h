/* SPDX-License-Identifier: GPL-2.0-only */
/* Modules of test/module, for suites which talk to one of them. */
#ifndef EVL_TEST_DRIVER_H
#define EVL_TEST_DRIVER_H

#include "helpers.h"

/* For the setup of a group of tests: 0 once @device is there. */
static int load_module(const char *name, const char *device)
{
	char path[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/mod/%s.ko", name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	ret = syscall(SYS_finit_module, fd, "", 0);
	close(fd);
	if (ret)
		print_message("%s: %s\n", path, strerror(errno));
	/* Its node may take a moment. */
	for (int i = 0; !ret && access(device, F_OK) && i < 5000; i++)
		nap();
	return ret;
}

static int unload_module(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK);
}

#endif /* !EVL_TEST_DRIVER_H */
