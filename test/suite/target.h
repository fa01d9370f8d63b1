/* SPDX-License-Identifier: GPL-2.0-only */
/* Proxies and what they write to. */
#ifndef EVL_TEST_TARGET_H
#define EVL_TEST_TARGET_H

#include "helpers.h"
#include <evl/proxy.h>

__attribute__((unused))
static int new_output(int target, const char *stem)
{
	return check_ok(evl_create_proxy(target, 8192, 0, EVL_CLONE_OUTPUT, "%s:%d", stem, getpid()));
}

__attribute__((unused))
static bool is_lost(const char *stem, int count, int error)
{
	char text[32];

	snprintf(text, sizeof(text), "%d %d", count, error);
	return !strcmp(read_attr("proxy", own_name(stem), "lost"), text);
}

/* What a pipe has no room for. */
#define TEXT	4000

__attribute__((unused))
static size_t read_to_the_end(int fd)
{
	static char text[65536];
	size_t total = 0;
	ssize_t count;

	while ((count = check_sys(read(fd, text, sizeof(text)))) > 0)
		total += count;
	return total;
}

__attribute__((unused))
static size_t fill_pipe(int fd)
{
	char text[4096] = "";
	size_t total = 0;
	ssize_t count;

	set_nonblocking(fd, true);
	while ((count = write(fd, text, sizeof(text))) > 0)
		total += count;
	check_eq(errno, EAGAIN);
	set_nonblocking(fd, false);
	return total;
}

#endif
